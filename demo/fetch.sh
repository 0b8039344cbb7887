#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Unpacks the real programs of the tour, with all they depend on, from Debian's packages into
# build/debian. Nothing is installed and no package's script runs: for apt, this is the download
# for a system that has nothing yet.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=${KNELL_BUILD:-$top/build}
packages='redis-server nginx dropbear-bin'
debs=$build/debs
tree=$build/debian

[ "$(cat "$tree/packages" 2>/dev/null)" != "$packages" ] || exit 0

download()
{
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --download-only --no-install-recommends \
		-o Dir::State::status="$debs/none" -o Dir::State::extended_states="$debs/none-ext" \
		-o Dir::Cache::archives="$debs" -o Debug::NoLocking=1 -o Acquire::Retries=3 \
		-o APT::Sandbox::User=root install $packages </dev/null
}

echo "demo: fetching $packages (unpacked under build/, not installed)"
rm -rf "$tree"
mkdir -p "$debs/partial" "$tree"
: >"$debs/none"
download >"$debs/log" 2>&1 || { apt-get -q update || true; download >"$debs/log" 2>&1; } || {
	cat "$debs/log" >&2
	exit 1
}
for deb in "$debs"/*.deb; do
	case ${deb##*/} in
	perl*|libperl*) ;;	# only maintainer scripts would want it
	*) dpkg-deb -x "$deb" "$tree" ;;
	esac
done
echo "$packages" >"$tree/packages"
