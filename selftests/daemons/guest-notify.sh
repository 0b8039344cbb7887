# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# Readiness and the rest of the protocol as systemd's own program and library speak it. Sourced by
# guest.sh.

lib=${lib:?}

# unit_file NAME, its text on standard input
unit_file()
{
	cat >"/run/knell/system/$1"
}

notify_units()
{
	mkdir -p /run/knell/system
	unit_file said.service <<-'END'
		[Service]
		Type=notify
		NotifyAccess=all
		ExecStart=/bin/sh -c 'systemd-notify --status="all is well" && systemd-notify --ready && exec sleep infinity'
	END
	unit_file other.service <<-'END'
		[Service]
		Type=notify
		NotifyAccess=all
		ExecStart=/bin/sh -c 'sleep infinity & systemd-notify --ready --pid=$$! && wait'
	END
	unit_file deaf.service <<-'END'
		[Service]
		Type=notify
		NotifyAccess=main
		TimeoutStartSec=5s
		ExecStart=/bin/sh -c '(systemd-notify --ready; true); exec sleep infinity'
	END
	unit_file sd.service <<-END
		[Service]
		Type=notify-reload
		ExecStart=$lib/sd
		FileDescriptorStoreMax=4
		WatchdogSec=$((20 * ${slow:-1}))s
		Restart=on-watchdog
	END
	ctl daemon-reload
}

test_systemd_notify()
{
	unit=said.service
	check "systemd-notify: --ready is what a start waits for" ctl start "$unit"
	check "systemd-notify: --status is there" is "$unit" StatusText 'all is well'
	check "systemd-notify: is stopped" ctl stop "$unit"
	unit=other.service
	check "systemd-notify: --pid, too" ctl start "$unit"
	check "systemd-notify: and that is the main process" \
		grep -x sleep "/proc/$(main_pid "$unit")/comm"
	all=$(members "$unit")
	check "systemd-notify: is stopped" ctl stop "$unit"
	# shellcheck disable=SC2086 # a list
	check "systemd-notify: nobody is left" none_alive $all
	unit=deaf.service
	check "systemd-notify: not heard from others than NotifyAccess= says" not ctl start "$unit"
	check "systemd-notify: that was too late" is "$unit" Result timeout
}

test_libsystemd()
{
	unit=sd.service
	usec=$((20000000 * ${slow:-1}))
	check "libsystemd: starts" ctl start "$unit"
	check "libsystemd: a barrier, a watchdog, nothing kept" \
		is "$unit" StatusText "barrier=0 watchdog=$usec kept="
	check "libsystemd: a descriptor is stored" is "$unit" NFileDescriptorStore 1
	check "libsystemd: reloads" ctl reload "$unit"
	check "libsystemd: has reloaded" is "$unit" StatusText reloaded
	pid=$(main_pid "$unit")
	kill -USR1 "$pid"
	check "libsystemd: says that it hangs and is started again" wait_for is_back "$unit" "$pid"
	check "libsystemd: has got back what was stored" \
		is "$unit" StatusText "barrier=0 watchdog=$usec kept=42"
	check "libsystemd: is stopped" ctl stop "$unit"
	check "libsystemd: has ended well" is "$unit" Result success
	unit=
}
