#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The netlink family comes and goes with the module: while sockets are in use, and by its name.

ko=${KNELL_KO:-/lib/knell.ko}
helper=$(dirname "$0")/netlink_helper
modules=/lib/modules/$(uname -r)
nr=0 failed=0

loaded()
{
	[ -d /sys/module/knell ]
}

load()
{
	/sbin/insmod "$ko"
}

unload()
{
	rmmod knell 2>/dev/null
}

# Says what was not so, for whoever reads the log.
no()
{
	echo "# $*"
	return 1
}

# Starts the helper as $1; it is $user, and has said that it is ready.
start()
{
	mkfifo "/tmp/said.$1" || return
	"$helper" "$1" >"/tmp/said.$1" &
	user=$!
	read -r line <"/tmp/said.$1"
	rm "/tmp/said.$1"
	[ "$line" = ready ] || no "$1: $line"
}

stop()
{
	kill -9 "$user"
	wait "$user" 2>/dev/null
	return 0
}

# A dump's end is heard of by a worker.
unloads_soon()
{
	i=0
	until unload; do
		i=$((i + 1))
		[ "$i" -lt 600 ] || return 1
		sleep 0.1
	done
}

listeners_do_not_hold_it()
{
	start listen || return
	unload || no "a listener holds it" || return
	! loaded && load && "$helper" resolve || no "it does not come again" || return
	stop
}

a_dump_holds_it()
{
	start dump || return
	! unload || no "gone under a dump" || return
	stop
	unloads_soon || no "the dump's end has not let it go" || return
	load
}

it_goes_while_all_is_in_use()
{
	"$helper" storm 2>/dev/null &
	user=$!
	gone=0 i=0
	while [ "$i" -lt 100 ] && [ "$gone" -lt 10 ]; do
		if unload; then
			gone=$((gone + 1))
			load || no "it does not come again" || return
		fi
		i=$((i + 1))
	done
	stop
	echo "# gone $gone times of $i"
	unloads_soon || no "something holds it" || return
	load
}

# For want of a family the kernel asks for the module of that name.
install_module()
{
	mkdir -p "$modules/updates" && cp "$ko" "$modules/updates/" && depmod 2>/dev/null
	grep -q 'alias net-pf-16-proto-16-family-knell knell' "$modules/modules.alias" ||
		no "$modules/modules.alias does not have the family" || return
	{ modprobe knell && loaded && unload; } || no "modprobe does not load it"
}

the_family_loads_the_module()
{
	[ ! -e "$modules" ] || no "$modules is there already" || return
	unload || return
	! "$helper" resolve 2>/dev/null || no "there is a family without the module" || return
	ln -s /bin/modprobe /sbin/modprobe &&
		install_module && "$helper" resolve && loaded
	status=$?
	rm -rf "$modules" /sbin/modprobe
	return "$status"
}

# An older kernel lets everybody join any group: the family has none.
lacks()
{
	[ "$1" = listeners_do_not_hold_it ] && uname -r | grep -q '^5[.]'
}

run()
{
	nr=$((nr + 1))
	if lacks "$1"; then
		echo "ok $nr netlink_module.$1 # SKIP the kernel has no groups that only some may join"
		return
	fi
	if "$1"; then
		echo "ok $nr netlink_module.$1"
	else
		echo "not ok $nr netlink_module.$1"
		failed=1
	fi
}

cases='listeners_do_not_hold_it a_dump_holds_it it_goes_while_all_is_in_use
the_family_loads_the_module'
# shellcheck disable=SC2086 # a list
set -- $cases
echo 'TAP version 13'
echo "1..$#"
for case in $cases; do
	run "$case"
	# Whatever it left, the next one and the next program find the module.
	loaded || load
done
exit $failed
