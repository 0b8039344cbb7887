#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# That of all that the module imports it is known whether it can fail (imports.table), and that each
# place from which it asks for what can fail is one that the fault build makes fail. Prints TAP.
#
# usage: imports.sh MODULE DIR	(DIR is where the fault build is)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
module=$1 dir=$2
# shellcheck source=selftests/qemu/tap.sh disable=SC1091
. "$here/../qemu/tap.sh"
out=$dir/imports
rm -rf "$out"
mkdir -p "$out"
: >"$out/checks"
: >"$out/console.log"

# Of the symbols in the file $1 those that the table does not have: there are none.
known()
{
	awk 'FNR == NR { known[$1]; next } !($1 in known) { print $1 ": not in imports.table"; bad = 1 }
		END { exit bad }' "$out/table" "$1"
}

not()
{
	! "$@"
}

once()
{
	[ -z "$(cut -d ' ' -f 1 "$out/table" | sort | uniq -d)" ]
}

# A fallible symbol that the fault build takes from the kernel past its wrapper.
wrapped()
{
	awk '$2 ~ /^(null|minus|counted|special)$/ { print $1 }' "$out/table" | sort >"$out/fallible"
	sort "$out/imported" | comm -12 - "$out/fallible" >"$out/wanted"
	nm "$dir/knell.ko" | sed -n 's/.* [Tt] __wrap_//p' | sort | comm -23 "$out/wanted" - >"$out/bare"
	cat "$out/bare"
	[ -s "$out/wanted" ] && [ ! -s "$out/bare" ]
}

awk -f "$here/table.awk" "$here/imports.table" >"$out/table"
nm -u "$module" | awk '{ print $2 }' >"$out/imported"
{ cat "$out/imported"; echo vmalloc_seeded; } >"$out/seeded"
check 'no symbol is in the table twice' once
check 'each import is in the table' known "$out/imported"
check 'one that is not would be seen' not known "$out/seeded"
check 'the fault build has a wrapper for each that can fail' wrapped
check 'and knows from where they are called' [ "$(wc -l <"$dir/sites")" -gt 50 ]
report
