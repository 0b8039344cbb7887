#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds libknell and its conformance suite in each flavour and runs them on this machine, where
# there is only the pidfd backend.
#
# usage: host.sh DIR [NAME...]	(a NAME is that of NAME_test.c; none: all)
# DIR gets "result", as the guest's init writes it (../qemu/init.c), and "programs", the names in it.
# FLAVOURS in the environment: only these of asan tsan plain gcov.
#
#	asan	AddressSanitizer with leak checking, UndefinedBehaviorSanitizer
#	tsan	ThreadSanitizer
#	plain	as it is installed, under valgrind's memcheck
#	gcov	what the guest runs, too: for the coverage
#
# The first three do what is done thousands of times less often (LIBKNELL_TEST_DIVIDE), and syscalls
# is counted only where nobody else makes system calls.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${KNELL_BUILD:-$here/../../build}/libknell-test
limit=$((240 * ${SLOW:-1}))

# Tests that a tool cannot carry. Both queue no signals and use up time slices. valgrind 3.19 knows
# neither pidfd_open(2), without which there are only children, nor clone3(2) nor signal 64, reports
# the fault that a test makes on purpose, and loses its stack in a storm of SIGCHLD.
cannot()
{
	case $1 in
	tsan) printf '%s\n' told_one_by_one should_yield ;;
	plain) printf '%s\n' told_one_by_one should_yield work_queue the_last_one t31_pid_reused \
		pids_refused somebody_elses faults_end_the_process t30_storm_of_zombies ;;
	esac
}

# One program: what it prints goes to $dir/FLAVOUR-NAME.
run_one()
{
	flavour=$2 name=$3
	program=$out/$flavour/${name}_test
	result=$1/$flavour-$name
	# shellcheck disable=SC2046 # a list
	set -- "$program" -b pidfd $(cannot "$flavour" | sed 's/^/-x /')
	case $flavour in
	asan)
		export LIBKNELL_TEST_DIVIDE=4 ASAN_OPTIONS=detect_leaks=1:exitcode=99 \
			UBSAN_OPTIONS=print_stacktrace=1 ;;
	tsan)
		export LIBKNELL_TEST_DIVIDE=10 TSAN_OPTIONS=halt_on_error=1:exitcode=66 ;;
	plain)
		export LIBKNELL_TEST_DIVIDE=20
		set -- valgrind -q --error-exitcode=97 --trace-children=yes --leak-check=full \
			--errors-for-leak-kinds=definite,indirect \
			--show-leak-kinds=definite,indirect --fair-sched=try "$@" ;;
	esac
	"$here/../qemu/record.sh" "host-$flavour-$name" "$limit" "$result.log" "$@" >"$result"
}

# Everything that is to be run, what takes longest first.
list()
{
	for name in "$@"; do
		for flavour in ${FLAVOURS:-plain tsan asan gcov}; do
			[ "$name" != syscalls ] || [ "$flavour" = gcov ] || continue
			echo "$flavour $name"
		done
	done
}

if [ "$1" = -1 ]; then
	shift
	run_one "$@"
	exit
fi

dir=$1
shift
rm -rf "$dir"
mkdir -p "$dir"
cd "$here"
if [ $# -eq 0 ]; then
	for file in *_test.c; do
		set -- "$@" "${file%_test.c}"
	done
fi
# Some are about the kernel's queue alone.
for name in "$@"; do
	shift
	! grep -q -E '^(LOOP_FIXTURE|TEST|FIXTURE)\(' "${name}_test.c" || set -- "$@" "$name"
done
# shellcheck disable=SC2086 # a list
if ! make -j2 --no-print-directory ${FLAVOURS:-asan tsan plain gcov} >"$dir/build.log" 2>&1; then
	tail -n 40 "$dir/build.log" >&2
	printf 'RUN host-build 0\n    1..1\n    not ok 1 the flavours can be built\nEND host-build exit 1 0\n' \
		>"$dir/result"
	echo host-build >"$dir/programs"
	exit
fi
rm -f "$out"/gcov/libknell/*.gcda
list "$@" >"$dir/list"
xargs -P 2 -L 1 "$0" -1 "$dir" <"$dir/list"
: >"$dir/result"
while read -r flavour name; do
	cat "$dir/$flavour-$name" >>"$dir/result"
	echo "host-$flavour-$name" >>"$dir/programs"
done <"$dir/list"
