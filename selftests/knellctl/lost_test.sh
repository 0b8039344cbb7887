#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knellctl and knelld together: what they tell of units that have no file any more.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

# Two that fail, the one with a process of its own, the other without any.
test_a_failure_outlives_its_file()
{
	unit lost.service <<-'END'
		[Unit]
		Description=Lost
		[Service]
		ExecStart=/bin/sh -c 'exit 42'
		[Install]
		WantedBy=nothing.target
	END
	# Nobody here has that address.
	unit deaf.socket <<-'END'
		[Socket]
		ListenStream=203.0.113.1:9
		[Install]
		WantedBy=nothing.target
	END
	sleeper deaf.service
	# shellcheck disable=SC2119 # without options
	manage
	run start deaf.socket
	exits 1
	run start lost
	until_true is lost failed
	run why deaf.socket
	exits 3
	prints 'Why: the system refused what it needs'
	cp "$dir/out" "$dir/before"
	rm "$units/lost.service" "$units/deaf.socket" "$units/deaf.service"
	run daemon-reload
	exits 0
	run why deaf.socket
	exits 3
	grep ' Why: ' "$dir/before" | diff - "$dir/out" | grep '^<' && fail 'it fails for something else'
	prints 'File: it is gone by now: nothing starts it'
	run why lost
	exits 3
	prints '^× lost.service - Lost: failed (failed)$'
	prints 'Why: its main process /bin/sh (process [0-9]*) exited with status 42'
	prints 'File: it is gone by now'
	prints 'Next: knellctl reset-failed lost.service forgets it'
	prints_not 'knellctl start'
	run status --json lost
	json '.units[0] | .unit.load == "not_found" and .unit.active == "failed" and
		.why.code == "process"'
	run why
	exits 3
	prints '^× deaf.socket'
	prints '^× lost.service'
	run list
	prints '^× lost.service  *not-found  *failed'
	run start lost
	exits 5
	ln -s /dev/null "$units/lost.service"
	run daemon-reload
	run why lost
	prints 'exited with status 42'
	prints 'File: it is masked by now'
	prints 'Next: knellctl unmask lost.service'
	rm "$units/lost.service"
	run reset-failed lost.service deaf.socket
	run daemon-reload
	run why lost
	prints 'Why: there is no file for it'
	run why deaf.socket
	complains 'deaf.socket: no such unit'
	unmanage
}

run_tests
