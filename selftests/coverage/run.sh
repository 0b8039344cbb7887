#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs test programs of the guest on the module's coverage build, in a build directory of its own that
# has links to all else. KDIR and KERNEL are those of another kernel than Debian's.
#
# usage: run.sh DIR NAME...	(programs.sh); what check.sh says there, and its exit status
# With DOWN=1 a machine goes down beside them; what down.sh says is in DIR/down.said.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/build
out=$1
shift

make -s --no-print-directory -C "$here" build="$build" out="$out" module
rm -rf "$out/selftests"
mkdir -p "$out/selftests"
for path in "$build"/*; do
	case ${path##*/} in
	coverage*|selftests|fault|check*|guest*) ;;
	*) ln -sfn "$path" "$out/${path##*/}" ;;
	esac
done
for source in "$here"/../*_test.c "$here"/../*_test.sh "$here"/../*_helper.c; do
	program=${source##*/}
	program=${program%.c}
	case $program in
	knelld_*|knellctl_*|embed_*|examples_*) ;;
	*) ln -s "$build/selftests/$program" "$out/selftests/$program" ;;
	esac
done
ln -s "$out/device_fuzz_test" "$out/selftests/"
export GUESTS="${GUESTS:-3}" SIZE="${SIZE:-200}"
export KNELL_BUILD="$out" KNELL_MODULE="$out/fault/knell.ko" KNELL_GUEST_FILES="$out/files"
rm -f "$out/down.said"
[ -z "${DOWN:-}" ] || KNELL_RUNNER=$$ "$here/down.sh" "$out" >"$out/down.said" 2>&1 &
"$here/../qemu/check.sh" -g "$@" && status=0 || status=$?
wait
exit "$status"
