#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes the table of Documentation/security.rst out of the subjects of selftests/security_fixture.h and
# the acts of security_own_test.c and security_others_test.c, which have a test for each of its cells.
#
# usage: security-table.sh [--check]	(with it nothing is written: do they agree?)
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
page=$top/Documentation/security.rst
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '
function rule(n, i, text)
{
	for (i = 0; i <= n; i++) {
		text = sprintf("%*s", width[i], "")
		gsub(/ /, "=", text)
		printf "%s%s", text, i < n ? "  " : "\n"
	}
}
function put(i, text)
{
	cell[rows + 0, i] = text
	if (length(text) > width[i])
		width[i] = length(text)
}
/^\t{ "/ && !rows || /^\t{ "/ && heads {
	split($0, part, "\"")
	heads++
	put(heads, part[2])
}
/^#define SUBJECTS/ {
	put(0, "Act")
	columns = heads
	heads = 0
	rows = 1
}
/^ACT\(/ {
	split($0, part, "\"")
	put(0, part[2])
	getline
	split($0, part, "\"")
	n = split(part[2], word, " ")
	if (n != columns) {
		print FILENAME ":" FNR ": " n " cells, expected " columns >"/dev/stderr"
		exit failed = 1
	}
	for (i = 1; i <= n; i++)
		put(i, word[i])
	rows++
}
END {
	if (failed || rows < 2)
		exit 1
	for (r = 0; r < rows; r++) {
		if (r < 2)
			rule(columns)
		for (i = 0; i <= columns; i++)
			printf i < columns ? "%-" width[i] "s  " : "%s\n", cell[r, i]
	}
	rule(columns)
}
' "$top/selftests/security_fixture.h" "$top/selftests/security_own_test.c" \
	"$top/selftests/security_others_test.c" >"$work/table"

awk -v table="$work/table" '
/^\.\. end of the table/ { skip = 0 }
!skip { print }
/^\.\. the table:/ {
	print ""
	while ((getline line <table) > 0)
		print line
	print ""
	skip = 1
}
' "$page" >"$work/security.rst"

if [ "${1:-}" != --check ]; then
	cp "$work/security.rst" "$page"
elif ! diff -u "$page" "$work/security.rst"; then
	echo "Documentation/security.rst is not what selftests/security_*_test.c say: Documentation/security-table.sh" >&2
	exit 1
fi
