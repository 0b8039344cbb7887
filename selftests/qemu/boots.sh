#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test programs that DIR/programs lists (programs.sh) in the guest.
#
# usage: boots.sh DIR
# DIR gets "result", what init.c says of them, and "complaints": in how many boots the kernel had any.
#
# All programs that want as many CPUs run in one boot. When the guest goes down, the program it was
# running has failed and another boot goes on with the next one. Nothing passes but by the file of
# the second serial port, which has to be complete (DONE), and a complaint of the kernel fails the
# run. The freed memory checks of the stock kernel are on: SLUB's for our own caches and those that
# we hold references in; so is KFENCE, where the kernel has it. 64 KiB are kept from it, for a black box.
# An emulator has no speculation to be kept from, and pays for what keeps it away with each jump.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=$1
append="loglevel=5 mitigations=off page_poison=1 slub_debug=FZPU memmap=64K\$0x10000000"
append="$append kfence.sample_interval=10 ${FULL:+FULL=$FULL} ${FEWER:+FEWER=$FEWER} ${APPEND:-}"

# Runs what is listed in $out/left and leaves there what was not reached.
boot_once()
{
	dir=$out/boot-$1
	cpus=$(awk 'NR == 1 { print $3 }' "$out/left")
	awk -v cpus="$cpus" '$3 == cpus' "$out/left" >"$out/now"
	awk -v cpus="$cpus" '$3 != cpus' "$out/left" >"$out/next"
	silence=$(awk '$2 > max { max = $2 } END { print max + 120 }' "$out/now")
	awk '{ print $1, $2 }' "$out/now" |
		"$here/run-list.sh" "$dir" -p "$cpus" -s "$silence" -t $((3600 * ${SLOW:-1})) -m "${MEMORY:-512}" -a "$append" ||
		echo "boot $1: not ended by itself"
	cat "$dir/result" >>"$out/result"
	if ! "$here/console-clean.sh" "$dir/console.log" >"$dir/complaints"; then
		complaints=$((complaints + 1))
		echo "boot $1: the kernel complained ($dir/console.log):"
		cat "$dir/complaints"
	fi
	if grep -q '^DONE' "$dir/result"; then
		mv "$out/next" "$out/left"
		return
	fi
	echo "boot $1: did not get to its end; its console says last:"
	tail -n 60 "$dir/console.log"
	# A boot that got nowhere would get nowhere again.
	last=$(sed -n 's/^RUN \([^ ]*\) .*/\1/p' "$dir/result" | tail -n 1)
	[ -n "$last" ] || : >"$out/next"
	awk -v last="$last" 'found { print } $1 == last { found = 1 }' "$out/now" >"$out/left"
	cat "$out/next" >>"$out/left"
}

cp "$out/programs" "$out/left"
: >"$out/result"
complaints=0
nr=1
while [ -s "$out/left" ]; do
	boot_once $nr
	nr=$((nr + 1))
done
echo "$complaints" >"$out/complaints"
