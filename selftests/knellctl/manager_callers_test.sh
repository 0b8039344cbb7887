#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Whoever calls knelld: who may what, and what hostile and idle callers cost others, which is nothing.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

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

run_tests
