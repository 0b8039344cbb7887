# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# What the tests in the guest are made of: results, and what a unit is like. Sourced by guest.sh.

slow=$(sed -n 's/.*knell.slow=\([0-9]*\).*/\1/p' /proc/cmdline)
patience=$((60 * ${slow:-1}))
count=0 failures=0
units=/lib/systemd/system
control=/run/knell/control	# of the knelld that is meant

say()
{
	printf '    %s\n' "$*"
}

ctl()
{
	knellctl --socket="$control" "$@"
}

# Runs a command; its success is the result that is named.
check()
{
	what=$1
	shift
	count=$((count + 1))
	if "$@" >/run/check.log 2>&1; then
		say "ok $count $what"
		return
	fi
	status=$?
	failures=$((failures + 1))
	say "not ok $count $what"
	say "# $*: status $status"
	{ tail -n 20 /run/check.log; [ -z "${unit:-}" ] || ctl status "$unit" 2>&1; } |
		sed 's/^/    # /'
}

not()
{
	! "$@"
}

# Until a command is successful.
wait_for()
{
	tries=$((patience * 5))
	until "$@" >/run/wait.log 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { cat /run/wait.log; return 1; }
		sleep 0.2
	done
}

# property UNIT NAME, as knelld says
property()
{
	ctl show --value -p "$2" "$1"
}

is()
{
	value=$(property "$1" "$2")
	[ "$value" = "$3" ] || { echo "$1: $2=$value, not $3"; false; }
}

# key UNIT NAME, as the shipped file says; an instance has that of its template
key()
{
	file=$units/$1
	[ -e "$file" ] || file=$units/${1%%@*}@.service
	sed -n "s/^$2=//p" "$file" | tail -n 1
}

main_pid()
{
	property "$1" MainPID
}

# All processes of a unit, as knelld knows them.
members()
{
	ctl tree --json "$1" | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*$' | sort -u
}

# A zombie, which nobody reaps, counts.
none_alive()
{
	for pid in "$@"; do
		[ -e "/proc/$pid" ] || continue
		echo "$pid is there:"
		ps -p "$pid" -o pid,ppid,stat,user,args
		return 1
	done
}

absent()
{
	for path in "$@"; do
		[ -e "$path" ] || [ -L "$path" ] || continue
		ls -ld "$path"
		return 1
	done
}

# The main process is the daemon itself, and knelld knows it.
runs()
{
	exe=$(readlink "/proc/$(main_pid "$1")/exe")
	ctl is-active "$1" || return 1
	[ "$exe" = "$2" ] || { echo "its main process is $exe"; false; }
}

# It is up, and with another main process than $2.
is_back()
{
	[ "$(property "$1" ActiveState)" = active ] && [ "$(main_pid "$1")" != "$2" ]
}

# 1: warnings, of what is not enforced
verifies()
{
	ctl verify --compat "$1" || [ $? -eq 1 ]
}
