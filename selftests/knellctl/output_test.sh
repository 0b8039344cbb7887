#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What knellctl prints and asks for, and how it exits, beside a server that answers as it is told.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

answers=$here/answers.json

# Every command that asks knelld, in a form that ends by itself.
commands()
{
	cat <<-END
		status
		status good.service bad.service dep.service slow.service tick.timer lost.service no.service
		why
		why bad.service dep.service
		list --all
		list --failed --plain
		start good.service
		start good.service bad.service
		start masked.service
		stop good.service
		restart good.service
		try-restart good.service
		reload good.service
		reload-or-restart good.service
		isolate good.service
		kill good.service
		kill bad.service
		reset-failed
		list-jobs
		cancel 7
		is-active good.service bad.service
		is-failed bad.service
		show bad.service
		show
		tree
		history
		events -n 4
		timers
		list-dependencies app.target
		list-dependencies --reverse good.service
		daemon-reload
		daemon-reexec
		is-system-running
		plot
		blame
		metrics
		top
		poweroff
		reboot
		halt
		exit --status=3
	END
}

# All of them but for the harmless ones are in the list above.
test_every_command_is_tried()
{
	"$KNELLCTL" help --plain >"$dir/all"
	while read -r name; do
		case $name in
		help|enable|disable|reenable|mask|unmask|is-enabled|cat|verify) continue ;;
		list-units|list-timers) continue ;;
		# not of knelld: blackbox_test.sh, ../knellctl_netlink_test.sh
		blackbox|queues|watches|members|monitor|drop) continue ;;
		esac
		commands | grep -q "^$name" || fail "$name is not tried"
	done <"$dir/all"
}

test_list_shows_what_is_up_or_failed()
{
	serve "$answers"
	run list
	exits 0
	prints '^  UNIT  *LOAD  *ACTIVE  *SUB  *JOB  *DESCRIPTION$'
	prints '^● good.service  *loaded  *active  *running  *-  *Good$'
	prints '^× bad.service  *loaded  *failed'
	prints '^● slow.service .* start  *Slow$'
	prints_not 'dep.service'
	prints '^5 of 7 units, --all shows'
	run list --all
	prints '^○ lost.service  *not-found  *inactive'
	prints '^7 of 7 units.$'
	silent err
}

test_list_filters()
{
	serve "$answers"
	run list --plain --all --type=timer,target
	[ "$(cut -d' ' -f1 "$dir/out")" = "app.target
tick.timer" ] || fail "$(cat "$dir/out")"
	run list --plain --state=failed
	[ "$(cut -d' ' -f1 "$dir/out")" = bad.service ] || fail "$(cat "$dir/out")"
	run list --plain --state=not-found
	[ "$(cut -d' ' -f1 "$dir/out")" = lost.service ] || fail "$(cat "$dir/out")"
	run list --plain --failed
	[ "$(wc -l <"$dir/out")" -eq 1 ] || fail "$(cat "$dir/out")"
	run list --plain 'b*' good 'l*'
	[ "$(cut -d' ' -f1 "$dir/out")" = "bad.service
good.service" ] || fail "$(cat "$dir/out")"
	run list 'b*' slow
	prints '^2 of 2 units.$'
	run list --all --json --type=timer
	json '.units | length == 1 and .[0].name == "tick.timer"'
}

test_is_active()
{
	serve "$answers"
	run is-active good
	exits 0
	prints '^active$'
	run is-active dep slow.service
	exits 3
	[ "$(cat "$dir/out")" = "inactive
activating" ] || fail "$(cat "$dir/out")"
	run is-active dep good
	exits 0
	run is-active no
	exits 4
	prints '^inactive$'
	run is-active -q bad.service
	exits 3
	silent out
	run is-failed bad
	exits 0
	run is-failed good
	exits 1
	prints '^active$'
	silent err
}

test_start_waits_for_the_job()
{
	serve "$answers"
	run start good
	exits 0
	silent out
	silent err
	called '.method == "StartUnits" and .more and .parameters == {"names": ["good.service"]}'
	run start --no-block good
	exits 0
	called '.method == "StartUnits" and (.more | not) and .parameters.noBlock'
	run isolate good
	called '.parameters.mode == "isolate"'
}

test_a_job_that_fails_is_explained()
{
	serve "$answers"
	run start good bad
	exits 1
	silent out
	complains '^knellctl: bad.service was not started: it failed$'
	complains '^       Why: it was started too often too fast; last, its main process /usr/bin/bad'
	complains '(process 99) exited with status 127 (of a shell: command not found) after 12ms$'
	complains '^    Impact: 2 units held up: dep.service app.target$'
	complains 'knellctl start bad.service$'
	run restart good
	exits 1
	complains 'good.service was not restarted: a unit that it requires did not come up'
	run start -q good bad
	complains 'bad.service was not started'
	! grep -q Why "$dir/err" || fail 'not quiet'
}

test_jobs_that_cannot_be()
{
	serve "$answers"
	run start no
	exits 5
	complains '^knellctl: no.service: no such unit$'
	run start masked
	exits 6
	complains '^knellctl: masked.service: its files forbid it: it is masked$'
	run start denied
	exits 4
	complains '^knellctl: permission denied$'
	run start skip
	exits 0
	complains 'ConditionPathExists=/x'
	run reload good
	exits 3
	run reload-or-restart good
	exits 0
	run start 'nothing*'
	exits 0
	complains 'no unit matches'
	run stop '[ab]*.service' good
	called '.parameters.names == ["bad.service", "good.service"]'
	run start a/b@
	exits 5
}

test_the_server_vanishes()
{
	serve "$answers"
	run start vanish
	exits 1
	complains 'knelld has hung up'
	complains 'what becomes of the jobs is not known'
	serve "$answers"
	run events quick.service
	exits 1
	complains 'knelld has hung up'
}

test_no_server()
{
	run list
	exits 1
	complains "^knellctl: knelld does not run: nobody listens at $sock$"
	run is-system-running
	exits 1
	prints '^offline$'
	commands >"$dir/commands"
	while read -r args; do
		# shellcheck disable=SC2086 # a list
		run $args
		[ $status -ne 0 ] || fail "$args: exit status 0 without a server"
	done <"$dir/commands"
	sock=/nonexistent/x run status
	exits 1
}

test_progress_is_shown_on_a_terminal()
{
	serve "$answers"
	mkfifo "$dir/keys"
	script -q -f -c "$KNELLCTL --socket=$sock start stuck.service" /dev/null >"$dir/pty" 2>&1 \
		<>"$dir/keys" &
	# It says what it waits for until the server is gone.
	tries=0
	until grep -a -q 'starting stuck.service (1s)' "$dir/pty"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "no progress: $(cat -v "$dir/pty")"
		sleep 0.1
	done
	unserve
	wait
	grep -a -q 'knelld has hung up' "$dir/pty" || fail "$(cat -v "$dir/pty")"
}

test_status_of_a_unit_that_runs()
{
	serve "$answers"
	run status good
	exits 0
	prints '^● good.service - Good$'
	prints '^    Loaded: loaded (/etc/knell/system/good.service)$'
	prints '^   Drop-In: /etc/knell/system/good.service.d/a.conf$'
	prints '^            /etc/knell/system/good.service.d/b.conf$'
	prints '^    Active: active (running) since Wed 2026-11-18 11:06:40 UTC; .* ago$'
	prints '^  Main PID: 4242$'
	prints '^ Triggered: good.socket$'
	prints '^   Changed: '
	prints_not ' Why: '
}

test_status_says_why()
{
	serve "$answers"
	run status bad
	exits 3
	prints '^    Active: failed (failed) (exit-code) since .*; started again 4 times$'
	prints '^       Why: it was started too often too fast'
	prints '^    Impact: 2 units held up: dep.service app.target$'
	prints '^      Next: it stays down until knellctl start bad.service$'
	prints ' bad.service  *main  *97  *SIGKILL .*  pid 1000, uid 33$'
	prints ' ExecStartPre  *98  *SIGSEGV (core)'
	prints ' cannot open '
	run status dep
	exits 3
	prints ' Why: it needs mid.service, which needs bad.service, which is not up$'
	prints '^    Origin: bad.service: it was started too often too fast'
	prints ' Next: knellctl status bad.service$'
	run status slow
	exits 0
	prints ' Why: ExecStartPre=/bin/slow (process 55) is not over$'
	prints '^       Job: 7: start, runs for '
	prints '1 unit held up: after.service$'
	run status lost
	exits 4
	run status no
	exits 4
	complains 'no such unit'
	run status good no bad
	exits 4
}

test_status_of_knelld()
{
	serve "$answers"
	run status
	exits 0
	prints '^● knelld 9.8.7 (process 1, system)$'
	prints '^     State: degraded$'
	prints '^   Missing: kept queues$'
	prints '^× bad.service'
	run
	prints 'knelld 9.8.7'
	run why
	exits 3
	prints '^× bad.service'
	prints '^● slow.service'
	prints_not good.service
	run why good
	exits 0
	prints 'Nothing is wrong'
}

test_why_names_the_processes_end()
{
	serve "$answers"
	run history
	prints ' bad.service  *main  *99  *127  *12ms  *1ms  *3.4M  *-$'
	prints ' member  *12  *unknown '
	prints ' 13  *SIGKILL .* kernel$'
	run history -n 5 good
	called '.method == "History" and .parameters == {"name": "good.service", "limit": 5}'
}

test_show()
{
	serve "$answers"
	run show good
	exits 0
	prints '^Id=good.service$'
	prints '^Names=fine.service$'
	prints '^ActiveState=active$'
	prints '^NeedDaemonReload=yes$'
	prints '^MainPID=4242$'
	prints '^ActiveEnterTimestampMonotonic=5000000$'
	prints '^Requires=bad.service$'
	run show -p ActiveState,MainPID --value good
	[ "$(cat "$dir/out")" = "active
4242" ] || fail "$(cat "$dir/out")"
	run show --json -p id good bad
	json '[.[].Id] == ["good.service", "bad.service"]'
	run show -p Version
	prints '^Version=9.8.7$'
	run show no
	exits 4
}

test_jobs_timers_and_events()
{
	serve "$answers"
	run list-jobs
	prints '^  7  slow.service  *start  *running .*  -$'
	prints '^  8  after.service  *try-restart  *waiting .* slow.service '
	run cancel 7
	exits 0
	run cancel 9
	exits 1
	complains 'no such job'
	run cancel x
	exits 2
	run timers
	prints '^Fri 2030-01-18 .*  .* Wed 2026-11-18 .* ago  *tick.timer  *tick'
	prints '^-  *-  *-  *-  *never.timer  *never.service$'
	run timers never
	prints_not tick
	run events -n 4 good
	exits 0
	prints '^11:06:40.123 good.service active (run'
	prints 'job 3: try-restart: failed$'
	prints 'main (process 13) was killed by SIGKILL, by the kernel, for want of memory$'
	prints '4 events were lost'
	called '.method == "Subscribe" and .more and .parameters.units == ["good.service"]'
}

test_kill()
{
	serve "$answers"
	run kill -s HUP --kill-whom=main good
	exits 0
	called '.method == "KillUnit" and
		.parameters == {"name": "good.service", "signal": 1, "whom": "main"}'
	run kill good
	called '.parameters.signal == 15 and .parameters.whom == "all"'
	run kill bad
	exits 1
	complains 'it has no such process'
	run kill -s NOSUCH good
	exits 2
}

test_the_manager()
{
	serve "$answers"
	run exit --status=3
	exits 0
	called '.method == "Exit" and .parameters.status == 3'
	run poweroff
	exits 1
	complains 'not supported here: knelld is not the first process'
	run is-system-running
	exits 1
	prints '^degraded$'
	run reset-failed good
	called '.method == "ResetFailed" and .parameters.names == ["good.service"]'
	run reset-failed
	called '.method == "ResetFailed" and .parameters == {}'
	run reset-failed 'nothing*'
	[ "$(grep -c ResetFailed "$dir/calls")" -eq 2 ] || fail 'a pattern without a match is not all'
	run top --cpu=on rt
	called '.method == "Statistics" and .parameters == {"filter": "rt", "cpu": true}'
	prints '^Runtime(ms)   Invoked$'
	run top q
	exits 2
}

test_list_dependencies()
{
	serve "$answers"
	run list-dependencies app.target
	exits 0
	cat >"$dir/expected" <<-'END'
		● app.target
		● |-good.service
		× | |-bad.service
		● | `-app.target (see above)
		× `-bad.service (see above)
	END
	cmp -s "$dir/out" "$dir/expected" || fail "$(cat "$dir/out")"
	run list-dependencies --plain
	[ "$(cat "$dir/out")" = "good.service
bad.service" ] || fail "$(cat "$dir/out")"
	run list-dependencies --reverse good
	prints '^● . .-boot.target$'
	run list-dependencies --all app.target
	prints 'late.service'
	run list-dependencies --json app.target
	json '.dependencies | length == 4 and all(.[]; .of and .kind and .unit and .active)'
}

test_tree_finds_the_processes()
{
	serve "$answers"
	run tree
	exits 0
	prints "^  $$ .*  main, .* CPU, "
	prints "^    *${server} fake_server"
	prints '^  1000 processes, .*; [0-9]* of them have left their family'
	run tree --json
	json ".units[0].processes | any(.[]; .pid == $server and .ppid > 0 and .rssKiB > 0)"
}

test_plot_is_xml()
{
	serve "$answers"
	run plot
	exits 0
	xmllint --noout "$dir/out" || fail 'not well-formed'
	prints 'good.service (1.250s)</text>'
	prints '>&lt;&amp;&quot;&gt;'
	prints 'class="failed"'
	prints 'app.target: 4s after the start of knelld'
	prints_not later.service
	[ "$(xmllint --xpath 'count(//*[local-name()="rect" and @class!="page" and
		@class!="up"])' "$dir/out")" -eq 4 ] ||
		fail "$(cat "$dir/out")"
	run blame
	[ "$(grep -o '[a-z]\+\.[a-z]\+' "$dir/out" | tr '\n' ' ')" = \
	  'later.service good.service bad.service app.target ' ] || fail "$(cat "$dir/out")"
	prints ' bad.service (failed)$'
}

test_json_of_everything()
{
	serve "$answers"
	commands >"$dir/commands"
	while read -r args; do
		# shellcheck disable=SC2086 # a list
		run $args --json
		if [ -s "$dir/out" ]; then
			jq -s . "$dir/out" >/dev/null || fail "$args --json: $(cat "$dir/out")"
		elif [ $status -eq 0 ]; then
			fail "$args --json printed nothing"
		fi
	done <"$dir/commands"
	# What is the reply itself is as the interface has it.
	for pair in list=ListUnits list-jobs=ListJobs timers=Timers history=History \
		metrics=Metrics plot=BootTimes top=Statistics status=ManagerStatus; do
		run "${pair%=*}" --json
		"$CONFORM" "$TEXT" reply "${pair#*=}" <"$dir/out" || fail "$pair"
	done
	run status --json good bad
	json '[.units[].unit.name] == ["good.service", "bad.service"]'
	run start --json good bad
	exits 1
	json '.jobs[1].result == "failed"'
	silent err
	run is-active --json good dep
	json '.units == [{"name": "good.service", "active": "active"}, {"name": "dep.service", "active": "inactive"}]'
}

# Nothing of a hostile text gets to a terminal: no control character but the ends of lines and
# knellctl's own colours, no C1, no change of direction.
harmless()
{
	LC_ALL=C sed 's/\x1b\[[0-9;]*m//g; s/\r\x1b\[K//g; s/\r$//' "$dir/out" >"$dir/bare"
	if LC_ALL=C grep -a -q -P '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]' "$dir/bare"; then
		fail "$1: $(cat -v "$dir/bare")"
	fi
}

test_hostile_texts_on_a_terminal()
{
	serve "$answers"
	export TERM=xterm
	commands >"$dir/commands"
	while read -r args; do
		run_tty "$args"
		harmless "$args"
		run_tty "$args" --json
		harmless "$args --json"
	done <"$dir/commands"
	run_tty list
	grep -q -F 'evil \x1b[31m\x07\x0aname: ok\x0d\u{9b}2J\u{202e}' "$dir/out" ||
		fail "not shown: $(cat -v "$dir/out")"
	# In no other locale, either.
	LC_ALL=C run list
	grep -q -F 'evil \x1b[31m\x07\x0aname: ok\x0d\u{9b}2J\u{202e}' "$dir/out" ||
		fail "not shown: $(cat -v "$dir/out")"
}

test_colours_are_for_terminals()
{
	serve "$answers"
	export TERM=xterm
	run list
	prints_not "$(printf '\033')"
	run_tty list
	prints "$(printf '\033\\[32m● good.service')"
	NO_COLOR=1 run_tty list
	prints_not "$(printf '\033')"
	prints 'good.service'
	TERM=dumb run_tty list
	prints_not "$(printf '\033')"
}

test_absurd_answers()
{
	serve "$here/absurd.json"
	commands >"$dir/commands"
	while read -r args; do
		# shellcheck disable=SC2086 # a list
		run $args
		# shellcheck disable=SC2086 # a list
		run $args --json
	done <"$dir/commands"
	serve "$here/empty.json"
	while read -r args; do
		# shellcheck disable=SC2086 # a list
		run $args
	done <"$dir/commands"
}

test_usage()
{
	run nonsense
	exits 2
	complains 'nonsense: no such command'
	run start
	exits 2
	complains 'usage: knellctl start UNIT...'
	run start --follow x
	exits 2
	complains 'start does not take --follow'
	run list --mode=fail
	exits 2
	run start --mode=never x
	exits 2
	complains '^knellctl: --mode: not a word it takes: never$'
	run history -n -1
	exits 2
	run --nonsense
	exits 2
	run --version
	exits 0
	prints '^knellctl '
	"$KNELLCTL" help --plain >"$dir/all"
	while read -r name; do
		run help "$name"
		exits 0
		prints "^usage: knellctl $name"
		run "$name" --help
		exits 0
		prints "^usage: knellctl"
	done <"$dir/all"
	run help --json
	json '.commands | length > 40'
}

run_tests
