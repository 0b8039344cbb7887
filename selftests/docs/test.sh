#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The commands that the documentation shows and the guest of ../docs_test.sh has no programs for are typed
# here, in namespaces with an /etc and a /run of their own: the pages' blocks behind the comment
# ".. run by: selftests/docs", and what the manual has in lines of their own, each with what has to be seen.
#
# usage: test.sh		in the environment KNELLD, KNELLCTL and MODULE, the programs and knell.ko
#	 test.sh typed		only tells what is typed, a line each
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/report.sh
. "$here/../qemu/report.sh"
docs=$(cd "$here/../../Documentation" && pwd)
export LC_ALL=C.UTF-8 TZ=UTC

# The pages' blocks, into a directory (../qemu/commands.awk).
blocks()
{
	for page in $(cd "$docs" && grep -r -l --include='*.rst' '^ *\.\. run by: selftests/docs$' . | sort); do
		mkdir -p "$1/$page"
		awk -v dir="$1/$page" -v name="${page#./}" -v by=selftests/docs \
			-f "$here/../qemu/commands.awk" "$docs/$page" || exit 1
	done
}

manual()
{
	sed -n 's/^\.Dl \(\(knellctl\|unshare\) .*\)/\1/p' "$docs/man/knellctl.1" "$docs/man/knelld.8"
}

#
# What is to be seen of the manual's lines
#

main_pid()
{
	knellctl show -p MainPID --value "$1"
}

is_another()
{
	now=$(main_pid nginx-1) && [ "$now" -gt 0 ] && [ "$now" != "$1" ]
}

# until_true COMMAND [ARG...]: for a minute
until_true()
{
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "in vain: $*"; return 1; }
		sleep 0.1
	done
}

# Who follows is there when it has heard of a death: until then there is another.
has_heard()
{
	grep -q '"signal": "SIGKILL"' /run/heard || { kill -KILL "$(main_pid nginx-1)"; false; }
}

# see COMMAND: types it, and looks
see()
{
	case $1 in
	'knellctl why')
		eval "$1" | tee /run/said | grep -q 'broken.service' || { cat /run/said; return 1; } ;;
	'knellctl try-restart '*)
		before=$(main_pid nginx-1)
		eval "$1" && is_another "$before" ;;
	'knellctl list '*)
		[ "$(eval "$1" | tee /run/said)" = broken.service ] || { cat /run/said; return 1; } ;;
	'knellctl events '*)
		eval "$1" >/run/heard 2>&1 &
		until_true has_heard || { cat /run/heard; return 1; }
		knellctl exit && wait $! ;;
	'unshare '*)
		eval "$1" >/run/inside.log 2>&1 &
		until_true test -s /run/inside || { cat /run/inside.log; return 1; }
		# The service's parent is the first process there. It ends with these namespaces.
		[ "$(cat /run/inside)" = 1 ] ;;
	*) echo "what is to be seen of this?"; return 1 ;;
	esac
}

#
# In the namespaces
#

# command NAME, its shell script on standard input
command_is()
{
	cat >"/run/bin/$1"
	chmod 755 "/run/bin/$1"
}

furnish()
{
	mkdir "$dir/etc" "$dir/work"
	mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc,workdir=$dir/work" overlay /etc &&
		mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/bin /etc/knell/system /etc/knell/inside || exit
	PATH=/run/bin:$PATH
	printf '#!/bin/sh\nexec "%s" --backend=pidfd --no-keep "$@"\n' "$KNELLD" | command_is knelld
	# Each line as it comes: nobody reads it at a terminal.
	printf '#!/bin/sh\nexec %s --unbuffered "$@"\n' "$(command -v jq)" | command_is jq
	ln -s "$KNELLCTL" /run/bin/knellctl
	printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 1000000\nRestart=always\nRestartSec=0\n' \
		>/etc/knell/system/nginx-1.service
	printf '[Service]\nExecStart=/bin/false\n' >/etc/knell/system/broken.service
	# shellcheck disable=SC2016 # for the shell there
	printf '[Service]\nExecStart=/bin/sh -c "echo $$PPID >/run/inside; exec sleep 1000000"\n' \
		>/etc/knell/inside/inside.service
}

type_block()
{
	expected=0
	[ ! -e "$1.status" ] || expected=$(cat "$1.status")
	# shellcheck disable=SC1090 # as a reader types it
	. "$1.run" >"$dir/printed" 2>&1
	ended=$?
	[ $ended -eq "$expected" ] && awk -f "$here/../qemu/same.awk" "$1.expect" "$dir/printed" && return
	echo "exit status $ended, not $expected, or this was not expected:"
	cat "$dir/printed"
	return 1
}

has_group()
{
	sed -i '/^knell:/d' /etc/group /etc/gshadow
	groupadd --system knell && grep '^knell:' /etc/group
}

# Of systemd's directories there are none but ours.
by_compat()
{
	mkdir -p /etc/systemd/system
	for place in /etc/systemd/system /usr/lib/systemd/system; do
		[ ! -d "$place" ] || mount -t tmpfs -o mode=755 tmpfs "$place" || return 1
	done
	for name in web other; do
		printf '[Service]\nExecStart=/bin/sleep 1000000\nMemoryMax=1G\n' >/etc/systemd/system/$name.service
	done
	knelld --compat --default web.service &
	until_true knellctl is-active web && ! knellctl is-active other &&
		knellctl verify --compat web 2>&1 | grep 'MemoryMax' && knellctl exit && wait $!
}

inside()
{
	dir=$1 nr=0
	furnish
	mkdir "$dir/here" && cd "$dir/here" && cp "$MODULE" knell.ko || exit
	for where in "$dir"/blocks/*/*.where; do
		base=${where%.where}
		report "$(cat "$where"): $(head -n 1 "$base.run")" type_block "$base"
	done
	report 'install.rst: groupadd --system knell' has_group
	report 'migrate/systemd.rst: knelld --compat --default web.service' by_compat
	knelld >"$dir/log" 2>&1 &
	{ until_true knellctl is-failed broken && until_true knellctl is-active nginx-1; } || cat "$dir/log"
	while read -r line <&9; do
		report "the manual: $line" see "$line"
	done 9<"$dir/manual"
	echo "1..$nr"
	exit 0
}

if [ "${1:-}" = inside ]; then
	inside "$2"
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/knell-docs.XXXXXX")
trap 'rm -rf "$dir"' EXIT
blocks "$dir/blocks"
manual >"$dir/manual"
if [ "${1:-}" = typed ]; then
	for run in "$dir"/blocks/*/*.run; do
		sed -z 's/\\\n//g' "$run"
	done
	cat "$dir/manual"
	exit 0
fi
echo 'TAP version 13'
timeout -k 5 500 unshare --mount --pid --net --fork --kill-child --mount-proc "$0" inside "$dir"
