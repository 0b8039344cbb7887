#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Adds to the guest what examples_test.sh and embed_test.sh run: README.md, the examples, and a Python
# interpreter, as small as it goes, from Debian's packages. These are unpacked under build/ and not
# installed.
#
# usage: examples.sh [DIR]	without DIR only fetches
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
tree=$build/python
debs=$build/debs/python
libs=lib/x86_64-linux-gnu
loader=lib64/ld-linux-x86-64.so.2

# For apt, a system that has nothing yet: all that python3-minimal depends on is downloaded.
download()
{
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --download-only --no-install-recommends \
		-o Dir::State::status="$debs/none" -o Dir::State::extended_states="$debs/none-ext" \
		-o Dir::Cache::archives="$debs" -o Debug::NoLocking=1 -o Acquire::Retries=3 \
		-o APT::Sandbox::User=root install python3-minimal </dev/null
}

fetch()
{
	echo "examples: fetching python3-minimal (unpacked under build/, not installed)"
	rm -rf "$tree" "$tree.new" "$debs"
	mkdir -p "$debs/partial" "$tree.new"
	: >"$debs/none"
	download >"$debs/log" 2>&1 || { apt-get -q update || true; download >"$debs/log" 2>&1; } || {
		cat "$debs/log" >&2
		exit 1
	}
	for deb in "$debs"/*.deb; do
		case ${deb##*/} in
		python3*|libpython3*|libc6_*|libexpat1_*|zlib1g_*) dpkg-deb -x "$deb" "$tree.new" ;;
		esac
	done
	rm -rf "$debs"
	mv "$tree.new" "$tree"
}

# The interpreter, its libraries, and of its modules those that start it and that hear.py imports.
install_python()
{
	python=$(cd "$tree" && echo usr/bin/python3.[0-9]*)
	lib=usr/lib/${python##*/}
	mkdir -p "$1/usr/bin" "$1/$lib/encodings" "$1/$lib/collections" "$1/$lib/lib-dynload" \
		"$1/$libs" "$1/lib64"
	cp "$tree/$python" "$1/usr/bin/python3"
	cp -L "$tree/$loader" "$1/$loader"
	"$tree/$loader" --library-path "$tree/$libs:$tree/usr/$libs" --list "$tree/$python" |
		sed -n 's/.*=> \([^ ]*\) .*/\1/p' | while read -r so; do
		cp -L "$so" "$1/$libs/"
	done
	for module in _collections_abc abc codecs genericpath io keyword operator os posixpath \
		reprlib stat struct collections/__init__ collections/abc encodings/__init__ \
		encodings/aliases encodings/ascii encodings/latin_1 encodings/utf_8; do
		cp "$tree/$lib/$module.py" "$1/$lib/$module.py"
	done
}

# The programs, and what libraries of this machine they need besides those of the interpreter.
install_programs()
{
	mkdir -p "$1/examples/bin"
	for source in "$top"/Documentation/examples/*.c; do
		program=${source##*/}
		program=$build/examples/${program%.c}
		cp "$program" "$1/examples/bin/"
		"/$loader" --list "$program" | sed -n 's/.*=> \([^ ]*\) .*/\1/p'
	done | sort -u | while read -r so; do
		[ -e "$1/$libs/${so##*/}" ] || cp -L "$so" "$1/$libs/"
	done
}

[ -d "$tree" ] || fetch
[ $# -gt 0 ] || exit 0
install_python "$1"
mkdir -p "$1/examples"
cp -r "$top/README.md" "$top"/Documentation/examples/* "$1/examples/"
install_programs "$1"
