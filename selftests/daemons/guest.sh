#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The test in the guest, a service of the knelld that is the first process there: what it prints
# goes to the second serial port, as qemu/init.c prints it.
set -u

lib=/usr/lib/knell-daemons
# shellcheck disable=SC1091 # at their place in the guest
. $lib/guest-lib.sh
# shellcheck disable=SC1091
. $lib/guest-daemons.sh
# shellcheck disable=SC1091
. $lib/guest-notify.sh

# A "-" of ExecStart= is for what a forking one has left behind, too; then ExecStop= finds nobody.
result_of_kill()
{
	case $(key "$unit" Type)$(key "$unit" ExecStart) in
	forking-*) echo exit-code ;;
	*) echo signal ;;
	esac
}

# What its file says about Restart= is what has to happen.
test_kill()
{
	pid=$(main_pid "$unit")
	all=$(members "$unit")
	restart=$(key "$unit" Restart)
	kill -KILL "$pid"
	if [ -n "$restart" ] && [ "$restart" != no ]; then
		check "$unit: killed, it is back: Restart=$restart" wait_for is_back "$unit" "$pid"
		check "$unit: that was one restart" is "$unit" NRestarts 1
	elif [ "$1" = dbus ]; then
		# Its socket wakes it, and there is always somebody.
		check "$unit: killed, it is back for who asks" wait_for "probe_$1"
	else
		check "$unit: killed, it has failed" wait_for is "$unit" ActiveState failed
		check "$unit: and how" is "$unit" Result "$(result_of_kill)"
		pid_file=$(key "$unit" PIDFile)
		check "$unit: its PID file is gone" absent ${pid_file:+"$pid_file"}
		check "$unit: it starts again" ctl start "$unit"
	fi
	# shellcheck disable=SC2086 # a list
	check "$unit: nobody is left of the killed one" none_alive $all
	check "$unit: works again" "probe_$1"
}

test_reload()
{
	pid=$(main_pid "$unit")
	if [ -z "$(key "$unit" ExecReload)" ]; then
		check "$unit: cannot be reloaded, and knelld says so" not ctl reload "$unit"
		return
	fi
	check "$unit: is reloaded" ctl reload "$unit"
	check "$unit: is the same process as before" is "$unit" MainPID "$pid"
	# It is told by a signal, and at it yet.
	check "$unit: works after it" wait_for "probe_$1"
}

# $2...: what has to be gone with it
test_stop()
{
	probe=$1
	shift
	all=$(members "$unit")
	check "$unit: has processes" test -n "$all"
	check "$unit: is stopped" ctl stop "$unit"
	check "$unit: is inactive" is "$unit" ActiveState inactive
	# shellcheck disable=SC2086 # a list
	check "$unit: nobody is left of it" none_alive $all
	[ $# -eq 0 ] || check "$unit: nothing is left of it" absent "$@"
	case $probe in
	dbus) ;;
	# Whoever asks for its name has the bus ask for the unit.
	avahi) check "$unit: is started by the bus" "probe_$probe" ;;
	*) check "$unit: does not work any more" not "probe_$probe" ;;
	esac
	check "$unit: is started" ctl start "$unit"
	check "$unit: works once more" "probe_$probe"
}

# test_daemon UNIT PROGRAM PROBE [PATH...]
test_daemon()
{
	unit=$1 exe=$2 probe=$3
	shift 3
	wanted "$probe" || return 0
	check "$unit: its file has no error" verifies "$unit"
	check "$unit: runs" runs "$unit" "$exe"
	check "$unit: works" "probe_$probe"
	test_reload "$probe"
	test_kill "$probe"
	test_stop "$probe" "$@"
	unit=
}

# Is this daemon meant, or are all?
wanted()
{
	case $only, in
	,|*",$1,"*) ;;
	*) return 1 ;;
	esac
}

# Whose results begin here.
begin()
{
	count=0 failures=0
	part=$1
	echo "RUN $part 0"
}

end()
{
	say "1..$count"
	echo "END $part exit $((failures > 0)) 0"
}

has_name()
{
	dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner "string:$1" | grep 'boolean true'
}

# KillMode=process: who is logged in stays so.
test_sessions()
{
	unit=ssh.service
	wanted ssh || return 0
	install -d -m 700 /root/.ssh
	ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
	cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
	ssh -o StrictHostKeyChecking=accept-new root@127.0.0.1 \
		'echo $$ >/run/session; exec sleep infinity' </dev/null >/dev/null 2>&1 &
	client=$!
	check "ssh.service: somebody logs in" wait_for test -s /run/session
	session=$(cat /run/session)
	check "ssh.service: is restarted" ctl restart ssh.service
	check "ssh.service: the session goes on" kill -0 "$session"
	check "ssh.service: is stopped" ctl stop ssh.service
	check "ssh.service: and on" kill -0 "$session"
	kill "$session"
	wait "$client"
	check "ssh.service: is started" ctl start ssh.service
	unit=
}

# Units that are up, with their main processes.
all_running()
{
	ctl list --plain --type=service | awk '$3 == "active" && $4 == "running" { print $1 }' |
		while read -r name; do
			echo "$name $(main_pid "$name")"
		done
}

unchanged()
{
	all_running >/run/after
	diff /run/before /run/after
}

# A new knelld in the place of the old one has all of them as they are.
test_reexec()
{
	begin reexec
	all_running >/run/before
	check "daemon-reload: is done" ctl daemon-reload
	check "daemon-reload: touches nobody" unchanged
	check "daemon-reexec: is done" ctl daemon-reexec
	check "daemon-reexec: is there again" wait_for ctl is-active sysinit.target
	check "daemon-reexec: touches nobody" unchanged
	unit=redis-server.service
	pid=$(main_pid "$unit")
	kill -KILL "$pid"
	check "daemon-reexec: killed, redis-server is back" wait_for is_back "$unit" "$pid"
	check "daemon-reexec: and works" wait_for probe_redis
	unit=
	end
}

# A plain knelld on some of the shipped files, which are theirs while the first one has none of them.
begin_plain()
{
	plain="nginx redis-server cron"
	mkdir -p /run/plain/units
	for name in $plain; do
		ctl stop "$name.service" >/dev/null 2>&1
		cp "/lib/systemd/system/$name.service" /run/plain/units/
	done
	{ echo "[Unit]"; echo "Wants=nginx.service redis-server.service cron.service"; } \
		>/run/plain/units/default.target
	control=/run/plain/control
	knelld --backend=pidfd --unit-dir /run/plain/units --control "$control" \
		>/run/plain/log 2>&1 &
	plain_pid=$!
}

test_plain()
{
	begin plain
	only=
	begin_plain
	check "without the module: is up" wait_for ctl is-active default.target
	check "without the module: says so" sh -c \
		"knellctl --socket=$control show --value -p Backend | grep pidfd"
	test_daemon nginx.service /usr/sbin/nginx nginx /run/nginx.pid
	test_daemon redis-server.service /usr/bin/redis-check-rdb redis /run/redis
	test_daemon cron.service /usr/sbin/cron cron
	all=$(members nginx.service; members redis-server.service; members cron.service)
	kill "$plain_pid"
	check "without the module: ends" wait "$plain_pid"
	# shellcheck disable=SC2086 # a list
	check "without the module: nobody is left" none_alive $all
	control=/run/knell/control
	for name in $plain; do
		check "$name.service: starts where it was" ctl start "$name.service"
	done
	end
}

test_daemons()
{
	begin daemons
	test_daemon nginx.service /usr/sbin/nginx nginx /run/nginx.pid
	test_daemon redis-server.service /usr/bin/redis-check-rdb redis /run/redis
	# systemd has a generator that makes postgresql.service pull in all there are.
	! wanted postgresql || check "postgresql@15-main.service: starts" ctl start postgresql@15-main.service
	test_daemon postgresql@15-main.service /usr/lib/postgresql/15/bin/postgres postgresql \
		/run/postgresql/15-main.pid /run/postgresql/.s.PGSQL.5432
	test_daemon ssh.service /usr/sbin/sshd ssh /run/sshd /run/sshd.pid
	test_sessions
	test_daemon chrony.service /usr/sbin/chronyd chrony /run/chrony
	test_daemon avahi-daemon.service /usr/sbin/avahi-daemon avahi
	test_daemon dbus.service /usr/bin/dbus-daemon dbus
	# What a bus that is started anew does to those who had a name on the former one.
	! wanted dbus || check "systemd-logind.service: has its name again" wait_for has_name \
		org.freedesktop.login1
	test_daemon mosquitto.service /usr/sbin/mosquitto mosquitto /run/mosquitto/mosquitto.pid
	test_daemon php8.2-fpm.service /usr/sbin/php-fpm8.2 php /run/php/php8.2-fpm.sock
	test_daemon cron.service /usr/sbin/cron cron
	end
}

test_notify()
{
	begin notify
	notify_units
	test_systemd_notify
	test_libsystemd
	end
}

# What run.sh has put there: parts, and if not all are meant, daemons.
word_of_command_line()
{
	sed -n "s/.*knell\.$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

only=$(word_of_command_line daemons)
for name in $(word_of_command_line parts | tr , ' '); do
	"test_$name"
done
echo DONE
ctl poweroff
