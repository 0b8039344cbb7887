#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One machine that goes down five times, by reboot(2), by a panic, by a panic amid a death whose
# records are queued and not written yet (last_word/), by its reset button amid a storm of deaths, and
# for good, and what its black box says of that each time. init is what runs in it.
#
# usage: boot.sh DIR	(DIR has initrd.blackbox; prints TAP, the machine's logs are in DIR/machine)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
# shellcheck source=selftests/qemu/tap.sh disable=SC1091
. "$qemu/tap.sh"
export KNELL_RUNNER="${KNELL_RUNNER:-$$}"
# 64 KiB amid the memory of the guest.
base=0x10000000

# box WHAT N FILTER: is it so of what the guest has told of its box?
box()
{
	tr -d '\r' <"$out/result" | sed -n "s/^$1 $2 //p" | head -n 1 >"$out/$1.$2.json"
	jq -e "$3" "$out/$1.$2.json" || { echo "$1 $2: not $3"; return 1; }
}

# says WHAT N PATTERN: is that a line of what knellctl has said of it in words?
says()
{
	tr -d '\r' <"$out/result" | sed -n "s/^$1.text $2 //p" >"$out/$1.$2.text"
	grep -q -e "$3" "$out/$1.$2.text" && return
	cat "$out/$1.$2.text"
	echo "$1 $2: no line $3"
	return 1
}

# Waits for a line of the second port while the machine is there.
await()
{
	while kill -0 "$boot" 2>/dev/null; do
		! grep -a -q -e "$1" "$out/result" || return 0
		sleep 1
	done
	return 1
}

run()
{
	ln "$dir/initrd.blackbox" "$out/initrd"
	mkfifo "$out/keys.in" "$out/keys.out"
	: >"$out/result"
	"$qemu/boot.sh" -r -s 300 -t 900 -a "loglevel=5 memmap=64K\$$base" \
		-x "-chardev pipe,id=keys,path=$out/keys -mon keys" "$out" &
	boot=$!
	# Whatever record is being written.
	await '^storm' && echo system_reset >"$out/keys.in"
	wait $boot && status=0 || status=$?
	rm -f "$out/initrd" "$out/keys.in" "$out/keys.out"
}

# The panics are what was asked for; each ends with the next boot.
complaints()
{
	sed -e '/sysrq: Trigger a crash/,/Linux version/d' \
		-e '/not syncing: amid a death/,/Linux version/d' "$out/console.log" >"$out/console.rest"
	"$qemu/console-clean.sh" "$out/console.rest"
}

# What knellctl tells of the same to people.
in_words()
{
	check 'cold RAM, in words' says found 0 '^Nothing was kept: the RAM was cold\.$'
	check 'a restart' says found 1 '^ *Ended: it was restarted$'
	check 'who has ended, and how' says found 1 \
		'^ *1  .* UTC  one\.service  first  *[0-9]*  3  .* -$'
	check 'who was killed, and by whom' says found 1 \
		'^ *1  .* UTC  two\.service  second  *[0-9]*  SIGKILL  .* pid [0-9]*, uid 0$'
	check 'a panic' says found 2 '^ *Ended: the kernel panicked: sysrq triggered crash$'
	check 'the panic amid a death' says found 3 \
		'^ *Ended: the kernel panicked: amid a death, interrupts off$'
	check 'whose it was' says found 3 '^ *3  .* UTC  last\.service  *last  *[0-9]*  SIGKILL '
	check 'no word' says found 4 '^ *Ended: nobody said: it is up, or was reset, hung or lost power$'
	check 'a torn record' says torn 4 '^ *Torn: 1 records, which say nothing any more$'
	check 'both headers torn' says cold 4 '^Nothing was kept: the RAM was cold\.$'
}

look()
{
	tr -d '\r' <"$out/result" | grep -E '^(not )?ok ' >"$out/tap" || true
	check 'the machine ends by itself' [ "$status" -eq 0 ]
	check 'the kernel does not complain' complaints
	check 'the first boot finds nothing' box found 0 '.boots == 0 and .cold and .exits == []'
	check 'what happens is told while it is up' box live 0 '.boots == 1 and .reason == "none" and
		[.exits[].label] == ["two.service", "one.service"]'
	check 'the second finds the first' box found 1 '.boots == 1 and .reason == "reboot" and .torn == 0'
	check 'how each has ended' box found 1 '[.exits[] |
			[.seq, .boot, .label, .name, .status, .signal]] ==
		[[2, 1, "two.service", "second", null, "SIGKILL"], [1, 1, "one.service", "first", 3, null]]'
	check 'who has killed whom, and when' box found 1 '.exits[0].killerPid > 1 and
		.exits[0].killerPid < .exits[0].pid and .exits[0].uid == 0'
	check 'the third finds the panic' box found 2 '.boots == 2 and .reason == "panic" and
		.text == "sysrq triggered crash" and .torn == 0'
	check 'and the exits of both boots' box found 2 '[.exits[] | select(.label != "")] |
		[.[].boot] == [2, 1, 1] and .[0].name == "third" and .[0].status == 7'
	check 'the fourth finds the panic amid a death' box found 3 '.boots == 3 and .torn == 0 and
		.reason == "panic" and .text == "amid a death, interrupts off"'
	check 'which has written what was queued' box found 3 '[.exits[] | select(.boot == 3)] |
		([.[] | [.kind, .label, .name, .signal]] | sort) == [
		(["process", "", "last", "SIGKILL"] | ., ., .), ["tree", "last.service", "last", "SIGKILL"]]'
	check 'of one death, one after the other' box found 3 '[.exits[] | select(.boot == 3)] |
		([.[].pid] | unique | length) == 1 and .[0].seq - .[3].seq == 3'
	check 'the fifth finds no reason' box found 4 '.boots == 4 and .reason == "none"'
	check 'and is full of the storm' box found 4 '.slots == 62 and (.exits | length) + .torn == 62 and
		.torn <= 1 and ([.exits[] | select(.boot == 4)] | length) >= 61'
	check 'without a gap' box found 4 '[.exits[].seq] | (.[0] - .[-1]) <= 62'
	check 'a byte of a record makes it torn' box torn 4 '.torn == 1 and .boots == 5 and
		.reason == "unloaded" and (.exits | length) == .slots - 1'
	check 'one of the newest header, the older one stands' box header 4 '.tornHeaders == 1 and
		.boots == 5 and .reason == "none"'
	check 'one of both, the RAM is cold' box cold 4 '.boots == 0 and .cold and .exits == []'
	in_words
	check 'the guest came to its end' [ "$(grep -c '^asked' "$out/result")" -eq 3 ]
}

[ $# -eq 1 ] || { echo "usage: boot.sh DIR" >&2; exit 2; }
dir=$(cd "$1" && pwd)
out=$dir/machine
rm -rf "$out"
mkdir "$out"
: >"$out/checks"
run
look
report
