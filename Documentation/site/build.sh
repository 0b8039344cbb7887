#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes HTML of Documentation/ and of what is generated: the interfaces' pages out of the headers'
# kernel-doc, by the kernel's own scripts/kernel-doc, and the manual, by mandoc. A warning or a dead
# link (links.py) is a failure.
#
# usage: build.sh DIR	(emptied; DIR-source has what Sphinx has read)
set -eu

: "${1:?usage: build.sh DIR}"
top=$(cd "$(dirname "$0")/../.." && pwd)
out=$1 source=$1-source
kernel_doc=/usr/lib/linux-kbuild-$(KREL='' "$top/selftests/qemu/kernel.sh" series)/scripts/kernel-doc
KNELL_VERSION=$(cat "$top/VERSION")
export KNELL_VERSION

# in_order HEADER: of what is on standard input each entry where the header declares it
in_order()
{
	awk '
		FNR == NR {
			name = $0
			if (sub(/^(\/\*| )\* (struct |enum )?/, "", name) && name ~ /^[a-z_0-9]+ - /)
				at[substr(name, 1, index(name, " ") - 1)] = FNR
			if (/^struct [a-z_0-9]+;|^typedef .*[a-z]\(/ && match($0, /[a-z_0-9]+[;(]/) &&
			    !(substr($0, RSTART, RLENGTH - 1) in at))
				at[substr($0, RSTART, RLENGTH - 1)] = FNR
			next
		}
		/^\.\. c:/ {
			name = $0
			sub(/^\.\. c:[a-z]+:: /, "", name)
			sub(/ ?\(.*/, "", name)
			sub(/.*[ *]/, "", name)
			line = at[name]
		}
		{ printf "%d %d %s\n", line, FNR, $0 }' "$1" - | sort -n -k 1,1 -k 2,2 | cut -d ' ' -f 3-
}

# documented HEADER: its kernel-doc as reStructuredText, with what that leaves out. KNELL_API is no part
# of a function's type, and that a union has no name does not have to be said.
documented()
{
	header=$source/generated/${1##*/}
	sed 's/^KNELL_API //' "$top/$1" >"$header"
	# Its own version of Sphinx it would ask sphinx-build for, which may be another's.
	perl "$kernel_doc" -rst -Werror -sphinx-version "$sphinx" "$header" >"$header.all"
	awk -f "$top/Documentation/site/one-line.awk" "$top/$1" >>"$header.all"
	awk '/^``{unnamed_(union|struct)}``/ { skip = 3 } skip-- > 0 { next } { skip = 0; print }' \
		"$header.all" | in_order "$header" >"$header.rst"
	[ -s "$header.rst" ]
}

# manual PAGE: that of the manual, as a page here. Its headings are below the page's own; what it refers
# to is a link, if it is here.
manual()
{
	name=${1##*/}
	title="${name%.*}(${name##*.}): $(sed -n 's/^\.Nd //p' "$1")"
	{
		printf '%s\n' "$title" "$title" | sed '2s/./=/g'
		printf '\n.. raw:: html\n\n'
		mandoc -T html -O fragment "$1" | sed -z -f "$source/generated/manual.sed" | sed 's/^/   /'
	} >"$source/man/$name.rst"
}

manuals()
{
	{
		printf '%s\n' 's|<\(/*\)h2\>|<\1h3|g; s|<\(/*\)h1\>|<\1h2|g'
		for page in "$top"/Documentation/man/*.[0-9]; do
			name=${page##*/} section=${page##*.}
			title="${name%.*}($section)"
			echo "s|<a class=\"Xr\">$title</a>|<a class=\"Xr\" href=\"$name.html\">$title</a>|g"
		done
	} >"$source/generated/manual.sed"
	for page in "$top"/Documentation/man/*.[0-9]; do
		manual "$page"
	done
}

# declared PAGE HEADER: is all that the header declares on the page?
declared()
{
	sed -n -e 's/^KNELL_API [^(]*[ *]\([a-z_0-9]*\)(.*/\1/p' -e 's/^typedef [^(]*[ *]\([a-z_0-9]*\)(.*/\1/p' \
		-e 's/^struct \([a-z_0-9]*\)\( {\|;\).*/\1/p' "$top/$2" |
		while read -r name; do
			grep -q "id=\"c\.\(libknell\.\)\?$name\"" "$out/$1.html" ||
				echo "$2: $name is not on the page $1.html"
		done
}

rm -rf "$out" "$source"
mkdir -p "$source" "$out"
cp -r "$top/Documentation/." "$source"
mkdir -p "$source/generated"
sphinx=$(/usr/bin/python3 -c 'import sphinx; print(sphinx.__version__)')
for header in kmod/uapi/linux/knell.h kmod/uapi/linux/knell_blackbox.h user/libknell/knell.h; do
	case $header in kmod/*) rename=uapi_ ;; *) rename= ;; esac
	documented "$header"
	for file in "${header##*/}" "${header##*/}.rst"; do
		[ -z "$rename" ] || mv "$source/generated/$file" "$source/generated/$rename$file"
	done
done
manuals

# All that it has to complain of, by the names that its files have in the tree.
status=0
/usr/bin/python3 -m sphinx -b html -q -W --keep-going -c "$top/Documentation/site" \
	-d "$source/.doctrees" "$source" "$out" >"$source/log" 2>&1 || status=$?
sed "s|$source/|Documentation/|g" "$source/log"
for page in uapi:kmod/uapi/linux/knell.h uapi:kmod/uapi/linux/knell_blackbox.h libknell:user/libknell/knell.h; do
	declared "${page%%:*}" "${page#*:}"
done >"$source/missing"
cat "$source/missing"
[ ! -s "$source/missing" ] || status=1
/usr/bin/python3 "$top/Documentation/site/links.py" "$out" "$top" || status=1
exit $status
