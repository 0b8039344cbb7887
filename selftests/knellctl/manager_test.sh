#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knellctl and knelld together, on this machine, without the module: units, jobs, what is told of them.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

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
