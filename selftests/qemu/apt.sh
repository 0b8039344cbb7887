#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# To be sourced by scripts that take packages of Debian's as files: nothing is installed.

# apt_download DIR PACKAGE...: of this machine's archives, into a directory. Package lists may be absent
# or old: the first failure is answered by getting new ones.
apt_download()
{
	into=$1
	shift
	(cd "$into" && { apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@" ||
		{ apt-get -q update || true
		apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@"; }; }) </dev/null
}

# apt_apart DIR COMMAND [ARG...]: apt-get or apt-cache with lists, a state and a cache of its own, in
# DIR, for another architecture or another Debian. What dpkg knows stays as it is.
apt_apart()
{
	apart=$1 command=$2
	shift 2
	mkdir -p "$apart/state/lists/partial" "$apart/cache/archives/partial"
	[ -e "$apart/state/status" ] || : >"$apart/state/status"
	"$command" -q -o Dir::State="$apart/state" -o Dir::State::status="$apart/state/status" \
		-o Dir::Cache="$apart/cache" -o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Sandbox::User=root \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@" </dev/null
}
