#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs what of "make check" runs in a guest on the debug kernels, one after the other; what they have
# to tell fails the run, whatever the tests say (../qemu/console-clean.sh). "N passed, N failed" comes last.
#
# usage: check.sh [NAME...]	(none: all; TESTS of the Makefile)
#
# In the environment: KINDS, which kernels (files of config/); SEEDS, anything: instead, that each of
# their detectors detects (seeds.sh); MEMORY, APPEND, SLOW as for "make check".
#
# Of what stops a machine, the kernel for races does not stop for a warning: it has its own races to tell.
# For its sake only the module's count, so nothing is lost: any warning taints, and fails the test.
# It waits a millisecond for the other one of two accesses, and that a fifth as often: an emulator's
# processors take turns, and 80 us may pass without one. SLUB's own poison is left out, for KASAN is
# there; "A" lets fault_test starve trees. Page tables have four levels: while 6.1 asks its first CPU
# again what it can, it does not know of a fifth, and KASAN takes whatever an interrupt then touches
# for wild. A fork bomb may keep a worker waiting for half a minute there, which by itself is no lockup:
# the watchdog of work queues is as patient as the tests. And tinyconfig is content with 4096 pids, of which
# storms would see each again and again.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
passed=0 failed=0 skipped=0
mkdir -p "$top/build/debug"

append_for()
{
	common='sysctl.kernel.pid_max=32768 workqueue.watchdog_thresh=150'
	case $1 in
	memory) echo "$common slub_debug=-;A,knell_member no5lvl" ;;
	races) echo "$common slub_debug=- panic_on_warn=0 kcsan.udelay_task=1000 kcsan.skip_watch=20000" ;;
	esac
}

run()
{
	export KNELL_DEBUG="$1" KDIR="$2" KERNEL="$2/arch/x86/boot/bzImage"
	shift 2
	export MEMORY="${MEMORY:-1536}" KNELL_BUILD="$top/build/debug"
	append="$(append_for "$KNELL_DEBUG") ${APPEND:-}"
	if [ -n "${SEEDS:-}" ]; then
		APPEND=$append "$here/seeds.sh" "$KNELL_DEBUG" "$KDIR"
	else
		make -C "$top" --no-print-directory check TESTS="$*" APPEND="$append"
	fi
}

for kind in ${KINDS:-memory races}; do
	dir=$("$here/kernel.sh" "$kind")
	log=$top/build/debug/$kind.log
	echo "debug: $kind: $dir"
	{ run "$kind" "$dir" "$@" 2>&1; echo $? >"$log.status"; } | tee "$log"
	said=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)*$/\1 \2 \4/p' "$log" |
		tail -n 1)
	# shellcheck disable=SC2086 # two numbers or three
	set -- $said -- "$@"
	if [ "$1" = -- ]; then
		echo "debug: $kind: got to no end"
		failed=$((failed + 1))
	else
		passed=$((passed + $1)) failed=$((failed + $2))
		[ "$3" = -- ] || skipped=$((skipped + $3))
	fi
	while [ "$1" != -- ]; do shift; done
	shift
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
