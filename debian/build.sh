#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the packages into DIR, from a copy of the tree as git knows it, with what is not committed
# yet; where there is no git, of all but build/.
#
# All of them can be installed at once, by "*.deb": what debuggers want is left out, if DEB_BUILD_OPTIONS
# does not say otherwise.
#
# usage: build.sh DIR
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
[ $# -eq 1 ] || { echo "usage: build.sh DIR" >&2; exit 2; }
rm -rf "$1"
mkdir -p "$1/knell"
dir=$(cd "$1" && pwd)

cd "$top"
if [ -e .git ]; then
	git ls-files -z --cached --others --exclude-standard >"$dir/files"
else
	find . -path ./build -prune -o ! -type d -print0 >"$dir/files"
fi
tar -c --null --ignore-failed-read -T "$dir/files" | tar -x -C "$dir/knell"
rm "$dir/files"
cd "$dir/knell"
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-noautodbgsym}"
dpkg-buildpackage --no-sign
