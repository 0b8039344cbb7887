#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots a machine whose first process is knelld, has it end in one of the ways that there are, and
# looks at what it has left: the console, and two disks, "/" among them, that are to be clean.
#
# usage: boot.sh DIR CASE	(machines.sh was in DIR; prints TAP, the machine's logs are in DIR/CASE)
#
#	poweroff	replaced by a new program first; knellctl poweroff
#	reboot		crashes twice, and amid the stop; knellctl reboot
#	halt		knellctl halt
#	keys		Ctrl-Alt-Del on the keyboard
#	plain		without the module, without a disk; SIGTERM
#	stays		without the module: crashes, and cannot but stay; Ctrl-Alt-Del
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
# shellcheck source=selftests/qemu/tap.sh disable=SC1091
. "$qemu/tap.sh"
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"
export PATH="$PATH:/usr/sbin:/sbin"

says()
{
	grep -a -q -e "$1" "$out/console.log"
}

# in_order TEXT...: each after the one before it
in_order()
{
	from=1
	for wanted in "$@"; do
		line=$(tail -n "+$from" "$out/console.log" | grep -a -n -m 1 -e "$wanted" | cut -d : -f 1)
		[ -n "$line" ] || { echo "not in its place: $wanted"; return 1; }
		from=$((from + line))
	done
}

is_clean()
{
	dumpe2fs -h "$out/$1.img" 2>/dev/null >"$out/super"
	grep -q '^Filesystem state: *clean$' "$out/super" && ! grep -q needs_recovery "$out/super" &&
		e2fsck -f -n "$out/$1.img"
}

has_file()
{
	[ "$(debugfs -R "cat $2" "$out/$1.img" 2>/dev/null | tr '\n' ' ')" = "$3 " ]
}

# Waits for a line of the file while the machine is there.
await()
{
	while kill -0 "$boot" 2>/dev/null; do
		! grep -a -q -e "$2" "$1" || return 0
		sleep 1
	done
	return 1
}

# Boots one; $end is what the kernel says last.
boot()
{
	case $1 in
	plain|stays)
		ln "$dir/plain.initrd" "$out/initrd"
		disks='' append='rdinit=/sbin/knelld'
		[ "$1" = stays ] || append="$append -- --default web.target" ;;
	*)
		ln "$dir/disk.initrd" "$out/initrd"
		cp --sparse=always "$dir/root.img" "$dir/data.img" "$out"
		disks="-drive file=$out/root.img,format=raw,if=virtio
			-drive file=$out/data.img,format=raw,if=virtio" append='' ;;
	esac
	mkfifo "$out/keys.in" "$out/keys.out"
	"$qemu/boot.sh" -s 300 -t 900 -a "loglevel=5 pid1.case=$1 $append" \
		-x "$disks -chardev pipe,id=keys,path=$out/keys -mon keys" "$out" &
	boot=$!
	case $1 in
	halt)
		await "$out/console.log" "$end" && kill $boot ;;
	keys|stays)
		await "$out/result" '^asked' && echo 'sendkey ctrl-alt-delete' >"$out/keys.in" ;;
	esac
	wait $boot && status=0 || status=$?
	rm -f "$out/initrd" "$out/keys.in" "$out/keys.out"
}

look_at_console()
{
	check 'the kernel does not complain' "$qemu/console-clean.sh" "$out/console.log"
	check 'the machine ends as it should' in_order "$end"
	case $1 in
	halt) ;;
	*) check 'by itself' [ "$status" -eq 0 ] ;;
	esac
	[ "$1" != stays ] || return 0
	[ "$1" = reboot ] || check 'services end in their order' in_order 'c.service: stopped' \
		'b.service: stopped' 'a.service: stopped' 'all services are stopped'
	check 'one that does not heed SIGTERM does not hold it up' \
		says 'c.service: .* still there after 2s, SIGKILL'
	check 'what no stop reaches ends, too' in_order 'all services are stopped' \
		'SIGTERM to what is left' 'SIGKILL to what is left' "knelld: $last" "$end"
	check 'nothing is in use' eval '! says "file systems are in use"'
}

look_at_disks()
{
	check 'the first disk is clean' is_clean root
	check 'the second disk is clean' is_clean data
	check 'what was written last is there' has_file data /held held
}

look()
{
	: >"$out/checks"
	tr -d '\r' <"$out/result" | grep -E '^(not )?ok ' >"$out/tap" || true
	check 'the guest came to its end' grep -q '^asked' "$out/result"
	look_at_console "$1"
	case $1 in
	plain|stays) ;;
	*) look_at_disks ;;
	esac
	case $1 in
	poweroff)
		check 'who asked is told' says 'power off asked for by .* (knellctl) of user 0'
		check 'the commands of the stop ran in their order, and what is for it' has_file root /order 'c b a last'
		check 'by a program that took over' says 'took over . running services' ;;
	reboot)
		check 'who asked is told' says 'reboot asked for by .* (knellctl) of user 0'
		check 'the crash is told' says 'knelld: crashed by SIGSEGV, begins anew'
		check 'crashed amid the stop, it goes on with it' in_order 'c.service: stopped' \
			'crashed by SIGSEGV' 'stopping all services: that goes on' \
			'b.service: stopped' 'all services are stopped' "$end" ;;
	halt)
		check 'who asked is told' says 'halt asked for by .* (knellctl) of user 0' ;;
	keys)
		check 'the keys ask for it' says 'SIGINT: stopping all services' ;;
	plain)
		check 'it is said what is missing' says 'without /dev/knell: ' ;;
	stays)
		check 'it is said that it stays' says 'crashed by SIGSEGV, stays' ;;
	esac
}

[ $# -eq 2 ] || { echo "usage: boot.sh DIR CASE" >&2; exit 2; }
dir=$(cd "$1" && pwd)
out=$dir/$2
rm -rf "$out"
mkdir "$out"
case $2 in
poweroff|plain) end='reboot: Power down' last='power off' ;;
halt) end='reboot: System halted' last=halt ;;
reboot|keys|stays) end='reboot: Restarting system' last=restart ;;
*) echo "boot.sh: no such case: $2" >&2; exit 2 ;;
esac
boot "$2"
look "$2"
report
