#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# How many of libknell's lines the suite has run: here, and in the guest if its .gcda files are in
# DIR. Both ran the same objects.
#
# usage: coverage.sh [DIR]
# Prints a line for each file and "libknell: N.N % of N lines"; fails below 90.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
objects=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}/libknell-test/gcov/libknell
source=$(cd "$here/../../user/libknell" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

annotate()
{
	for notes in "$objects"/*.gcno; do
		name=$(basename "$notes" .gcno)
		[ -e "$source/$name.c" ] || continue
		# Without a .gcda all of its lines count as not run.
		mkdir -p "$work/$1"
		cp "$notes" "$work/$1/"
		[ ! -e "$2/$name.gcda" ] || cp "$2/$name.gcda" "$work/$1/"
		(cd "$work/$1" && gcov -t -o . "$name.gcno" 2>/dev/null) >>"$work/lines"
	done
}

annotate host "$objects"
if [ $# -gt 0 ]; then
	guest=$(find "$1" -name '*.gcda' -path '*/gcov/libknell/*' -print -quit)
	[ -z "$guest" ] || annotate guest "$(dirname "$guest")"
fi
awk -F: -v source="$source/" '
$2 ~ /^ *0$/ && $3 == "Source" {
	file = $4
	ours = index(file, source) == 1 && file ~ /\.c$/
	sub(".*/", "", file)
	next
}
ours && $2 + 0 > 0 {
	count = $1
	gsub(/[ *]/, "", count)
	if (count == "-")
		next
	line[file, $2 + 0] += count + 0 > 0
	seen[file] = 1
}
END {
	for (key in line) {
		split(key, part, SUBSEP)
		all[part[1]]++
		run[part[1]] += line[key] > 0
		lines++
		covered += line[key] > 0
	}
	for (file in seen)
		printf "%5.1f %% of %4d lines: %s\n", 100 * run[file] / all[file], all[file], file | "sort -n"
	close("sort -n")
	if (!lines)
		lines = 1
	printf "libknell: %.1f %% of %d lines\n", 100 * covered / lines, lines
	exit covered < 0.9 * lines
}' "$work/lines"
