#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the test programs in the guest (boots.sh), and beside it the suites of this machine
# (../host.mk), and counts their results; "N passed, N failed" comes last.
#
# usage: check.sh [-h] [NAME...]	(programs.sh and suites.sh tell what a name selects; none: all)
#   -h   only what runs on this machine
#
# Three things are done at a time, for most of them wait more than they work; the guest is one of
# them for as long as it takes. When all of libknell's programs were selected, its lines that have
# run, here or there, are counted.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
out=$build/check
guest=1
export KNELL_BUILD="$build" KNELL_RUNNER=$$

if [ "${1:-}" = -h ]; then
	shift
	out=$build/check-host
	guest=
fi
rm -rf "$out"
mkdir -p "$out/host"

# What each name selects, here and there; one that selects nothing is a mistake.
select_tests()
{
	: >"$out/programs.all"
	: >"$out/suites.all"
	for name in "$@"; do
		[ -z "$guest" ] || "$here/programs.sh" "$name" >"$out/programs.now"
		"$here/suites.sh" ${name:+"$name"} >"$out/suites.now"
		if ! cat "$out"/*.now | grep -q .; then
			echo "check.sh: there is no test ${name:-at all}" >&2
			exit 1
		fi
		cat "$out/suites.now" >>"$out/suites.all"
		[ -z "$guest" ] || cat "$out/programs.now" >>"$out/programs.all"
	done
	awk '!seen[$1]++' "$out/programs.all" >"$out/programs"
	awk '!seen[$1]++' "$out/suites.all" >"$out/suites"
}

# The tests of a suite that cannot be built are not run, so they have failed.
build_suites()
{
	cp "$out/suites" "$out/jobs"
	sed 's/^host-\([^-]*\)-.*/\1/' "$out/suites" | sort -u | while read -r suite; do
		MAKEFLAGS='' make -s -j2 --no-print-directory -C "$here/../$suite" build="$build" host \
			>"$out/host/build-$suite.log" 2>&1 </dev/null && continue
		echo "the tests of selftests/$suite cannot be built:"
		tail -n 40 "$out/host/build-$suite.log"
		sed -i "/^host-$suite-/d" "$out/jobs"
	done
	if [ -s "$out/programs" ]; then
		"$here/guest-root.sh"
		sed -i '1i guest' "$out/jobs"
		[ -s "$out/jobs" ] || echo guest >"$out/jobs"
	fi
}

# What tests of this machine have said that failed.
show_failed()
{
	while read -r name _; do
		[ ! -e "$out/host/$name" ] ||
			! grep -q '^    not ok\|^END [^ ]* \(exit [^0]\|signal\|timeout\)' "$out/host/$name" ||
			tail -n 100 "$out/host/$name"
	done <"$out/suites"
}

# Of libknell's lines. The guest's counts come over its serial port, from libknell/zlines_test.sh.
coverage()
{
	[ -s "$out/programs" ] || return 0
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
build_suites
: >"$out/result"
echo 0 >"$out/complaints"
lost=0
xargs -r -P 3 -L 1 "$here/job.sh" "$out" <"$out/jobs" || lost=1
coverage
while read -r name _; do
	[ ! -e "$out/host/$name" ] || cat "$out/host/$name" >>"$out/result"
done <"$out/suites"
show_failed
echo "logs are in $out"
# shellcheck disable=SC2046 # a list
COMPLAINTS=$(($(cat "$out/complaints") + lost)) exec "$here/sum.sh" "$out/result" \
	$(cat "$out/programs" "$out/suites" | awk '{ print $1 }')
