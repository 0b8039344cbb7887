#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the guest: runs the programs named, all of them though one fails; fails if one did.
#
# usage: all.sh PROGRAM... [-- OPTION...]	the options are for each of them
programs=
while [ $# -gt 0 ]; do
	[ "$1" != -- ] || { shift; break; }
	programs="$programs $1"
	shift
done
failed=
printf '# kernel %s, %s\n' "$(uname -r)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
for program in $programs; do
	printf '\n# %s\n' "$program"
	"/tests/$program" "$@" || failed="$failed $program"
done
if [ -n "$failed" ]; then
	printf '\nbench: failed:%s\n' "$failed"
	exit 1
fi
printf '\nbench: all bounds met\n'
