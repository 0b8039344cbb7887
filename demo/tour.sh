#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The tour: a service of knelld that shows what knelld does, on the console for a reader and as TAP
# on the second serial port for run.sh. At its end it asks PID 1 for the way out, whose order run.sh
# looks at.
#
# Nothing here polls while knelld's rest is measured: the counters are read before and after one
# sleep. What counts knelld's system calls and context switches is the kernel's own tracing, with a
# filter on pid 1; that it does count is shown afterwards, when something happens again.

IDLE=60
PLAN=28
trace=/sys/kernel/tracing
nr=0 failed=0

# shellcheck source=selftests/qemu/wait_for.sh disable=SC1091
. /demo/wait_for.sh

say()
{
	echo "$*" >/dev/console
}

# check TEXT COMMAND...: one step of the tour
check()
{
	text=$1
	shift
	nr=$((nr + 1))
	if "$@"; then
		say "   [ ok ] $text"
		echo "ok $nr $text" >/dev/ttyS1
	else
		say "   [FAIL] $text"
		echo "not ok $nr $text" >/dev/ttyS1
		failed=$((failed + 1))
	fi
}

# ctl ARGUMENT...: runs knellctl and shows what it says, which stays in $said; its exit status
ctl()
{
	said=$(knellctl "$@" 2>&1)
	status=$?
	say "          # knellctl $*"
	[ -z "$said" ] || echo "$said" | head -n 14 | cut -c 1-110 | sed 's/^/          /' >/dev/console
	return $status
}

# says PATTERN...: all of them are in it
says()
{
	for pattern in "$@"; do
		echo "$said" | grep -q -e "$pattern" || return 1
	done
}

# value UNIT PROPERTY; no unit: knelld's
value()
{
	knellctl show -p "$2" --value ${1:+"$1"}
}

redis_answers()	{ [ "$(redis-cli -h 127.0.0.1 ping)" = PONG ]; }
nginx_answers()	{ [ "$(wget -q -O - http://127.0.0.1/)" = 'nginx under knelld' ]; }
ssh_answers()	{ nc -w 30 127.0.0.1 22 </dev/null | grep -q '^SSH-2.0-dropbear'; }
cron_answers()	{ [ -s /run/cron.ticks ]; }
beaten()	{ [ "$(grep -c '^beat.timer$' /run/beats)" -ge 2 ]; }
sample_beaten()	{ [ -n "$(value test_timer_unit.timer LastTriggerUSec)" ]; }
nobody_on_ssh()	{ [ "$(value dropbear.socket NConnections)" -eq 0 ]; }
crashed()	{ [ "$(wc -l </run/crash.starts)" -eq 5 ]; }

# The oldest process of that name: a service's main process, were there children.
main_pid()
{
	pidof "$1" | tr ' ' '\n' | sort -n | head -n 1
}

shell_answers()
{
	rm -f /run/shell.out
	# shellcheck disable=SC2016 # for the other shell to expand
	echo 'echo "$$ of $PPID" >/run/shell.out' >/run/shell.in
	wait_for test -s /run/shell.out && grep -q ' of 1$' /run/shell.out
}

sample_runs()
{
	pid=$(pidof sleep | tr ' ' '\n' | while read -r p; do
		grep -q infinity "/proc/$p/cmdline" && echo "$p"
	done)
	[ -n "$pid" ] && grep -q '^Uid:.1000' "/proc/$pid/status" &&
		grep -q '^Gid:.1000' "/proc/$pid/status" &&
		[ "$(readlink "/proc/$pid/cwd")" = /home/heyicong ] &&
		tr '\0' '\n' <"/proc/$pid/environ" | grep -qx VAR2=value2
}

# is_back NAME OLD-PID PROBE: there is another one, and it answers
is_back()
{
	pid=$(main_pid "$1")
	[ -n "$pid" ] && [ "$pid" != "$2" ] && "$3"
}

kill_and_see()
{
	old=$(main_pid "$2")
	kill "-$1" "$old"
	wait_for is_back "$2" "$old" "$3" && say "          $2 was $old, is $(main_pid "$2")"
}

# running NAME ARGUMENT: the pids
running()
{
	pidof "$1" | tr ' ' '\n' | while read -r p; do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "$2" && echo "$p"
	done
}

escaped()	{ running sleep 1000001 | grep .; }
kept()		{ running sleep 1000002 | grep .; }
inner()		{ running knelld /etc/knell/inner | grep .; }

# is_new OLD-PID COMMAND: it prints one pid, and not that one
is_new()
{
	pid=$($2)
	[ -n "$pid" ] && [ "$pid" != "$1" ] && [ "$(echo "$pid" | wc -l)" -eq 1 ]
}

escape_and_see()
{
	wait_for escaped
	old=$(escaped)
	kill -KILL "$old"
	wait_for is_new "$old" escaped && say "          the daemon was $old, is $(escaped)"
}

# Killed: its service runs on as it is, and is looked after by the next one.
manager_is_killed()
{
	wait_for kept
	service=$(kept) manager=$(inner)
	kill -KILL "$manager"
	wait_for is_new "$manager" inner || return 1
	say "          the inner knelld was $manager, is $(inner); its service is $(kept)"
	[ "$(kept)" = "$service" ] || return 1
	kill -KILL "$service"
	wait_for is_new "$service" kept && say "          its service was $service, is $(kept)"
}

# A dead process that waits for PID 1, which never waits.
no_zombies()
{
	! awk '/^State:/ { state = $2 } /^PPid:/ && state == "Z" && $2 == 1 { print FILENAME }' \
		/proc/[0-9]*/status 2>/dev/null | grep .
}

redis_says_ready()
{
	redis_answers && ctl status redis && says 'Status: "Ready to accept connections"'
}

# The socket is there, the service is not, until somebody wants something.
nginx_comes()
{
	knellctl is-active -q nginx.socket && ! knellctl is-active -q nginx.service || return 1
	nginx_answers && ctl status nginx && says 'Triggered: nginx.socket' 'Active: active (running)'
}

# One for the connection, and none when that is over.
ssh_comes()
{
	ssh_answers && ctl history dropbear@0 && says 'dropbear@0.service' && wait_for nobody_on_ssh
}

shop_is_enabled()
{
	ctl enable shop-app shop-db shop-fill && knellctl is-enabled -q shop-app &&
		[ -L /etc/knell/system/shop.target.wants/shop-app.service ] && [ ! -e /run/shop ]
}

shop_did()
{
	said=$(cat /run/shop)
	echo "$said" | sed 's/^/          /' >/dev/console
	rm /run/shop
	[ "$said" = "$1" ]
}

shop_opens()
{
	ctl start shop.target && shop_did "$(printf 'db is ready\ndb is filled\napp is up')" &&
		ctl list-dependencies shop.target && says shop-app
}

# A target is down before what is part of it.
shop_is_down()	{ [ "$(knellctl is-active shop-db)" = inactive ]; }

shop_closes()
{
	ctl stop shop.target && wait_for shop_is_down && shop_did "$(printf 'app is down\ndb is down')"
}

beats()
{
	knellctl start beat.timer && wait_for beaten && ctl timers && says 'beat.timer *beat.service' &&
		knellctl stop beat.timer
}

# Who has killed it is in the record, too.
history_tells()
{
	ctl history -n 1 redis && says "SIGKILL.*pid $$,"
}

crash_is_explained()
{
	wait_for knellctl is-failed -q crash || return 1
	! ctl status crash && [ $status -eq 3 ] && says 'it was started too often too fast' 'exited with status 7' &&
		! ctl why && [ $status -eq 3 ]
}

ctl_lists()
{
	ctl list && says 'redis.service *loaded *active *running' 'nginx.socket *loaded *active' \
		'crash.service *loaded *failed' && ctl list --plain --failed &&
		[ "$(echo "$said" | cut -d ' ' -f 1)" = crash.service ]
}

ctl_shows_processes()
{
	ctl tree redis nginx && says redis-server nginx '2 processes'
}

ctl_tells_the_boot()
{
	ctl blame && says 'redis.service' && knellctl plot | grep -q '</svg>'
}

ctl_counts()
{
	ctl top && says settle TOTAL && ctl metrics && says 'knelld_unit_up{unit="redis.service"} 1' \
		'^# EOF'
}

# Warnings are of programs that DragonReach's samples name; errors there are none.
files_are_explained()
{
	ctl verify
	[ $status -le 1 ] && says 'nothing is wrong\|^0 errors'
}

# Of what stays up: a timer may start the others at any time.
main_pids()
{
	knellctl show -p Id,MainPID '*.service' | awk -v RS= '!/Id=(beat|test_timer_unit)\./'
}

# A file more and another one's drop-in: nothing happens to anything that runs, until it is asked.
reload_touches_nothing()
{
	old=$(value crond MainPID)
	main_pids >/run/pids
	mkdir -p /etc/knell/system/crond.service.d
	printf '[Service]\nEnvironment=FRESH=1\n' >/etc/knell/system/crond.service.d/fresh.conf
	printf '[Service]\nExecStart=/bin/sleep 1000005\n' >/etc/knell/system/fresh.service
	ctl daemon-reload || return 1
	main_pids | grep -v fresh >/run/pids.now
	knellctl is-active -q fresh || grep -v fresh /run/pids | cmp -s - /run/pids.now || return 1
	[ "$(value crond NeedDaemonReload)" = yes ] && [ "$(value redis NeedDaemonReload)" = no ]
}

restart_takes_it_up()
{
	ctl restart crond && ctl start fresh || return 1
	new=$(value crond MainPID)
	[ "$new" -ne "$old" ] && grep -z -q -x FRESH=1 "/proc/$new/environ" &&
		[ "$(value crond NeedDaemonReload)" = no ] && knellctl is-active -q fresh
}

# PID 1 is another program now, and nobody has noticed.
is_replaced()
{
	main_pids >/run/pids
	socket=$(ls -i /run/knell/control)
	ctl daemon-reexec || return 1
	wait_for restarted || return 1
	main_pids | cmp -s /run/pids - && history_tells && ctl status && says 'process 1,' 'kept as knelld'
}
# It listens anew; the time of its start is still the boot's.
restarted()	{ [ "$(ls -i /run/knell/control)" != "$socket" ] && knellctl list >/dev/null 2>&1; }

ticks()		{ awk '{ print $14 + $15 }' /proc/1/stat; }
cpu_ns()	{ cut -d ' ' -f 1 /proc/1/schedstat; }
switches()	{ awk '/ctxt_switches/ { n += $2 } END { print n }' /proc/1/status; }
syscalls()	{ grep -c ' sys_enter: ' $trace/trace; }
switched()	{ grep -c ' sched_switch: ' $trace/trace; }

trace_pid1()
{
	echo 'common_pid == 1' >$trace/events/raw_syscalls/sys_enter/filter
	echo 'prev_pid == 1 || next_pid == 1' >$trace/events/sched/sched_switch/filter
	echo 1 >$trace/events/raw_syscalls/sys_enter/enable
	echo 1 >$trace/events/sched/sched_switch/enable
	echo >$trace/trace
}

# System call 0 is read(2); 16 is ioctl(2), KNELL_IOC_SUBMIT where it had something to say before.
asleep()
{
	read -r call fd request _ </proc/1/syscall
	case $call,$request in
	0,* | 16,0xc028da21)
		# the queue that it has opened, or the one that a former knelld has left
		case $(readlink "/proc/1/fd/$((fd))") in
		/dev/knell | anon_inode:*knell*) ;;
		*) false ;;
		esac ;;
	*) false ;;
	esac
}

idle()
{
	trace_pid1
	ticks0=$(ticks) ns0=$(cpu_ns) sw0=$(switches)
	sleep $IDLE
	calls=$(syscalls) switched=$(switched)
	ticks=$(($(ticks) - ticks0)) ns=$(($(cpu_ns) - ns0)) sw=$(($(switches) - sw0))
	say "          knelld in $IDLE s: $calls system calls, $sw context switches (traced: $switched),"
	say "          $ticks CPU ticks, $ns ns on a CPU"
	[ "$calls" -eq 0 ] && [ $sw -eq 0 ] && [ "$switched" -eq 0 ] && [ $ticks -eq 0 ] &&
		[ $ns -eq 0 ]
}

all_answer()
{
	redis_answers && nginx_answers && ssh_answers && shell_answers
}

counted()
{
	calls=$(syscalls)
	say "          counted since: $calls system calls, $(switched) context switches"
	[ "$calls" -gt 0 ]
}

say
say "== Services up: real programs from Debian, and DragonReach's samples"
check "redis answers PING, and has said itself that it is ready" \
	eval 'wait_for redis_answers && redis_says_ready'
check "nobody has started nginx; a client connects, it is started and answers" nginx_comes
check "a connection starts a dropbear of its own, which ends with it" ssh_comes
check "the sample shell.service takes a command, and is back for the next" \
	eval 'shell_answers && shell_answers'
check "the sample test.service runs as its user, in its directory" wait_for sample_runs
say "== Targets and order"
check "three services are enabled for a target; nothing is started by that" shop_is_enabled
check "the target is started, and they are, each when the one before it is ready" shop_opens
check "the target is stopped, and they are, the other way round" shop_closes
check "it is started again, for the end" ctl start shop.target
say "== Timers"
check "a timer starts its service every two seconds" beats
say "== Killed, and back"
check "redis is killed with SIGKILL, comes back and answers" \
	kill_and_see KILL redis-server redis_answers
check "knellctl tells who it was" history_tells
say "== Out of sight of others"
check "a daemon that forked twice and left its session is killed, and back" escape_and_see
check "a knelld under knelld is killed: its service does not notice, and is still kept up" \
	manager_is_killed
say "== Crash loop"
check "crash.service ran five times, its start limit, and knellctl tells why it is down" \
	eval 'wait_for crashed && crash_is_explained'
say "== What knellctl tells"
check "list: what there is" ctl_lists
check "tree: who belongs to whom, and what they use" ctl_shows_processes
check "blame and plot: how long the boot took, and because of whom" ctl_tells_the_boot
check "top and metrics: what knelld itself has used" ctl_counts
check "verify: what is wrong with unit files" files_are_explained
say "== Live reload"
check "one unit's files change, one is new; daemon-reload touches no process" reload_touches_nothing
check "a restart takes it up" restart_takes_it_up
say "== Another program as PID 1"
check "daemon-reexec: every service and the history are still there" is_replaced
check "cron has run its job, and the sample's timer its service" \
	eval 'wait_for cron_answers && wait_for sample_beaten'
knellctl stop test_timer_unit.timer
say "== $IDLE seconds in which nothing happens"
check "knelld sleeps on /dev/knell and nothing else" wait_for asleep
check "no system call, no context switch, no CPU time" idle
say "== Alive right after"
check "nginx is ended, comes back; redis, dropbear and the shell answer; the tracing counts" \
	eval 'kill_and_see TERM nginx nginx_answers && all_answer && counted'
check "crash.service is still stopped, and no orphan has become a zombie" eval 'crashed && no_zombies'

echo "1..$nr" >/dev/ttyS1
if [ $failed -eq 0 ] && [ $nr -eq $PLAN ]; then
	echo "TOUR PASSED" >/dev/ttyS1
fi
case " $(cat /proc/cmdline) " in
*" demo.interactive "*) exit ;;
esac
say "== The way out: knellctl poweroff stops all, each before what it needs"
knellctl poweroff
