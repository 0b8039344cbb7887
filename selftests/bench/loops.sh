#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the programs of build/bench/loops, in which libknell is side by side with other event loops:
#   here      timers dispatch pool blocked, with -H: CPU time in nanoseconds, good for ratios
#   counting  all, in a boot whose clock counts instructions (run.sh tells the options)
#   smp       pool -i, in a boot with two CPUs: how often do they interrupt each other?
# Fails if one did; the logs of the boots are in build/guest/all.sh, the last one's.
#
# usage: loops.sh PROGRAM... [-- OPTION...]
#
# There is no static libsystemd: the programs take the libraries of this machine along, beside those
# that the guest may have for others.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
files=$build/guest/loops
lib=/tests/loops/lib
failed='' programs=''

while [ $# -gt 0 ]; do
	[ "$1" != -- ] || { shift; break; }
	programs="$programs $1"
	shift
done

# A program, with its libraries, as /tests/PROGRAM.
pack()
{
	cp "$build/bench/loops/$1" "$files/tests/loops/$1"
	ldd "$build/bench/loops/$1" | sed -n 's/^[^/]*\(\/[^ ]*\) (.*/\1/p' | while read -r so; do
		cp -L "$so" "$files$lib/"
	done
	printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s /tests/loops/%s "$@"\n' \
		$lib $lib "$1" >"$files/tests/$1"
	chmod 755 "$files/tests/$1"
}

guest()
{
	KNELL_GUEST_FILES=$files "$top/selftests/qemu/guest.sh" -l 3600 "$@"
}

here()
{
	printf '\n# %s, on this machine\n' "$1"
	"$build/bench/loops/$1" -H || failed="$failed $1"
}

rm -rf "$files"
mkdir -p "$files$lib"
for program in $programs; do
	pack "$program"
done
for program in $programs; do
	[ $# -gt 0 ] || [ "$program" = children ] || here "$program"
done
# shellcheck disable=SC2086 # a list
guest -c -m 3072 -a "nokaslr tsc=reliable tsc_early_khz=1000000 rcutree.use_softirq=0" \
	"$here/all.sh" $programs -- "$@" || failed="$failed counting"
case " $programs " in
*" pool "*) guest -p 2 -m 1024 "$here/all.sh" pool -- -i || failed="$failed smp" ;;
esac
if [ -n "$failed" ]; then
	printf '\nloops: FAILED:%s\n' "$failed"
	exit 1
fi
