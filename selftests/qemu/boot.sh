#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Boots the stock kernel once and waits until it is gone.
#
# usage: boot.sh [-cr] [-p CPUS] [-m MB] [-s SECONDS] [-t SECONDS] [-a APPEND] [-x OPTIONS] DIR
#   DIR   has initrd; console.log (first serial port) and result (second) are written to it
#   -c    count instructions: one CPU, its clock is the number of instructions executed
#   -r    it may restart: what it has to itself then is its memory
#   -p    CPUs of the guest (2); "2t": they take turns in one thread of this machine
#   -m    memory of the guest
#   -s    kill the guest when both ports have been silent that long
#   -t    kill the guest after that long in any case
#   -a    more for the kernel's command line
#   -x    more for QEMU
#
# The exit status is QEMU's: 0 when the guest has gone by itself (which says nothing about how);
# 124 when it was killed. The guest does not outlive the process KNELL_RUNNER. Never KVM: where
# /dev/kvm is there but does not work, it hangs. An arm64 machine (arch.sh) has knell's device tree node
# (dtb.sh).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"
memory=512 silence=600 total=3600 append='' options='' reboot=-no-reboot
accel='-accel tcg' cpus=2

while getopts crp:m:s:t:a:x: opt; do
	case $opt in
	c)
		accel='-accel tcg,thread=single -icount shift=0,sleep=off'
		cpu=$counting_cpu cpus=1 ;;
	r) reboot='' ;;
	p) cpus=$OPTARG ;;
	m) memory=$OPTARG ;;
	s) silence=$OPTARG ;;
	t) total=$OPTARG ;;
	a) append=$OPTARG ;;
	x) options=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
dir=$1
case $cpus in
*t) accel='-accel tcg,thread=single' cpus=${cpus%t} ;;
esac
image=$("$here/kernel.sh" image)
: >"$dir/console.log"
: >"$dir/result"
if [ "$ARCH" = arm64 ]; then
	"$here/dtb.sh" "$cpus" "$memory" "$dir/machine.dtb"
	options="-dtb $dir/machine.dtb $options"
fi

smp=$cpus
# A kernel without ACPI has its CPUs from a table of which QEMU's firmware makes an entry for each socket.
if [ -n "${KNELL_DEBUG:-}" ]; then
	smp=$cpus,sockets=$cpus append="guest_cpus=$cpus $append"
fi

# shellcheck disable=SC2086 # a list
$qemu -nodefaults $reboot -cpu "$cpu" $accel -smp "$smp" -m "$memory" -display none \
	-monitor none -serial "file:$dir/console.log" \
	-chardev "file,id=result,path=$dir/result" $result_port $options \
	-kernel "$image" -initrd "$dir/initrd" \
	-append "console=$console $append_arch panic=-1 oops=panic panic_on_warn=1 $append" \
	</dev/null >"$dir/qemu.log" 2>&1 &
pid=$!
trap 'kill -KILL $pid 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP

# The guest has died in its own way when it is a zombie of ours.
running()
{
	state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) || return 1
	[ "$state" != Z ]
}

start=$(date +%s)
while running; do
	sleep 1
	kill -0 "${KNELL_RUNNER:-$$}" 2>/dev/null || exit 130
	now=$(date +%s)
	last=$(stat -c %Y "$dir/result" "$dir/console.log" | sort -n | tail -n 1)
	why=
	[ $((now - last)) -lt "$silence" ] || why="silent for $silence s"
	[ $((now - start)) -lt "$total" ] || why="not done after $total s"
	if [ -n "$why" ]; then
		echo "boot: killed: $why" >>"$dir/console.log"
		exit 124
	fi
done
wait $pid && status=0 || status=$?
if [ "$status" -ne 0 ]; then
	cat "$dir/qemu.log" >&2
fi
exit "$status"
