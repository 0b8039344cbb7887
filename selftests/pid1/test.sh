#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the machine of boot.sh: looks at what the first process has made of it, and then ends it as
# "pid1.case" of the kernel's command line says. Lines "ok TEXT" and "not ok TEXT" go to the second
# serial port, and at last "asked".
#
# usage: test.sh [stopping]	(the same, amid the stop of all services)

how=$(sed -n 's/.*pid1\.case=\([a-z]*\).*/\1/p' /proc/cmdline)

# shellcheck source=selftests/qemu/wait_for.sh disable=SC1091
. /wait_for.sh

say()
{
	echo "$*" >/dev/ttyS1
}

check()
{
	text=$1
	shift
	if "$@"; then
		say "ok $text"
	else
		say "not ok $text"
	fi
}

mounted()
{
	for dir in /proc /sys /dev /dev/pts /dev/shm /run; do
		grep -q "^[^ ]* $dir " /proc/mounts || return 1
	done
}

no_zombies()
{
	! awk '/^State:/ { state = $2 } /^PPid:/ && state == "Z" && $2 == 1 { print FILENAME }' \
		/proc/[0-9]*/status 2>/dev/null | grep -q .
}

no_orphans()
{
	! grep -q -x 'sleep.0\.[0-9].' /proc/[0-9]*/cmdline && no_zombies
}

main_pid()	{ knellctl show "$1" | sed -n 's/^MainPID=//p'; }
lives()		{ knellctl is-active -q a.service; }
is_back()	{ lives && [ "$(main_pid a.service)" = "$a" ] && [ "$(main_pid b.service)" = "$b" ]; }

# Of the ones that end a process the first one hears none.
deaf()
{
	for sig in SEGV BUS ILL FPE ABRT KILL STOP QUIT PIPE; do
		kill -$sig 1 || return 1
	done
	lives
}

replaced()
{
	cp /sbin/knelld /sbin/knelld.new && mv /sbin/knelld.new /sbin/knelld &&
		readlink /proc/1/exe | grep -q deleted && knellctl daemon-reexec
	wait_for is_back && [ "$(readlink /proc/1/exe)" = /sbin/knelld ]
}

crashed()
{
	/sbin/crash 1 && wait_for is_back
}

# It has more for itself: services have what there was.
limit_is_kept()
{
	rm -f /run/limit
	[ "$(awk '/^Max open files/ { print $4 }' /proc/1/limits)" -gt 128 ] &&
		knellctl start limit.service && [ "$(cat /run/limit)" = 128 ]
}

if [ "${1:-}" = stopping ]; then
	if [ "$how" = reboot ]; then
		check 'crashed amid the stop' /sbin/crash 1
	fi
	exit 0
fi

stty raw -echo </dev/ttyS1
check 'file systems are mounted' mounted
check "the host's name is set" [ "$(hostname)" = first ]
check 'the loopback device is up' eval 'ifconfig lo | grep -q UP'
check 'no orphan becomes a zombie' wait_for no_orphans
a=$(main_pid a.service) b=$(main_pid b.service)
check 'what there is runs' [ "${a:-0}" -gt 1 ]
check 'it heeds no signal that ends others' deaf
case $how in
poweroff)
	check 'another program goes on with what is there' replaced
	say asked
	knellctl poweroff ;;
reboot)
	check 'it has raised a limit' limit_is_kept
	check 'it crashes, and goes on' crashed
	check 'and once more' crashed
	check "what it has raised for itself is not its services'" limit_is_kept
	kill "$a"
	check 'what ends is heard of' wait_for eval '! lives'
	say asked
	knellctl reboot ;;
halt)
	say asked
	knellctl halt ;;
keys)
	say asked ;;
plain)
	check "of the units only those run that the kernel's command line has it start" \
		eval '! knellctl is-active -q many.socket'
	say asked
	kill -TERM 1 ;;
stays)
	check 'it is made to crash' /sbin/crash 1
	check 'no orphan becomes a zombie after that' eval '(sleep 0.1 & ); sleep 1; no_zombies'
	check 'what there was runs' kill -0 "$a"
	say asked ;;
esac
