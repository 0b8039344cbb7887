#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What the tests of knellctl have in common. A test is a function test_NAME; it fails by its exit
# status or by "fail". All are run by run_tests, which prints TAP.
#
# In the environment: KNELLCTL, KNELLD, FAKE, HOSTILE and CONFORM, the programs; TEXT, the interface's
# text.

# shellcheck disable=SC2034 # for those who read this
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/knellctl.XXXXXX")
sock=$dir/control
server=
export LC_ALL=C.UTF-8 TZ=UTC
unset NO_COLOR XDG_RUNTIME_DIR

fail()
{
	printf '# %s\n' "$*"
	exit 1
}

# The fake server, with those answers; it says so when it listens.
serve()
{
	unserve
	sed "s/SELF_PID/$$/; s|UNIT_DIR|$dir/units|" "$1" >"$dir/answers"
	rm -f "$sock" "$dir/ready"
	mkfifo "$dir/ready"
	"$FAKE" "$sock" "$dir/answers" "$dir/calls" "$TEXT" >"$dir/ready" 2>"$dir/fake.err" &
	server=$!
	read -r _ <"$dir/ready" || fail "no server: $(cat "$dir/fake.err")"
}

unserve()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	[ -z "$server" ] || wait "$server" 2>/dev/null
	server=
}

# Runs knellctl: its exit status is in $status, what it prints in out and err.
run()
{
	status=0
	args=$*
	timeout -k 5 60 "$KNELLCTL" --socket="$sock" "$@" >"$dir/out" 2>"$dir/err" </dev/null ||
		status=$?
	[ $status -lt 99 ] || fail "knellctl $*: exit status $status: $(cat "$dir/err")"
	[ ! -s "$dir/fake.err" ] || fail "knellctl $*: $(cat "$dir/fake.err")"
}

# The same on a terminal, both outputs in out.
run_tty()
{
	status=0
	SHELL=/bin/sh timeout -k 5 60 script -q -e -c "$KNELLCTL --socket=$sock $*" /dev/null \
		>"$dir/out" 2>"$dir/err" </dev/null || status=$?
	[ $status -lt 99 ] || fail "knellctl $*: exit status $status"
}

exits()
{
	[ "$status" -eq "$1" ] || fail "$args: exit status $status, not $1: $(cat "$dir/out" "$dir/err")"
}

prints()
{
	grep -q -e "$1" "$dir/out" || fail "no \"$1\" in: $(cat -v "$dir/out")"
}

prints_not()
{
	! grep -q -e "$1" "$dir/out" || fail "\"$1\" in: $(cat -v "$dir/out")"
}

complains()
{
	grep -q -e "$1" "$dir/err" || fail "no \"$1\" among the errors: $(cat -v "$dir/err")"
}

silent()
{
	[ ! -s "$dir/$1" ] || fail "$1 is not empty: $(cat -v "$dir/$1")"
}

# Of the calls that were made, one for which jq's filter is true.
called()
{
	jq -e -s "any(.[]; $1)" "$dir/calls" >/dev/null || fail "no call $1 in: $(cat "$dir/calls")"
}

calls_nothing()
{
	[ ! -s "$dir/calls" ] || fail "it called: $(cat "$dir/calls")"
}

json()
{
	jq -e "$1" "$dir/out" >/dev/null 2>&1 || fail "not $1: $(cat -v "$dir/out")"
}

# All tests of the program, in the order they are written in, each in a shell of its own.
run_tests()
{
	names=$(sed -n 's/^test_\([a-z0-9_]*\)()$/\1/p' "$0")
	echo "1..$(echo "$names" | wc -l)"
	nr=0 failures=0
	for name in $names; do
		nr=$((nr + 1))
		# TESTS: only these
		case " ${TESTS:-$name} " in
		*" $name "*) ;;
		*) continue ;;
		esac
		if (trap unserve EXIT && "test_$name"); then
			echo "ok $nr $name"
		else
			echo "not ok $nr $name"
			failures=$((failures + 1))
		fi
	done
	[ -n "${KEEP:-}" ] || rm -rf "$dir"
	[ $failures -eq 0 ]
}
