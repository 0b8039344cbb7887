#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The programs of build/bench/loops, in which libknell is side by side with other event loops. Where the
# clock counts instructions run.sh runs them, beside the others, having them packed here. And:
#   here      timers dispatch pool blocked, with -H: CPU time in nanoseconds, good for ratios
#   smp       pool -i, in a boot with two CPUs: how often do they interrupt each other?
# Fails if one did; the log of the boot is in build/guest/all.sh.
#
# usage: loops.sh -p DIR PROGRAM...	packs them for a guest into DIR
#	 loops.sh DIR PROGRAM...	runs them, DIR has them for the guest
#
# There is no static libsystemd: the programs take the libraries of this machine along, beside those
# that the guest may have for others.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
lib=/tests/loops/lib
failed='' pack=''

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

here()
{
	printf '\n# %s, on this machine\n' "$1"
	"$build/bench/loops/$1" -H || failed="$failed $1"
}

smp()
{
	printf '\n# with two CPUs\n'
	KNELL_GUEST_FILES=$files "$top/selftests/qemu/guest.sh" -l 3600 -p 2 -m 1024 "$here/all.sh" \
		pool -- -i || failed="$failed smp"
}

[ "$1" != -p ] || { pack=1; shift; }
files=$1
shift
if [ -n "$pack" ]; then
	mkdir -p "$files$lib"
	for program in "$@"; do
		pack "$program"
	done
	exit 0
fi
for program in "$@"; do
	[ "$program" = children ] || here "$program"
done
case " $* " in
*" pool "*) smp ;;
esac
if [ -n "$failed" ]; then
	printf '\nloops: FAILED:%s\n' "$failed"
	exit 1
fi
