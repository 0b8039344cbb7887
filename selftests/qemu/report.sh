#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # the script has it
# To be sourced by scripts that try one thing after the other and tell of each as they go; $nr is how
# many there have been, and $dir a directory of theirs.

# report NAME COMMAND [ARG...]: one line of TAP
report()
{
	what=$1
	shift
	nr=$((nr + 1))
	if "$@" >"$dir/said" 2>&1; then
		echo "ok $nr $what"
	else
		sed 's/^/# /' "$dir/said"
		echo "not ok $nr $what"
	fi
}
