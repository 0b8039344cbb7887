# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# To be sourced by scripts that run in a machine, which may be slow: two minutes are for ever.

# wait_for COMMAND...: until it succeeds
wait_for()
{
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 240 ] || return 1
		sleep 0.5
	done
}
