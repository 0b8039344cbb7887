#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knellctl blackbox on images that $BOX_IMAGE writes.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

: >"$dir/fake.err"
image=$dir/image

# box KIND [OPTION...]: what knellctl says of such an image
box()
{
	kind=$1
	shift
	"$BOX_IMAGE" write "$image" "$kind" || fail "no image $kind"
	run blackbox "$@" "$image"
}

test_last_words()
{
	box good
	exits 0
	silent err
	prints '^ *Boot: 3, from Tue 2023-11-14 22:13:20 UTC$'
	prints '^ *Ended: the kernel panicked: Fatal exception$'
	prints '^ *Last word: Tue 2023-11-14 22:14:50 UTC, 1min 30s after it was switched on$'
	prints '^BOOT  TIME  *LABEL  *NAME  *PID  END  *RAN  *CPU  *RSS  *KILLED BY$'
	prints '^   3  Tue .* 22:13:32 UTC  unit12.service  prog12  1012  12  *11s  3ms  2.0M  -$'
	prints '^   2  .* prog5  *1005  SIGSEGV  *4s  3ms  2.0M  pid 99, uid 0$'
	prints_not Torn
	box good -n 2
	[ "$(grep -c prog "$dir/out")" -eq 2 ] || fail "$(cat "$dir/out")"
	prints prog11
	box good --plain
	[ "$(wc -l <"$dir/out")" -eq 8 ] || fail "$(cat "$dir/out")"
}

test_the_same_as_json()
{
	box good --json
	json '.cold == false and .boots == 3 and .reason == "panic" and .text == "Fatal exception"'
	json '.slots == 8 and .torn == 0 and .missed == 0 and .tornHeaders == 0'
	json '[.exits[].seq] == [12, 11, 10, 9, 8, 7, 6, 5]'
	json '.exits[0] | .label == "unit12.service" and .name == "prog12" and .pid == 1012 and
		.status == 12 and .boot == 3 and .uid == 33 and .cpuUsec == 3000 and
		.runUsec == 11000000 and .kind == "tree" and .rssKiB == 2048 and .failure'
	json '.exits[1] | .signal == "SIGSEGV" and .killerPid == 99'
	box few --json
	json '.reason == "reboot" and (.exits | length) == 1'
}

test_what_is_torn_is_counted()
{
	box torn
	exits 0
	prints '^ *Torn: 3 records, which say nothing any more$'
	prints_not 'prog1[012]'
	prints prog9
	box torn --json
	json '.torn == 3 and [.exits[].seq] == [9, 8, 7, 6, 5]'
	box older --json
	json '.tornHeaders == 1 and .reason == "none" and (.exits | length) == 8'
	box older
	prints '^ *Ended: nobody said: it is up, or was reset'
	box no-header
	exits 0
	prints 'There was a header, which is torn'
}

test_cold_ram_is_normal()
{
	box cold
	exits 0
	prints '^Nothing was kept: the RAM was cold.$'
	silent err
	box cold --json
	json '.cold and .boots == 0 and .exits == []'
	box fresh
	exits 0
	prints 'the RAM was cold'
	: >"$image"
	run blackbox "$image"
	exits 0
}

test_other_versions_and_machines()
{
	box swapped
	exits 1
	complains 'a machine of the other byte order'
	box version
	exits 1
	complains 'its version is 9, only 1 is known'
	box absurd
	exits 1
	complains 'sizes that cannot be'
	box later
	exits 0
	prints '^ *Ended: for reason 77, \\x1b\[2J\\xff, which is not known here$'
	prints '^ *Unknown: 1 records of a later kind$'
	box later --json
	json '.reason == "unknown" and .reasonNumber == 77 and .others == 1'
	box many
	exits 0
	prints '^ *Cut off: 992 of 1000 slots are not in the file$'
	prints prog0
}

test_nothing_gets_to_the_terminal()
{
	box hostile
	exits 0
	! LC_ALL=C grep -q '[^ -~]' "$dir/out" || fail "$(cat -v "$dir/out")"
	prints ' signal 64 '
	box hostile --json
	exits 0
	json '(.exits | length) == 8'
}

test_what_is_no_image()
{
	run blackbox /nonexistent
	exits 1
	complains '/nonexistent: No such file or directory'
	[ -e /sys/class/misc/knell/blackbox ] || {
		run blackbox
		exits 1
		complains 'there is no black box'
	}
	run blackbox /dev/zero
	exits 1
	complains 'it has more than 16 MiB'
	run blackbox "$dir"
	exits 1
	run blackbox a b
	exits 2
}

test_images_changed_at_random()
{
	"$BOX_IMAGE" mutate 20000 "${SEED:-1}" >"$dir/out" 2>&1 || fail "$(tail -n 40 "$dir/out")"
}

run_tests
