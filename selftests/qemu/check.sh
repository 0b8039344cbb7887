#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test programs in the guest (boots.sh), and beside it the suites of this machine
# (../host.mk), and counts their results; "N passed, N failed" comes last.
#
# usage: check.sh [-h|-g] [NAME...]	(programs.sh and suites.sh tell what a name selects; none: all)
#   -h   only what runs on this machine
#   -g   only what runs in the guest, and in GUESTS at a time (1), with SIZE seconds of it in each (400)
#
# Two boots of the guest are there at a time (share.awk tells what is in which), and three tests of
# this machine, which wait more than they work and give way to the guests; a suite is built when its
# first test is to be run. What takes longest comes first (costs.sh). What a boot has said comes in
# one piece at its end. Where ARCH is another machine's (arch.sh), or KREL another kernel's, there is
# little but the guests; for ARCH there are four of them. When all of libknell's programs were
# selected, its lines that have run, here or there, are counted.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"
out=$build/check${KREL:+-$KREL}
guest=1 host=1 guests=2
[ -z "$foreign" ] || guests=4
export KNELL_BUILD="$build" KNELL_RUNNER=$$

if [ "${1:-}" = -h ]; then
	shift
	out=$build/check-host
	guest=
elif [ "${1:-}" = -g ]; then
	shift
	host='' guests=${GUESTS:-1}
fi
rm -rf "$out"
mkdir -p "$out/host"
: >"$out/lock"

# What each name selects, here and there; one that selects nothing is a mistake.
select_tests()
{
	: >"$out/programs.all"
	: >"$out/suites.all"
	for name in "$@"; do
		[ -z "$guest" ] || "$here/programs.sh" "$name" >"$out/programs.now"
		[ -z "$host" ] || "$here/suites.sh" ${name:+"$name"} >"$out/suites.now"
		if ! cat "$out"/*.now | grep -q .; then
			echo "check.sh: there is no test ${name:-at all}" >&2
			exit 1
		fi
		[ -z "$host" ] || cat "$out/suites.now" >>"$out/suites.all"
		[ -z "$guest" ] || cat "$out/programs.now" >>"$out/programs.all"
	done
	awk '!seen[$1]++' "$out/programs.all" >"$out/programs"
	awk '!seen[$1]++' "$out/suites.all" >"$out/suites"
}

# A line for each boot in "boots", whose programs are in guest-N/programs.
make_boots()
{
	: >"$out/boots"
	[ -s "$out/programs" ] || return 0
	"$here/guest-root.sh"
	awk -v size="${SIZE:-400}" -v guests="$guests" -f "$here/share.awk" "$here/$costs" \
		"$out/programs" >"$out/shares"
	for nr in $(cut -d ' ' -f 1 "$out/shares" | uniq); do
		mkdir "$out/guest-$nr"
		sed -n "s/^$nr //p" "$out/shares" >"$out/guest-$nr/programs"
		echo "guest-$nr" >>"$out/boots"
	done
}

# The tests of this machine, what takes longest first, otherwise as they come.
make_jobs()
{
	awk 'FNR == NR { cost[$1] = $2; next } { print cost[$1] + 0, $0 }' "$here/$costs" "$out/suites" |
		sort -s -k 1,1nr | cut -d ' ' -f 2- >"$out/jobs"
}

run_all()
{
	xargs -r -P "$guests" -L 1 "$here/job.sh" "$out" <"$out/boots" &
	boots=$!
	xargs -r -P 3 -L 1 "$here/job.sh" "$out" <"$out/jobs" || lost=1
	wait $boots || lost=1
}

# What the boots have said, in one, and in how many of them the kernel complained.
gather()
{
	complaints=0
	: >"$out/result"
	while read -r boot; do
		cat "$out/$boot/result" >>"$out/result"
		complaints=$((complaints + $(cat "$out/$boot/complaints")))
	done <"$out/boots"
}

# What tests of this machine have said that failed, and why those were not run that were not.
show_failed()
{
	while read -r name _; do
		[ ! -e "$out/host/$name" ] ||
			! grep -q '^    not ok\|^END [^ ]* \(exit [^0]\|signal\|timeout\)' "$out/host/$name" ||
			tail -n 100 "$out/host/$name"
	done <"$out/suites"
	for log in "$out"/host/failed-*.log; do
		[ -e "$log" ] || continue
		suite=${log##*/failed-}
		echo "the tests of selftests/${suite%.log} cannot be built:"
		tail -n 40 "$log"
	done
}

# Of libknell's lines. The guest's counts come over its serial port, from libknell/zlines_test.sh.
coverage()
{
	[ -s "$out/programs" ] && [ -z "$foreign${KREL:-}" ] && [ -n "$host" ] || return 0
	all=$(find "$build/selftests" -name 'libknell_*_test*' -perm /111 | wc -l)
	[ "$all" -gt 0 ] && [ "$(grep -c '^libknell_' "$out/programs")" -eq "$all" ] || return 0
	mkdir -p "$out/gcov"
	tr -d '\r' <"$out/result" | sed -n 's/^    # gcda //p' | base64 -d | tar -C "$out/gcov" -x -z || true
	"$here/../libknell/coverage.sh" "$out/gcov" >"$out/coverage" && verdict=ok || verdict='not ok'
	cat "$out/coverage"
	printf 'RUN libknell-coverage 0\n    1..1\n    %s 1 %s\nEND libknell-coverage exit 0 0\n' \
		"$verdict" "$(tail -n 1 "$out/coverage")" >>"$out/result"
	echo libknell-coverage >>"$out/programs"
}

[ $# -gt 0 ] || set -- ''
select_tests "$@"
make_boots
make_jobs
lost=0
: >"$out/costs"
run_all
gather
coverage
while read -r name _; do
	[ ! -e "$out/host/$name" ] || cat "$out/host/$name" >>"$out/result"
done <"$out/suites"
show_failed
echo "logs are in $out"
# shellcheck disable=SC2046 # a list
set -- $(cat "$out/programs" "$out/suites" | awk '{ print $1 }')
[ $((complaints + lost)) -gt 0 ] || "$here/again.sh" "$out" "$@"
COMPLAINTS=$((complaints + lost)) exec "$here/sum.sh" "$out/result" "$@"
