#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knellctl and knelld together, on this machine, without the module.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

# The whole reply about a unit is as the interface has it; jq's filter holds for it.
status_is()
{
	run status --json "$1"
	jq '{status: .units[0]}' "$dir/out" | "$CONFORM" "$TEXT" reply UnitStatus ||
		fail "UnitStatus of $1: $(cat "$dir/out")"
	jq -e ".units[0] | $2" "$dir/out" >/dev/null || fail "$1 is not $2: $(cat "$dir/out")"
}

test_units_are_listed()
{
	sleeper a.service
	sleeper 'b\x2db.service'
	manage
	until_true is a active
	run list --all --json
	"$CONFORM" "$TEXT" reply ListUnits <"$dir/out" || fail "$(cat "$dir/out")"
	json '[.units[].name] == (["a.service", "b\\x2db.service", "basic.target", "default.target",
		"sysinit.target"] | sort)'
	json 'any(.units[]; .name == "a.service" and .active == "active" and .sub == "running" and
		.mainPid > 1)'
	run list --all --json 'b*' nosuch
	json '[.units[].name] == ["b\\x2db.service", "basic.target"]'
	unmanage
}

test_start_and_stop_wait()
{
	unit slow.service <<-END
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c 'until [ -e $dir/go ]; do sleep 0.1; done'
		ExecStop=/bin/sh -c 'sleep 0.3; touch $dir/stopped'
		[Install]
		WantedBy=nothing.target
	END
	manage
	rm -f "$dir/go" "$dir/stopped"
	run start --no-block slow
	exits 0
	is slow activating || fail 'it does not start'
	run list-jobs
	prints 'slow.service  *start  *running'
	status_is slow '.why.code == "starting" and
		(.why.step | startswith("ExecStart=/bin/sh")) and .why.pid > 1'
	"$KNELLCTL" --socket="$sock" start slow &
	client=$!
	touch "$dir/go"
	wait $client || fail 'start failed'
	is slow active || fail 'it is not waited for'
	run stop slow
	exits 0
	[ -e "$dir/stopped" ] || fail 'stop does not wait'
	status_is slow '.why.code == "stopped" and .unit.active == "inactive"'
	run stop slow
	exits 0
	unmanage
}

test_restart_and_its_kin()
{
	sleeper a.service
	manage
	until_true is a active
	first=$(pid_of a)
	run restart a
	exits 0
	[ "$(pid_of a)" != "$first" ] || fail 'the same process'
	run stop a
	run try-restart a
	exits 0
	is a inactive || fail 'try-restart started it'
	run reload a
	exits 3
	run start a
	run reload-or-restart a
	exits 0
	run start a
	exits 0
	unmanage
}

test_a_failed_start_is_explained()
{
	unit bad.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'exit 42'
		[Install]
		WantedBy=nothing.target
	END
	unit dep.service <<-'END'
		[Unit]
		Requires=bad.service
		After=bad.service
		[Service]
		ExecStart=/bin/sleep 100000
		[Install]
		WantedBy=nothing.target
	END
	unit far.service <<-'END'
		[Unit]
		Requires=dep.service
		After=dep.service
		[Service]
		ExecStart=/bin/sleep 100000
		[Install]
		WantedBy=nothing.target
	END
	manage
	status_is far '.why.code == "never"'
	run start bad
	exits 1
	complains 'bad.service was not started: it failed'
	complains 'Why: its main process /bin/sh (process [0-9]*) exited with status 42'
	status_is bad '.unit.active == "failed" and .why.code == "process" and
		.why.exit.status == 42'
	run is-failed bad
	exits 0
	run start far
	exits 1
	complains 'far.service was not started: a unit that it requires did not come up'
	complains 'Why: it needs dep.service, which needs bad.service, which is not up'
	complains 'Origin: bad.service: its main process /bin/sh'
	status_is far '.why.code == "dependency" and
		.why.chain == ["far.service", "dep.service", "bad.service"]'
	status_is bad '.holdsUp == ["dep.service", "far.service"]'
	run why
	exits 3
	prints '2 units held up: dep.service far.service'
	run status
	prints '     State: degraded'
	run reset-failed bad
	exits 0
	is bad inactive || fail 'it is still failed'
	run is-system-running
	prints '^running$'
	exits 0
	unmanage
}

test_names_that_cannot_be()
{
	sleeper masked.service
	ln -sf /dev/null "$units/masked.service"
	unit empty.service <<-'END'
		[Unit]
		Description=Nothing to do
	END
	unit refuses.service <<-'END'
		[Unit]
		RefuseManualStart=yes
		[Service]
		ExecStart=/bin/true
	END
	manage
	run start nosuch
	exits 5
	complains 'nosuch.service: no such unit'
	run status nosuch
	exits 4
	run start masked
	exits 6
	run start empty
	exits 6
	run start refuses
	exits 6
	run start a@.service
	exits 5
	run status masked
	exits 3
	prints 'Why: it is masked: nothing starts it'
	prints 'knellctl unmask masked.service'
	status_is empty '.unit.load == "bad" and .why.code == "bad" and .loadError != null'
	run cancel 1234567
	exits 1
	run kill nosuch
	exits 5
	run history nosuch
	exits 5
	run list-dependencies nosuch
	exits 5
	unmanage
}

# One for each reason.
units_that_are_not_up()
{
	unit cond.service <<-'END'
		[Unit]
		ConditionPathExists=!/
		[Service]
		ExecStart=/bin/true
	END
	unit assert.service <<-'END'
		[Unit]
		AssertPathExists=/nonexistent
		[Service]
		ExecStart=/bin/true
	END
	unit limit.service <<-'END'
		[Unit]
		StartLimitBurst=2
		[Service]
		ExecStart=/bin/sh -c 'kill -SEGV $$$$'
		Restart=always
		RestartSec=10ms
	END
	unit delay.service <<-'END'
		[Service]
		ExecStart=/bin/false
		Restart=always
		RestartSec=1000
	END
	unit pre.service <<-'END'
		[Service]
		ExecStartPre=/bin/false
		ExecStart=/bin/true
	END
	unit over.service <<-'END'
		[Service]
		ExecStart=/bin/true
	END
	unit timeout.service <<-'END'
		[Service]
		Type=oneshot
		TimeoutStartSec=100ms
		ExecStart=/bin/sleep 1000
	END
	unit waits.service <<-'END'
		[Unit]
		After=hangs.service
		[Service]
		ExecStart=/bin/true
	END
	unit hangs.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/sleep 1000
	END
}

test_why_it_is_not_up()
{
	units_that_are_not_up
	manage
	until_true is timeout failed
	until_true is limit failed
	until_true is delay activating
	run start cond
	exits 0
	complains 'cond.service: '
	status_is cond '.why.code == "condition" and
		.why.condition.name == "ConditionPathExists" and
		.why.condition.parameter == "!/" and .why.condition.line == 2'
	status_is assert '.why.code == "assertion" and .why.condition.parameter == "/nonexistent"'
	status_is limit '.why.code == "start_limit" and .why.exit.signal == "SIGSEGV"'
	status_is delay '.why.code == "delay" and .why.exit.status == 1 and
		.why.until.monotonicUsec > 0'
	status_is pre '.why.code == "command" and .why.exit.role == "ExecStartPre"'
	status_is over '.why.code == "finished"'
	status_is timeout '.why.code == "timeout"'
	status_is waits '.why.code == "waiting" and .why.waitsFor == ["hangs.service"]'
	status_is hangs '.why.code == "starting" and (.holdsUp | index("waits.service"))'
	run status cond
	prints 'Why: ConditionPathExists=!/ was not met (.*/cond.service:2)'
	run status delay
	prints 'Why: its main process /bin/false .* exited with status 1 .*; it is started again in 1[0-9]min'
	run status waits
	prints 'Why: its start job waits for hangs.service'
	run list-jobs --json
	"$CONFORM" "$TEXT" reply ListJobs <"$dir/out" || fail "$(cat "$dir/out")"
	json 'any(.jobs[]; .unit == "waits.service" and (.running | not) and
		.waitsFor == ["hangs.service"])'
	run cancel "$(jq '.jobs[] | select(.unit == "waits.service") | .id' "$dir/out")"
	exits 0
	is waits inactive || fail 'it was not canceled'
	unmanage
}

test_history_kill_and_tree()
{
	unit a.service <<-'END'
		[Service]
		ExecStart=/bin/sh -c 'sleep 100000 & exec sleep 200000'
		Restart=no
	END
	unit forks.service <<-END
		[Service]
		Type=forking
		PIDFile=$dir/forks.pid
		ExecStart=/bin/sh -c 'setsid sleep 300000 & echo \$\$! >$dir/forks.pid'
	END
	sleeper b.service
	manage
	until_true is a active
	until_true is forks active
	run tree --json forks
	json ".units[0].processes | length == 1 and .[0].pid == $(cat "$dir/forks.pid")"
	run tree --json a
	json '.units[0] | .unit == "a.service" and
		([.processes[].name] | sort) == ["sleep", "sleep"]'
	json '.units[0].members >= 1 and .units[0].rssKiB > 0'
	run tree
	prints '^b.service$'
	prints "^  $(pid_of a) sleep  main, "
	run kill --kill-whom=main -s USR1 a
	exits 0
	until_true is a failed
	run history a --json
	"$CONFORM" "$TEXT" reply History <"$dir/out" || fail "$(cat "$dir/out")"
	json '.exits[0] | .role == "main" and .signal == "SIGUSR1" and .failure and .runUsec > 0'
	run history -n 1
	[ "$(wc -l <"$dir/out")" -eq 2 ] || fail "$(cat "$dir/out")"
	run kill a
	exits 1
	complains 'it has no such process'
	run kill --kill-whom=control b
	exits 1
	unmanage
}

leads_a_session()
{
	[ "$(cut -d ' ' -f 6 "/proc/$1/stat")" = "$1" ]
}

# A daemon that gets out of its command's group when its service is up already is found by a stop.
test_a_daemon_that_leaves_late()
{
	unit late.service <<-END
		[Service]
		Type=forking
		PIDFile=$dir/late.pid
		ExecStart=/bin/sh -c '/bin/sh $dir/late & echo \$\$! >$dir/late.pid'
	END
	cat >"$dir/late" <<-END
		until [ -e $dir/leave ]; do sleep 0.05; done
		exec setsid sleep 300000
	END
	unit once.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/true
	END
	rm -f "$dir/leave" "$dir/late.pid"
	manage
	until_true is late active
	pid=$(pid_of late)
	touch "$dir/leave"
	until_true leads_a_session "$pid"
	# With any death it is seen that nobody is left in that group.
	run start once
	exits 0
	run stop late
	exits 0
	is late inactive || fail "it is not stopped: $(cat "$dir/log")"
	! kill -0 "$pid" 2>/dev/null || fail 'it runs on'
	unmanage
}

test_events()
{
	unit a.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/false
		[Install]
		WantedBy=nothing.target
	END
	sleeper b.service
	manage
	mkfifo "$dir/events"
	"$KNELLCTL" --socket="$sock" events --follow --json a >"$dir/events" 2>"$dir/events.err" &
	client=$!
	exec 4<"$dir/events"
	read -r first <&4
	[ "$(echo "$first" | jq -r .kind)" = ready ] || fail "$first"
	run restart b
	run start a
	exits 1
	echo "$first" >"$dir/seen"
	until tail -n 1 "$dir/seen" | grep -q job_done; do
		read -r line <&4 || fail "it ended: $(cat "$dir/events.err")"
		echo "$line" >>"$dir/seen"
	done
	exec 4<&-
	kill $client
	wait $client 2>/dev/null
	jq -c '{event: .}' "$dir/seen" | "$CONFORM" "$TEXT" reply Subscribe || fail "$(cat "$dir/seen")"
	jq -e -s 'all(.[1:][]; .unit == "a.service")' "$dir/seen" >/dev/null || fail "$(cat "$dir/seen")"
	for filter in '.kind == "job_new" and .jobType == "start"' \
		'.kind == "unit" and .active == "activating"' \
		'.kind == "exit" and .exit.status == 1' \
		'.kind == "unit" and .active == "failed" and .result == "exit-code"' \
		'.kind == "job_done" and .jobResult == "failed"'; do
		jq -e -s "any(.[]; $filter)" "$dir/seen" >/dev/null || fail "no $filter: $(cat "$dir/seen")"
	done
	unmanage
}

# Who subscribes and never reads loses events, is told so later, and costs nobody else anything.
test_a_reader_that_does_not_read()
{
	unit a.service <<-'END'
		[Unit]
		StartLimitIntervalSec=0
		[Service]
		Type=oneshot
		ExecStart=/bin/true
	END
	manage
	rm -f "$dir/events"
	mkfifo "$dir/events"
	"$KNELLCTL" --socket="$sock" events --follow --json >"$dir/events" &
	client=$!
	exec 4<"$dir/events"
	read -r _ <&4
	lost=0
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			"$KNELLCTL" --socket="$sock" start a || fail 'start failed'
		done
	done
	run is-active a
	exits 3
	# All it could not be sent is told as a number, once it reads again and something happens.
	timeout 60 jq -e -n 'first(inputs | select(.kind == "lost" and
		.lost > 0))' <&4 >"$dir/lost" &
	reading=$!
	while kill -0 $reading 2>/dev/null; do
		"$KNELLCTL" --socket="$sock" start a
	done
	wait $reading || lost=$?
	exec 4<&-
	kill $client 2>/dev/null
	wait $client 2>/dev/null
	[ $lost -eq 0 ] || fail 'nothing was lost'
	unmanage
}

# Anybody may call, with anything.
test_hostile_callers()
{
	sleeper a.service
	sleeper t@.service
	unit b.service <<-'END'
		[Unit]
		Requires=bad.service
		After=bad.service
		[Service]
		ExecStart=/bin/sleep 100000
	END
	unit bad.service <<-'END'
		[Service]
		ExecStart=/bin/false
		Restart=always
		RestartSec=20ms
		StartLimitIntervalSec=0
	END
	unit slow.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/sleep 1000
	END
	unit tick.timer <<-'END'
		[Timer]
		OnActiveSec=10ms
		OnUnitInactiveSec=10ms
		Unit=a.service
	END
	unit web.socket <<-END
		[Socket]
		ListenStream=$dir/web
	END
	sleeper web.service
	unit one.target <<-'END'
		[Unit]
		AllowIsolate=yes
		Wants=a.service
	END
	manage
	chmod 755 "$dir"
	for seed in 1 2 3; do
		timeout 120 "$HOSTILE" "$sock" "$TEXT" $seed "${HOSTILE_ROUNDS:-1500}" >"$dir/hostile" ||
			fail "seed $seed: $(cat "$dir/hostile" "$dir/log" | tail -n 40)"
	done
	# Those who may only read, too.
	timeout 120 setpriv --reuid=65534 --regid=65534 --clear-groups "$HOSTILE" "$sock" "$TEXT" 4 \
		"${HOSTILE_ROUNDS:-1500}" >"$dir/hostile" || fail "$(cat "$dir/hostile")"
	run start a
	exits 0
	run why
	unmanage
}

test_files_are_read_again()
{
	sleeper a.service
	manage
	until_true is a active
	unit a.service <<-'END'
		[Unit]
		Description=Another
		[Service]
		ExecStart=/bin/sleep 300000
	END
	sleeper new.service
	run daemon-reload
	exits 0
	status_is a '.changed and .unit.description == "Another"'
	until_true is new active
	run restart a
	status_is a '.changed == false'
	unmanage
}

test_last_lines()
{
	unit a.service <<-END
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh -c 'printf "one\\n\\033[2Jtwo\\n\\377three\\n"'
		StandardOutput=file:$dir/output
	END
	unit b.service <<-'END'
		[Service]
		ExecStart=/bin/sleep 100000
		X-Knell-Logger=/bin/cat
	END
	sleeper c.service
	unit null.service <<-'END'
		[Service]
		ExecStart=/bin/sleep 100000
		StandardOutput=null
	END
	rm -f "$dir/output"
	manage
	until_true is a active
	run status -n 2 a
	prints "^  $dir/output:$"
	prints '^  \\x1b.2Jtwo$'
	prints 'three$'
	prints_not one
	# Whoever may not read the file is not told what is in it by knelld.
	chmod 755 "$dir"
	chmod 600 "$dir/output"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$KNELLCTL" --socket="$sock" status a \
		>"$dir/out" 2>"$dir/err"
	prints "^  $dir/output:$"
	prints_not two
	status_is b '.logger == "logger-b.service" and .output == null'
	# Of what no file has it is said where it is.
	status_is c '.output.kind == "manager" and .logFile == null'
	run status c
	prints "Output: goes where knelld's own log does: $dir/log$"
	status_is null '.output == {kind: "null"}'
	unmanage
}

test_dependencies()
{
	unit a.service <<-'END'
		[Unit]
		Wants=b.service
		After=b.service
		[Service]
		ExecStart=/bin/sleep 100000
	END
	sleeper b.service
	manage
	run show -p Wants,After,WantedBy a
	prints '^Wants=.*b.service'
	prints '^WantedBy=default.target$'
	run list-dependencies a
	prints 'a.service'
	prints '.-b.service'
	run list-dependencies --reverse b
	prints 'a.service'
	run list-dependencies
	prints '^. default.target$'
	run list-dependencies --json --all a
	json 'any(.dependencies[]; .of == "a.service" and .unit == "b.service")'
	unmanage
}

test_counters()
{
	sleeper a.service
	sleeper 'x\x22y.service'
	manage
	until_true is a active
	run metrics
	awk -f "$here/openmetrics.awk" "$dir/out" || fail "$(cat "$dir/out")"
	prints '^knelld_unit_up{unit="a.service"} 1$'
	prints '^knelld_unit_up{unit="x\\\\x22y.service"} 1$'
	prints '^knelld_info{version=".*",backend="pidfd"} 1$'
	run top --json --cpu=on
	"$CONFORM" "$TEXT" reply Statistics <"$dir/out" || fail "$(cat "$dir/out")"
	run top
	prints '^Runtime(ms)   Invoked Avg uSec'
	prints ' TOTAL'
	run top q
	exits 2
	run plot
	xmllint --noout "$dir/out" || fail "$(cat "$dir/out")"
	prints '>a.service ('
	run plot --json
	"$CONFORM" "$TEXT" reply BootTimes <"$dir/out" || fail "$(cat "$dir/out")"
	run blame
	prints ' a.service$'
	run status --json
	"$CONFORM" "$TEXT" reply ManagerStatus <"$dir/out" || fail "$(cat "$dir/out")"
	json '.state == "running" and .units >= 3 and .backend == "pidfd"'
	unmanage
}

# A unit that came back by itself took the time of its latest start, not all since its first.
test_a_start_again_is_the_latest()
{
	unit a.service <<-END
		[Service]
		ExecStart=/bin/sleep 100000
		Restart=always
		RestartSec=10ms
	END
	manage --keep=test
	until_true is a active
	first=$("$KNELLCTL" --socket="$sock" show -p ActiveEnterTimestampMonotonic --value a)
	pid=$(pid_of a)
	kill -9 "$pid"
	until_true has_another_pid a "$pid"
	again=$("$KNELLCTL" --socket="$sock" show -p InactiveExitTimestampMonotonic --value a)
	[ "$again" -gt "$first" ] || fail "it began at $again and was up at $first before"
	# A queue cannot be kept here, whatever it was to be called.
	run status --json
	json 'has("queue") | not'
	unmanage
}

has_another_pid()
{
	is "$1" active && [ "$(pid_of "$1")" != "$2" ]
}

# A user's own, on a machine with a device that is root's.
test_a_users_own()
{
	[ "$(id -u)" -eq 0 ] || fail 'this test needs root'
	mkdir -p "$dir/run" "$dir/config/knell/user"
	printf '[Service]\nExecStart=/bin/sleep 100000\n' >"$dir/config/knell/user/mine.service"
	chmod 755 "$dir" && chown -R 65534:65534 "$dir/run" "$dir/config"
	export XDG_RUNTIME_DIR="$dir/run" XDG_CONFIG_HOME="$dir/config" HOME="$dir/config" KNELLD
	# shellcheck disable=SC2016 # for the other shell
	unshare -m sh -e -c 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3
		mknod -m 600 /dev/knell c 1 3
		exec setpriv --reuid=65534 --regid=65534 --clear-groups "$KNELLD" --user' \
		>"$dir/log" 2>&1 </dev/null &
	manager=$!
	sock=$dir/run/knell/control
	until_true test -S "$sock"
	until_true is mine active
	run status --json
	json '.scope == "user" and .backend == "pidfd" and (.unitPath | index("'"$dir"'/config/knell/user"))'
	"$KNELLCTL" --user is-active -q mine || fail "knellctl --user does not find it"
	unmanage
	unset XDG_RUNTIME_DIR XDG_CONFIG_HOME
}

test_who_may_what()
{
	[ "$(id -u)" -eq 0 ] || fail 'this test needs root'
	sleeper a.service
	manage
	until_true is a active
	chmod 755 "$dir"
	other="setpriv --reuid=65534 --regid=65534 --clear-groups $KNELLCTL --socket=$sock"
	$other list >"$dir/out" || fail 'it may not read'
	prints a.service
	for args in 'start a' 'stop a' 'kill a' 'reset-failed' 'daemon-reload' 'exit' 'top --cpu=on' \
		'cancel 1' 'restart --no-block a'; do
		# shellcheck disable=SC2086 # a list
		status=0
		# shellcheck disable=SC2086 # a list
		$other $args >"$dir/out" 2>"$dir/err" || status=$?
		exits 4
		complains 'permission denied'
	done
	# A name that nobody has asked for does not become a unit by that.
	$other status other.service 2>"$dir/err" && fail 'it is there'
	run list --all --plain
	prints_not other.service
	unmanage
	manage --control-read=owner
	status=0
	$other list >"$dir/out" 2>"$dir/err" || status=$?
	exits 4
	run list
	exits 0
	unmanage
}

test_knelld_ends()
{
	unit hangs.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/sleep 1000
		[Install]
		WantedBy=nothing.target
	END
	sleeper a.service
	manage
	run poweroff
	exits 1
	complains 'knelld is not the first process here'
	"$KNELLCTL" --socket="$sock" start hangs 2>"$dir/err" &
	client=$!
	until_true is hangs activating
	run daemon-reexec
	exits 1
	complains 'not supported here: that takes the module'
	run exit --status=7
	exits 0
	status=0
	wait "$manager" || status=$?
	manager=
	exits 7
	status=0
	wait $client || status=$?
	exits 1
	[ ! -e "$sock" ] || fail 'the socket is still there'
	run list
	exits 1
	complains 'knelld does not run'
}

test_timers_and_sockets()
{
	unit tick.timer <<-'END'
		[Timer]
		OnActiveSec=1h
		OnUnitActiveSec=1h
		Unit=work.service
	END
	unit work.service <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/true
		[Install]
		WantedBy=nothing.target
	END
	unit web.socket <<-END
		[Socket]
		ListenStream=$dir/web
	END
	unit web.service <<-'END'
		[Service]
		ExecStart=/bin/sleep 100000
		[Install]
		WantedBy=nothing.target
	END
	manage
	until_true is tick.timer active
	run timers --json
	"$CONFORM" "$TEXT" reply Timers <"$dir/out" || fail "$(cat "$dir/out")"
	json '.timers[0] | .unit == "tick.timer" and .activates == "work.service" and
		.next.monotonicUsec > 0 and (has("last") | not)'
	status_is tick.timer '.triggers == ["work.service"] and .next.monotonicUsec > 0'
	status_is work '.why.code == "trigger" and .why.triggeredBy == ["tick.timer"]'
	run status work
	prints 'Why: it is started by tick.timer'
	unit each.socket <<-END
		[Socket]
		ListenStream=$dir/each
		Accept=yes
	END
	unit each@.service <<-'END'
		[Service]
		ExecStart=/bin/sleep 100000
	END
	run daemon-reload
	until_true is each.socket active
	status_is each.socket '.connections == 0'
	until_true is web.socket active
	status_is web.socket '.listen == ["ListenStream='"$dir"'/web"] and
		.triggers == ["web.service"]'
	status_is web '.triggeredBy == ["web.socket"] and .why.code == "trigger"'
	unmanage
}

test_isolate()
{
	sleeper a.service
	sleeper b.service
	unit one.target <<-'END'
		[Unit]
		AllowIsolate=yes
		Wants=a.service
	END
	manage
	until_true is b active
	run isolate one.target
	exits 0
	is a active || fail 'a is gone'
	until_true is b inactive
	run isolate a
	exits 3
	unmanage
}

run_tests
