# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh disable=SC2154
# To be sourced by scripts that boot a machine and look at what it has left in $out: they add to what
# is in $out/tap already, and tell all of it in TAP, with what explains it if anything failed.

# check TEXT COMMAND...: a line of the result
check()
{
	text=$1
	shift
	if "$@" >>"$out/checks" 2>&1; then
		echo "ok $text" >>"$out/tap"
	else
		echo "not ok $text" >>"$out/tap"
	fi
}

# The end of the script, and its exit status.
report()
{
	echo "1..$(wc -l <"$out/tap")"
	awk '{ n = NR; sub(/^(not )?ok/, "& " n); print }' "$out/tap"
	if grep -q '^not ok' "$out/tap"; then
		sed 's/^/# /' "$out/checks"
		sed 's/^/# | /' "$out/console.log"
		return 1
	fi
}
