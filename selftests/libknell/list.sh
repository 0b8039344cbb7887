#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lists the programs of the conformance suite as they are run on this machine, where there is only
# the pidfd backend (../host.mk): each in each flavour, what takes longest first.
#
# usage: list.sh OUT
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

out=$1
cd "$(dirname "$0")"

# Tests that a tool cannot carry. Both queue no signals and use up time slices. valgrind 3.19 knows
# neither pidfd_open(2), without which there are only children, nor clone3(2) nor signal 64, reports
# the fault that a test makes on purpose, and loses its stack in a storm of SIGCHLD.
cannot()
{
	case $1 in
	tsan) set -- told_one_by_one should_yield ;;
	plain) set -- told_one_by_one should_yield work_queue the_last_one t31_pid_reused pids_refused \
		somebody_elses faults_end_the_process t30_storm_of_zombies ;;
	*) set -- ;;
	esac
	[ $# -eq 0 ] || printf ' -x %s' "$@"
}

with()
{
	case $1 in
	asan) echo env LIBKNELL_TEST_DIVIDE=4 ;;
	tsan) echo env LIBKNELL_TEST_DIVIDE=10 TSAN_OPTIONS=halt_on_error=1:exitcode=66 ;;
	plain) echo env LIBKNELL_TEST_DIVIDE=20 valgrind -q --error-exitcode=97 --trace-children=yes \
		--leak-check=full --errors-for-leak-kinds=definite,indirect \
		--show-leak-kinds=definite,indirect --fair-sched=try ;;
	esac
}

for flavour in ${FLAVOURS:-plain tsan asan gcov}; do
	for file in *_test.c; do
		name=${file%_test.c}
		# Some are about the kernel's queue alone.
		grep -q -E '^(LOOP_FIXTURE|TEST|FIXTURE)\(' "$file" || continue
		[ "$name" != syscalls ] || [ "$flavour" = gcov ] || continue
		echo "$name-$flavour 240 $(with "$flavour") $out/$flavour/${name}_test -b pidfd$(cannot "$flavour")"
	done
	[ "$flavour" = gcov ] ||
		echo "seeds-$flavour 60 $PWD/seeds/seeds.sh $flavour $(with "$flavour") $out/$flavour/seed"
done
