#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# To be sourced by scripts that take packages of Debian's as files, or a Debian of their own: nothing is
# installed.

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

# What this machine installs from, if that is Debian 12, too.
apt_sources()
{
	grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || return 0
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources; do
		[ ! -s "$file" ] || echo "$file"
	done
}

# apt_tree DIR PACKAGES [OPTION...]: a Debian 12 with these packages, a list in one word, from MIRROR or
# from where this machine has its own. OPTIONs are mmdebstrap's; as root.
apt_tree()
{
	into=$1 list=$2
	shift 2
	# shellcheck disable=SC2086,SC2046 # lists
	mmdebstrap --mode=root --aptopt='Acquire::Retries "3"' --variant=minbase \
		--include="$(echo $list | tr ' ' ,)" --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' "$@" \
		bookworm "$into" ${MIRROR:-$(apt_sources)} </dev/null
}
