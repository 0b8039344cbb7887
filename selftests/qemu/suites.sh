#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lists the tests that run on this machine, one a line: "host-SUITE-TEST SECONDS COMMAND...", SLOW
# times as many seconds where that is set. ../host.mk tells what a suite is.
#
# usage: suites.sh [NAME...]
# Where ARCH says that another machine than this one is to be tested (arch.sh), only those are
# listed that boot machines of their own, of that kind too: "archs := ARCH..." in their Makefile.
#
# A NAME selects the suite of that name, or, as SUITE_TEST, that test and all whose names begin with
# TEST- or TEST_; none: all.
set -eu

selftests=$(cd "$(dirname "$0")/.." && pwd)
build=${KNELL_BUILD:-$(cd "$selftests/.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$selftests/qemu/arch.sh"

# These know one kernel.
[ -z "${KREL:-}" ] || exit 0
for makefile in "$selftests"/*/Makefile; do
	grep -q '^list:' "$makefile" || continue
	[ -z "$foreign" ] || grep -q "^archs := .*\<$ARCH\>" "$makefile" || continue
	suite=${makefile%/Makefile}
	suite=${suite##*/}
	# What make was told that has called this is no business of the suite's.
	tests=$(MAKEFLAGS='' make -s --no-print-directory -C "$selftests/$suite" build="$build" list)
	printf '%s\n' "$tests" | awk -v suite="$suite" -v slow="${SLOW:-1}" -v names="$*" '
		function selected(test, i)
		{
			for (i = 1; i <= some; i++)
				if (index(test "_", name[i] "_") == 1 || index(test "-", name[i] "-") == 1)
					return 1
			return !some
		}

		BEGIN { some = split(names, name, " ") }
		selected(suite "_" $1) { $1 = "host-" suite "-" $1; $2 *= slow; print }'
done
