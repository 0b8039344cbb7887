#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs one program in the guest as if it ran here: its output on stdout, its exit status. 125 if the
# guest went down, or its kernel complained.
#
# usage: guest.sh [-c] [-p CPUS] [-m MB] [-a APPEND] [-l SECONDS] PROGRAM [ARG...]
#   PROGRAM  a static program or shell script of this machine
#   -c -p -m -a see boot.sh
#   -l       how long the program may take in the guest's time, and stay silent in ours (600)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
limit=600 options=
export KNELL_RUNNER=$$

while getopts cp:m:a:l: opt; do
	case $opt in
	c) options="$options -c" ;;
	p) options="$options -p $OPTARG" ;;
	m) options="$options -m $OPTARG" ;;
	a) append=$OPTARG ;;
	l) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
program=${1##*/}
dir=$build/guest/$program

mkdir -p "$build/selftests"
cmp -s "$1" "$build/selftests/$program" || cp "$1" "$build/selftests/$program"
shift
"$here/guest-root.sh"
# shellcheck disable=SC2086 # a list
echo "$program $limit $*" | "$here/run-list.sh" "$dir" $options -s $((limit + 120)) \
	-a "loglevel=5 ${append:-}" | sed -u -n 's/\r$//; s/^    //p'
end=$(sed -n "s/\r$//; s/^END $program \([a-z]*\) \([0-9]*\) .*/\1 \2/p" "$dir/result")
if ! grep -q '^DONE' "$dir/result" || ! "$here/console-clean.sh" "$dir/console.log" >&2; then
	tail -n 40 "$dir/console.log" >&2
	exit 125
fi
case $end in
"exit "*) exit "${end#exit }" ;;
*) echo "guest: $program: $end" >&2; exit 125 ;;
esac
