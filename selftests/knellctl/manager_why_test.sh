#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2119 # knelld's options are for others
#
# What knellctl and knelld say of why a unit is not up.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

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

run_tests
