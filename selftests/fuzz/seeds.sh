#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Gathers inputs of a format that are elsewhere in the tree.
#
# usage: seeds.sh FORMAT TREE DIR
set -eu

tree=$2
rm -rf "$3"
mkdir -p "$3"
cd "$3"
nr=0

# A file for each line.
lines()
{
	while IFS= read -r line; do
		nr=$((nr + 1))
		printf %s "$line" >"$nr"
	done
}

case $1 in
calendar)
	grep -v '^#' "$tree/selftests/unit/calendar.table" | awk -F '\t' '!seen[$3]++ { print $3 }' | lines ;;
unit)
	find "$tree/demo" "$tree/Documentation" "$tree/selftests" -type f \( -name '*.service' -o \
		-name '*.socket' -o -name '*.timer' -o -name '*.target' \) | LC_ALL=C sort |
		while IFS= read -r file; do
			nr=$((nr + 1))
			cp "$file" "$nr"
		done ;;
esac
