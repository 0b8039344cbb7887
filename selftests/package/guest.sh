#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The test in the guest, a service of whoever is the first process there; its results go to the second
# serial port. Under systemd it runs debian/tests and removes the packages in the end; under knelld it sees
# that this is so.
set -u

count=0

# Runs a command; its success is the result that is named.
check()
{
	what=$1
	shift
	count=$((count + 1))
	if "$@" >/run/check.log 2>&1; then
		echo "ok $count $what"
	else
		echo "not ok $count $what"
		tail -n 60 /run/check.log | sed 's/^/# /'
	fi
}

as_pid_1()
{
	[ "$(readlink /proc/1/exe)" = /usr/sbin/knelld ]
}

of_dkms()
{
	for kernel in /lib/modules/*; do
		find "$kernel/updates/dkms" -name 'knell.ko*' | grep . || return 1
	done
	# With the key of this machine, which Secure Boot asks for.
	[ -n "$(modinfo -F filename knell)" ] && [ -n "$(modinfo -F signer knell)" ] &&
		[ -n "$(modinfo -F author knell)" ]
}

autopkgtests()
{
	autopkgtest -B /usr/src/knell-tests -- null
	status=$?
	# One was skipped: without a testbed to go back to, it is for later.
	[ $status -eq 2 ] || { echo "status $status"; return 1; }
}

main_pid()
{
	knellctl show -p MainPID --value hello
}

# The same packages once more are an upgrade: knelld is another program then, and nobody hears of it.
upgrade()
{
	printf '[Service]\nExecStart=/bin/sleep infinity\n' >/etc/knell/system/hello.service
	knellctl daemon-reload && knellctl start hello || return 1
	service=$(main_pid) manager=$(systemctl show -p MainPID --value knelld.service)
	program=$(stat -L -c %i "/proc/$manager/exe")
	DEBIAN_FRONTEND=noninteractive dpkg -i /usr/src/knell-tests/*.deb || return 1
	echo "service $service, $(main_pid); knelld $manager, $(systemctl show -p MainPID --value knelld.service)"
	[ "$(main_pid)" = "$service" ] && kill -0 "$service" || return 1
	[ "$(systemctl show -p MainPID --value knelld.service)" = "$manager" ] || return 1
	[ "$(stat -L -c %i "/proc/$manager/exe")" != "$program" ] || return 1
	knellctl stop hello && rm /etc/knell/system/hello.service
}

if as_pid_1; then
	check "knelld is the first process" true
	check "the module is there" test -c /dev/knell
	check "knelld has it open" sh -c 'ls -l /proc/1/fd | grep /dev/knell'
	check "this is a service of it" knellctl is-active knell-package-test.service
	echo "1..$count"
	echo DONE
	exec knellctl poweroff
fi
check "DKMS has built it for each kernel" of_dkms
check "autopkgtest" autopkgtests
check "an upgrade leaves services alone" upgrade
check "what is purged leaves nothing" /usr/src/knell-tests/debian/tests/removal
echo "1..$count"
echo DONE
systemctl --no-block poweroff
