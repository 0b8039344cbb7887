#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Does Documentation/design.rst tell of the tree as it is? Its table of locks, and the picture of
# them, have those that kmod/ declares, no more and no less; each function that it names as ``name()``
# is defined in kmod/ or user/, and in the file that is named beside it, as ``name()`` (``file``);
# each ``kmod/...``, ``user/...`` and the like is there; and figures of four digits and more are those of
# README.md, which has them from the commands that measure.
#
# usage: design-check.sh
# shellcheck disable=SC2016 # backquotes are the page's
set -eu

cd "$(dirname "$0")/.."
page=Documentation/design.rst
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

complain()
{
	echo "$page: $*"
	status=1
}

# "NAME FILE" of each lock, wait queue and locked array, as STRUCT.NAME if it is in a structure.
declared()
{
	awk '
		/^(static )?struct [a-z_]+ \{/ { struct = $1 == "static" ? $3 : $2 }
		/^};?$/ { struct = "" }
		struct != "" && /^\t(raw_)?spinlock_t |^\tstruct mutex |^\twait_queue_head_t / {
			name = $0
			sub(/;.*/, "", name)
			sub(/.*[ \t]/, "", name)
			print struct "." name, FILENAME
		}
		/^(static )?DEFINE_((RAW_)?SPINLOCK|MUTEX|RWLOCK|XARRAY[A-Z_]*|(STATIC_)?SRCU)\(/ ||
		/^(static )?DECLARE_(RWSEM|WAIT_QUEUE_HEAD)\(/ {
			name = $0
			sub(/^[^(]*\(/, "", name)
			sub(/[,)].*/, "", name)
			print name, FILENAME
		}' kmod/*.[ch] | sort
}

# Rows of the table.
told()
{
	sed -n '/^\.\. the locks:/,/^\.\. end of the locks/s/^``\([a-z_.]*\)`` *``\([a-z_./]*\)``.*/\1 \2/p' "$page" |
		sort
}

drawn()
{
	sed -n 's/^<text class="lock".*>\(.*\)<\/text>$/\1/p' Documentation/pictures/locks.svg | sort
}

missing()
{
	# A definition begins a line, or a declarator does.
	grep -o '``[a-z_0-9][a-z_0-9]*()``' "$page" | tr -d '`()' | sort -u | while read -r name; do
		grep -q -E "^[a-z].*\<$name\(" -r kmod user --include='*.[ch]' || echo "there is no $name()"
	done
	# Of two lines, where a line ends between a function and its file.
	tr '\n' ' ' <"$page" | grep -o -E '``[a-z_0-9]+\(\)`` *\(``[a-z_0-9/.]+``\)' | tr -d '`()' |
		while read -r name file; do
		grep -q -s -E "^[a-z].*\<$name\(" "$file" || echo "$file has no $name()"
	done
	grep -o -E '``(kmod|user|selftests|Documentation|\.ci)/[A-Za-z_0-9/.-]*' "$page" | tr -d '`' |
		sort -u | while read -r file; do
		[ -e "$file" ] || echo "there is no $file"
	done
	grep -o -w '[0-9]\{1,3\}\(,[0-9]\{3\}\)\{1,\}' "$page" | sort -u | while read -r figure; do
		grep -q -w -e "$figure" README.md || echo "README.md has no figure $figure"
	done
}

declared >"$work/declared"
told >"$work/told"
drawn >"$work/drawn"
[ -s "$work/declared" ] || complain 'no lock was found in kmod/'
diff "$work/told" "$work/declared" || complain 'its table of locks (<) is not what kmod/ has (>)'
cut -d' ' -f1 "$work/told" | diff "$work/drawn" - || complain 'pictures/locks.svg (<) is not its table (>)'

missing >"$work/missing"
while read -r line; do
	complain "$line"
done <"$work/missing"
exit $status
