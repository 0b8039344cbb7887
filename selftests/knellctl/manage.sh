#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # dir and sock are lib.sh's
#
# What tests of knellctl and knelld together have in common, beside lib.sh: a knelld without the
# module, on units of the test's own.

units=$dir/units
manager=

# unit NAME, its text on standard input
unit()
{
	mkdir -p "$units"
	cat >"$units/$1"
}

# Until a command succeeds, or a minute has gone by.
until_true()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || fail "in vain: $*; $(cat "$dir/log")"
		sleep 0.05
	done
}

manage()
{
	: >"$dir/fake.err"
	mkdir -p "$units"
	"$KNELLD" --unit-dir "$units" --backend=pidfd --no-keep --control="$sock" "$@" \
		>"$dir/log" 2>&1 </dev/null &
	manager=$!
	until_true test -S "$sock"
}

# It stops everything; what it says of itself is in $status.
unmanage()
{
	[ -n "$manager" ] || return 0
	status=0
	kill "$manager" 2>/dev/null
	wait "$manager" || status=$?
	manager=
	[ $status -eq 0 ] || fail "knelld: exit status $status: $(tail -n 40 "$dir/log")"
}

unserve()
{
	# Not with the exit status of a test that has failed.
	[ -z "$manager" ] || { kill "$manager" 2>/dev/null; wait "$manager"; }
	rm -rf "$units" "$sock"
}

is()
{
	[ "$("$KNELLCTL" --socket="$sock" is-active "$1" 2>/dev/null)" = "$2" ]
}

pid_of()
{
	"$KNELLCTL" --socket="$sock" show -p MainPID --value "$1"
}

sleeper()
{
	unit "$1" <<-END
		[Unit]
		Description=$1
		[Service]
		ExecStart=/bin/sleep 100000
	END
}

# The whole reply about a unit is as the interface has it; jq's filter holds for it.
status_is()
{
	run status --json "$1"
	jq '{status: .units[0]}' "$dir/out" | "$CONFORM" "$TEXT" reply UnitStatus ||
		fail "UnitStatus of $1: $(cat "$dir/out")"
	jq -e ".units[0] | $2" "$dir/out" >/dev/null || fail "$1 is not $2: $(cat "$dir/out")"
}
