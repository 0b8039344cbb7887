#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Adds to the guest what docs_test.sh runs: in /docs, for each page of Documentation that shows commands
# and for README.md's lines to try it with, what they are (commands.awk).
#
# usage: docs.sh DIR
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
docs=$1/docs

# page NAME FILE
page()
{
	mkdir -p "$docs/$1"
	awk -v dir="$docs/$1" -v name="$1" -f "$top/selftests/qemu/commands.awk" "$2"
}

# README.md's ten lines as a page would have them, with what has to be seen of what they print.
ten_lines()
{
	awk '
		/^Ten lines to try/ { on = 1 }
		/^What it can/ { on = 0 }
		!on || !/^    / { next }
		/^    make / { print ".. not run: what it builds is there" }
		{ printf ".. code-block:: console\n\n   # %s\n", substr($0, 5) }
		/ status / { print "   ...Active: active (running)..." }
		/ history/ { print "   ...hello.service...main...SIGKILL..." }
		/ list$/ { print "   ...hello.service...running..." }
		{ print "" }' "$top/README.md"
}

mkdir -p "$docs"
cp "$top/selftests/qemu/same.awk" "$docs"
# What the guides for other supervisors' users show needs those, and is run beside them (selftests/migrate).
for file in $(cd "$top/Documentation" && grep -r -l --include='*.rst' --exclude-dir=migrate \
	'^ *\.\. code-block:: console' . | sort); do
	page "${file#./}" "$top/Documentation/$file"
done
ten_lines >"$docs/ten-lines"
page ten-lines-of-README.md "$docs/ten-lines"
