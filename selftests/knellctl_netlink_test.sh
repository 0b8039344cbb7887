#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knellctl's queues, watches, members, tree --queue, monitor and drop, by the module's netlink, on the
# kept queue of a knelld; the static build, and the one with shared libraries. runner-limit: 600

dir=/tmp/knellctl_netlink
knelld=${KNELLD:-/sbin/knelld}
knellctl=/sbin/knellctl
helper=$(cd "$(dirname "$0")" && pwd)/netlink_helper
nr=0 failed=0

# Says what was not so, for whoever reads the log.
no()
{
	echo "# $*"
	return 1
}

# ctl STATUS ARGUMENT...: runs it, which ends like that; what it says is in out and err
ctl()
{
	expected=$1
	shift
	status=0
	"$knellctl" "$@" >out 2>err </dev/null || status=$?
	[ "$status" -eq "$expected" ] || no "$*: status $status, not $expected: $(cat out err)"
}

# The same as a user who is not root.
ctl_as_tester()
{
	expected=$1
	shift
	status=0
	su -s /bin/sh tester -c "$knellctl $*" >out 2>err </dev/null || status=$?
	[ "$status" -eq "$expected" ] ||
		no "$*, by tester: status $status, not $expected: $(cat out err)"
}

prints()
{
	grep -q -e "$1" out || no "no \"$1\" in: $(cat out)"
}

prints_not()
{
	! grep -q -e "$1" out || no "\"$1\" in: $(cat out)"
}

complains()
{
	grep -q -e "$1" err || no "no \"$1\" among the errors: $(cat err)"
}

# Until a command succeeds, or a minute has gone by.
until_true()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || no "in vain: $*: $(cat log)" || return
		sleep 0.1
	done
}

is()
{
	[ "$("$knellctl" --socket="$dir/control" is-active "$1" 2>/dev/null)" = "$2" ]
}

# The number behind a key in what was printed, of the first that has it.
number()
{
	sed -n "s/.*\"$1\":\\([0-9]*\\).*/\\1/p" out | head -n 1
}

manage()
{
	mkdir -p units
	cat >units/a.service <<-'END'
		[Service]
		ExecStart=/bin/sh -c 'sleep 100000 & sleep 200000; exit 0'
	END
	cat >units/once.service <<-'END'
		[Unit]
		StartLimitIntervalSec=0
		[Service]
		Type=oneshot
		ExecStart=/bin/true
		[Install]
		WantedBy=nothing.target
	END
	"$knelld" --unit-dir "$dir/units" --keep=ctl_test --backend=kernel --control="$dir/control" \
		>log 2>&1 </dev/null &
	manager=$!
	until_true is a active
}

queues()
{
	ctl 0 queues --json &&
	prints '"name":"ctl_test"' && prints "\"pid\":$manager,\"comm\":\"knelld\"" &&
	prints '"kinds":{[^}]*"tree":1[,}]' && prints_not orphan &&
	ctl 0 queues && prints '^QUEUE  NAME *USER  HOLDER ' &&
	prints "ctl_test *0  $manager knelld .* 1 tree"
}

watches()
{
	ctl 0 watches --json ctl_test &&
	prints '"kind":"tree","state":"armed"' && prints '"label":"a.service"' &&
	prints '"flags":\[[^]]*"ack"' && prints '"token":"0x[0-9a-f]*"' &&
	id=$(number queue) && ctl 0 watches "$id" &&
	prints ' tree  *armed  *0x[0-9a-f]* .* a.service  *3 members'
}

members()
{
	main=$("$knellctl" --socket="$dir/control" show -p MainPID --value a)
	ctl 0 members ctl_test --json &&
	prints "\"label\":\"a.service\",\"members\":\[" && prints "\"pid\":$main,[^}]*\"main\":true" &&
	prints "\"ppid\":$main,\"comm\":\"sleep\"" &&
	watch=$(number watch) && ctl 0 tree --queue="ctl_test:$watch" &&
	prints "^[0-9]*:$watch a.service\$" && prints "^  $main sh  main, " &&
	prints '^    [0-9]* sleep  ' && prints '^  3 processes, ' &&
	ctl 0 members ctl_test "$watch"
}

what_is_not_there()
{
	ctl 5 watches nothing && complains 'nothing: no queue is kept by this name' &&
	ctl 5 watches 999999999 && complains 'No such file' &&
	ctl 5 drop 999999999 &&
	ctl 5 members ctl_test 4000000000 && complains 'has no watch 4000000000' &&
	ctl 2 members ctl_test x && ctl 2 tree --queue=ctl_test:0
}

# Behind the number are the kernel's own words.
drop_while_it_lives()
{
	ctl 1 drop ctl_test && complains 'holder lives.*(Device or resource busy)$' &&
	ctl 0 queues && prints ctl_test
}

least_privilege()
{
	ctl_as_tester 0 queues && prints 'no queues that you may see' &&
	ctl_as_tester 0 queues --json && prints '{"queues":\[\]}' &&
	ctl_as_tester 4 watches "$id" && complains '(Operation not permitted)$' &&
	ctl_as_tester 4 drop "$id" &&
	ctl_as_tester 4 monitor && complains 'needs CAP_NET_ADMIN'
}

# Begins to listen: what is heard is read from 4.
listen()
{
	rm -f fifo
	mkfifo fifo
	"$knellctl" monitor --json >fifo 2>err &
	listener=$!
	exec 4<fifo
	read -r line <&4
	[ "$line" = '{"kind":"ready"}' ] || no "$line: $(cat err)"
}

# Until a line like that comes.
heard()
{
	while read -r line <&4; do
		echo "$line" >>heard
		echo "$line" | grep -q -e "$1" && return
	done
	no "never heard: $1: $(cat heard err)"
}

monitor()
{
	listen || return
	"$knellctl" --socket="$dir/control" start once || return
	heard '"name":"ctl_test",.*"label":"once.service",.*"kind":"exit".*"status":0' &&
	heard '"label":"once.service",.*"kind":"empty"' || return
	"$knellctl" --socket="$dir/control" kill -s KILL a
	heard '"label":"a.service",.*"kind":"exit","signal":"SIGKILL"'
	status=$?
	kill "$listener"
	wait "$listener" 2>/dev/null
	exec 4<&-
	return "$status"
}

monitor_in_words()
{
	"$knellctl" monitor -n 2 >out 2>&1 &
	listener=$!
	# It does not say on a pipe that it listens: it is told until it has heard enough.
	until_true stopped_once && wait "$listener" && [ "$(wc -l <out)" -eq 2 ] &&
	prints 'queue [0-9]* (ctl_test) once.service: process [0-9]* (true) exited with status 0'
}

stopped_once()
{
	"$knellctl" --socket="$dir/control" start once
	! kill -0 "$listener" 2>/dev/null
}

with_shared_libraries()
{
	knellctl=/usr/bin/knellctl
	queues && watches && members && what_is_not_there && drop_while_it_lives &&
	least_privilege && monitor_in_words
	status=$?
	knellctl=/sbin/knellctl
	return "$status"
}

# Whether CHECK holds while somebody listens whose socket may have room for so many BYTES.
with_room()
{
	room=$(cat /proc/sys/net/core/rmem_max)
	echo "$1" >/proc/sys/net/core/rmem_max
	listen && "$2" && status=0 || status=1
	echo "$room" >/proc/sys/net/core/rmem_max
	# It may be stopped.
	kill -9 "$listener"
	wait "$listener" 2>/dev/null
	exec 4<&-
	return "$status"
}

# Of a loss that is told in such words, and anew of how all queues are.
heard_of_loss()
{
	heard "\"kind\":\"lost\",$1" &&
		heard '"kind":"queue","queue":{.*"name":"ctl_test"'
}

sleep_over_starts()
{
	kill -STOP "$listener"
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		"$knellctl" --socket="$dir/control" start once || return
	done
	kill -CONT "$listener"
	heard_of_loss '"by":"reader"'
}

# Who does not read for a while is told, and told anew how all queues are.
a_listener_that_sleeps()
{
	with_room 4096 sleep_over_starts
}

burst_of_deaths()
{
	"$helper" burst && heard_of_loss '"by":"module","lost":[1-9]'
}

# What the module itself could not tell of is said likewise.
a_module_that_has_no_room()
{
	with_room 16777216 burst_of_deaths
}

# Begins to change a queue, DUMPS dumps of it between two changes.
churn()
{
	rm -f churns
	mkfifo churns
	"$helper" churn ctl_churn "$1" >churns &
	churner=$!
	read -r line <churns
	[ "$line" = ready ] || no "churn: $line"
}

calm()
{
	kill -9 "$churner"
	wait "$churner" 2>/dev/null
	ctl 0 drop ctl_churn
}

# What stays, each once, and at most the one that comes and goes.
has_all()
{
	ctl 0 watches --json ctl_churn || return
	found=$(grep -o '"token":"0x[0-9a-f]*"' out | sort -u | wc -l)
	all=$(grep -o '"handle":' out | wc -l)
	case $found:$all in
	1000:1000|1001:1001) ;;
	*) no "$found different of $all watches" ;;
	esac
}

# Some of so many dumps are interrupted, and asked for anew without a word.
a_dump_that_is_interrupted()
{
	churn 3 || return
	n=0 status=0
	while [ "$n" -lt 15 ] && [ "$status" -eq 0 ]; do
		n=$((n + 1))
		has_all && { [ ! -s err ] || no "it complains: $(cat err)"; }
		status=$?
	done
	calm && return "$status"
}

# Not for ever.
a_queue_that_never_stops_changing()
{
	churn 0 || return
	until_true never_stops
	status=$?
	calm && return "$status"
}

never_stops()
{
	has_all && grep -q 'it never stops changing: some of what came or went may be missing' err
}

drop()
{
	kill -9 "$manager"
	wait "$manager" 2>/dev/null
	ctl 0 queues --json && prints '"name":"ctl_test",.*"orphan":true' &&
	ctl 0 queues && prints 'ctl_test .* has died' &&
	ctl 0 drop --json ctl_test && prints "{\"dropped\":\[$id\]}" &&
	ctl 0 queues && prints_not ctl_test && ctl 5 drop ctl_test
}

run()
{
	nr=$((nr + 1))
	if "$1"; then
		echo "ok $nr knellctl_netlink.$1"
	else
		echo "not ok $nr knellctl_netlink.$1"
		failed=1
	fi
}

echo 1..15
rm -rf "$dir"
mkdir -p "$dir" && cd "$dir" || exit 1
chmod 755 .
: >heard
run manage
run queues
run watches
run members
run what_is_not_there
run drop_while_it_lives
run least_privilege
run with_shared_libraries
run monitor
run monitor_in_words
run a_listener_that_sleeps
run a_module_that_has_no_room
run a_dump_that_is_interrupted
run a_queue_that_never_stops_changing
run drop
exit $failed
