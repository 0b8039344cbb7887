#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots a Debian whose first process is knelld on the unit files as Debian ships them, and tries ten
# daemons there: up and at work, reloaded, killed and back or failed, stopped with nothing left;
# then readiness as systemd-notify and libsystemd tell it, a re-exec among all that runs, and
# three of them under a knelld that does without the module. Prints TAP, and at last
# "daemons: N passed, N failed".
#
# usage: run.sh [PART|DAEMON...]	(none: all)
#   PART	daemons, notify, reexec or plain
#   DAEMON	one of the daemons: nginx redis postgresql ssh chrony avahi dbus mosquitto php cron
#
# Needs what "make libknell unit knelld knellctl module" builds. The first time a root file system
# is made (root.sh).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
out=$build/daemons/run
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"
limit=$((2400 * ${SLOW:-1}))
append="rdinit=/init loglevel=5 knell.init=/usr/sbin/knelld,--compat knell.slow=${SLOW:-1} ${APPEND:-}"

parts='' daemons=''
[ $# -gt 0 ] || parts=,daemons,notify,reexec,plain
for what in "$@"; do
	case $what in
	daemons|notify|reexec|plain) parts=$parts,$what ;;
	*) daemons=$daemons,$what ;;
	esac
done
[ -z "$daemons" ] || parts=$parts,daemons
append="$append knell.parts=$parts knell.daemons=$daemons"

# result 0|1 TEXT: a line as the guest's
result()
{
	nr=$((nr + 1))
	not=
	[ "$1" -eq 0 ] || not='not '
	echo "    ${not}ok $nr $2"
}

# in_log yes|no PATTERN TEXT
in_log()
{
	grep -a -e "$2" "$out/console.log" >"$out/found" && found=yes || found=no
	[ "$found" = "$1" ] && bad=0 || bad=1
	result "$bad" "$3"
	[ "$found$1" != yesno ] || sed 's/^/    # /' "$out/found"
}

# What is to be seen from outside only, and when all is over.
judge()
{
	nr=0
	echo "RUN boot 0"
	"$qemu/console-clean.sh" "$out/console.log" >"$out/found" && bad=0 || bad=1
	result "$bad" "the kernel does not complain"
	sed 's/^/    # /' "$out/found"
	in_log no 'ordering cycle' "the shipped units are in no cycle"
	in_log yes 'knelld: all services are stopped' "poweroff: all services are stopped"
	in_log no 'still there after' "poweroff: each in its time"
	in_log no 'to what is left' "poweroff: nobody was left"
	in_log yes 'reboot: Power down' "poweroff: the machine is off"
	echo "    1..$nr"
	echo "END boot exit 0 0"
}

"$qemu/deps.sh" daemons
"$here/root.sh"
rm -rf "$out"
mkdir -p "$out"
"$here/initrd.sh" "$out"
disk="-drive if=none,id=disk,format=raw,snapshot=on,file=$build/daemons/root.img"
"$qemu/boot.sh" -m "${MEMORY:-1024}" -s $((limit / 2)) -t "$limit" -a "$append" \
	-x "$disk -device virtio-blk-pci,drive=disk" "$out" || echo "# the boot did not end by itself"
rm -f "$out/initrd"
if ! grep -q '^DONE' "$out/result"; then
	echo "# it did not get to its end; the console says last:"
	tail -n 60 "$out/console.log" | sed 's/^/# /'
fi
judge >>"$out/result"
echo "# logs are in $out"
awk -v parts="boot$parts" -f "$here/tap.awk" "$out/result"
