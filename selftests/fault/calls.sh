#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Each call that knelld makes of the C library fails once, with each errno that it may (calls.c), while it
# starts, restarts, times, listens, reloads, answers and stops. Whatever fails, knelld lives on to do the
# same once more without a fault, knows of every end of every process, stops as it should and leaves
# nobody behind; and unless trying again was all there was to do, the log says what went wrong. Prints
# TAP.
#
# usage: calls.sh DIR KNELLD KNELLCTL CALLS.SO [NR [SEED [CALL[:SITE]]]]
#   NR    of the faults are tried, by SEED (all)
#   CALL  only of this call
set -eu

dir=$1 knelld=$2 knellctl=$3 calls=$4 nr=${5:-1000000} seed=${6:-1} only=${7:-}
units='flaky.service long.service fifo.service tick.timer door.socket fifo.socket'
here=$(cd "$(dirname "$0")" && pwd)


services()
{
	mkdir -p "$dir/units"
	# Whoever runs says so, by his pid.
	cat >"$dir/ran" <<-END
		echo \$\$ >>$dir/pids
		case \$1 in
		flaky) [ -e $dir/flaky ] && exec sleep 100000; : >$dir/flaky; exit 1 ;;
		long) exec sleep 100000 ;;
		fifo) read -r line <&3; exec sleep 100000 ;;
		esac
	END
	service once 'Type=oneshot' "ExecStartPre=/bin/sh $dir/ran pre"
	service flaky 'Restart=on-failure' 'RestartSec=1ms'
	service long "ExecReload=/bin/sh $dir/ran reload" "WorkingDirectory=$dir" 'LimitNOFILE=200' 'UMask=027' \
		"StandardOutput=append:$dir/out" 'OOMScoreAdjust=10' 'Nice=1' 'Environment=A=b'
	service tick 'Type=oneshot'
	service fifo
	service door@ 'StandardInput=socket'
	printf '[Timer]\nOnActiveSec=1ms\nOnUnitActiveSec=100s\nAccuracySec=1us\n' >"$dir/units/tick.timer"
	printf '[Socket]\nListenFIFO=%s/fifo\n' "$dir" >"$dir/units/fifo.socket"
	printf '[Socket]\nListenStream=%s/door\nAccept=yes\n' "$dir" >"$dir/units/door.socket"
}

service()
{
	name=$1
	shift
	{
		printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\n'
		printf '%s\n' "$@" "ExecStart=/bin/sh $dir/ran $name"
	} >"$dir/units/$name.service"
}

ctl()
{
	timeout 60 "$knellctl" --socket="$dir/control" "$@" >>"$dir/ctl" 2>&1 </dev/null
}

# Until a command is so, or knelld is gone.
await()
{
	tries=0
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || return 1
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.05
	done
}

# A FIFO that is open for both waits for nobody.
knock()
{
	[ ! -p "$dir/fifo" ] || echo hello 1<>"$dir/fifo"
	timeout 10 "$knellctl" --socket="$dir/door" list >/dev/null 2>&1 || true
}

# What it is asked to do, whether it can or not.
use()
{
	ctl daemon-reload || true
	ctl start once || true
	ctl restart long flaky || true
	ctl reload long || true
	ctl list --json || true
	knock
	ctl start tick.service || true
}

# The same, and it can. Who has been woken by a FIFO, and has not read, would be woken again.
use_again()
{
	ctl stop fifo.socket fifo.service || return
	ctl daemon-reload && ctl restart tick.timer door.socket fifo.socket || return
	ctl start once tick.service && ctl restart long flaky && ctl reload long || return
	[ -p "$dir/fifo" ] && [ -S "$dir/door" ] || return
	echo hello 1<>"$dir/fifo"
	await ctl is-active fifo.service long.service flaky.service tick.timer
}

# How processes ended, of which those that said that they ran are a part.
all_ends_are_known()
{
	# It may be now that it fails.
	# shellcheck disable=SC2086 # a list
	ctl stop $units || ctl stop $units || true
	await known
}

known()
{
	timeout 60 "$knellctl" --socket="$dir/control" history --json --lines=1000 >"$dir/history" 2>>"$dir/ctl" || return
	jq -r '.. | .pid? // empty' "$dir/history" | sort -u >"$dir/ended"
	sort -u "$dir/pids" | comm -23 - "$dir/ended" >"$dir/lost"
	[ -s "$dir/pids" ] && [ ! -s "$dir/lost" ]
}

# Has the log, or who asked, been told? A call that is made again is no matter for that.
is_told()
{
	case $errno in
	4|11) return 0 ;;
	esac
	grep -qF "$(message)" "$dir/log" "$dir/ctl" || grep -q 'has hung up' "$dir/ctl" || is_silent
}

# In which a call returns to $1, the innermost first: the call is before that.
functions_at()
{
	addr2line -i -f -e "$knelld" "$(printf '0x%x' $((0x$1 - 1)))" 2>/dev/null | sed -n 'p;n'
}

function_at()
{
	functions_at "$1" | head -n 1
}

# calls.table says of a function why nothing need be told when this call of its fails.
is_silent()
{
	site=${fault#*:}
	functions=$(functions_at "${site%%:*}")
	for function in $functions; do
		! grep -q "^${fault%%:*} $function	" "$here/calls.table" || return 0
	done
	echo "$fault $functions" | tr '\n' ' ' >>"$dir/silent"
	echo >>"$dir/silent"
	return 1
}

message()
{
	case $errno in
	5) echo 'Input/output error' ;;
	12) echo 'memory' ;;
	24) echo 'Too many open files' ;;
	28) echo 'No space left on device' ;;
	esac
}

bad()
{
	echo "# $fault: $*"
	sed 's/^/# | /' "$dir/log"
	sed 's/^/# ctl | /' "$dir/ctl" | tail -n 20
	return 1
}

begin()
{
	# What another one has left would be taken for this one's.
	rm -rf "$dir/units" "$dir/pids" "$dir/flaky" "$dir/fifo" "$dir/door" "$dir/control" "$dir/told" \
		"$dir/ctl" "$dir/out" "$dir/log"
	services
	: >"$dir/ctl"
	: >"$dir/pids"
	LD_PRELOAD=$calls KNELL_FAULT=$fault KNELL_FAULT_FILE=$dir/told \
		"$knelld" --unit-dir "$dir/units" --backend=pidfd --control "$dir/control" 2>"$dir/log" &
	pid=$!
}

# It answers, or has said that it cannot.
reached()
{
	ctl list || grep -q 'knellctl cannot reach us' "$dir/log"
}

try()
{
	begin
	await reached || true
	if grep -q 'knellctl cannot reach us' "$dir/log"; then
		mute=$((mute + 1))
		stops
		return
	fi
	if ! kill -0 "$pid" 2>/dev/null; then
		wait "$pid" && status=0 || status=$?
		# It may refuse to begin, if it says why.
		[ "$status" -eq 1 ] && is_told && refused=$((refused + 1)) && return
		bad "ended, status $status, before it was asked anything"
		return
	fi
	use
	kill -0 "$pid" 2>/dev/null || { bad 'is gone'; return; }
	# It may be now that it fails.
	use_again || use_again || { bad 'does not do again what it did'; return; }
	all_ends_are_known || { bad "has not seen the end of $(tr '\n' ' ' <"$dir/lost")"; return; }
	stops || return
	grep -q '^failed' "$dir/told" 2>/dev/null || { idle=$((idle + 1)); return 0; }
	is_told || bad 'nothing is said of it'
}

# As it is asked to, and all that it has started with it.
stops()
{
	kill "$pid"
	wait "$pid" && status=0 || status=$?
	[ "$status" -eq 0 ] || { bad "status $status"; return; }
	! pgrep -f "$dir/ran" >/dev/null || { bad "has left $(pgrep -a -f "$dir/ran")"; return; }
}

# Each call's errnos: what it may say for want of something, or because a signal came.
errnos()
{
	case $1 in
	malloc|calloc|realloc|mmap|open_memstream|sigaltstack|fdopen|fdopendir|setsockopt|mkfifo) echo 12 ;;
	# These fail for what they are asked alone.
	sigaction|sigprocmask|setsid|kill|getsockopt|getsockname|listen|shutdown|setrlimit|setpriority|prctl) ;;
	read|recv|recvmsg|accept4|getrandom) echo 4 11 5 12 ;;
	# There is nothing for want of which these fail.
	poll|epoll_wait|waitid|waitpid) echo 4 ;;
	write|pwrite) echo 4 11 5 28 ;;
	send) echo 4 11 12 ;;
	fork|clone) echo 11 12 ;;
	open|openat|fopen|opendir|inotify_init1|socket|eventfd|epoll_create1|timerfd_create|pipe2|memfd_create|syscall)
		echo 4 12 24 5 ;;
	dup2) echo 4 ;;
	# To have another number for a descriptor there may be none.
	fcntl) echo 24 ;;
	# What makes or writes something wants room for it.
	bind|mkdir|mkdirat|rename|symlink|inotify_add_watch|epoll_ctl) echo 12 5 28 ;;
	*) echo 12 5 ;;
	esac
}

mkdir -p "$dir"
idle=0 refused=0 mute=0 fault=
: >"$dir/silent"
try || { echo 'not ok 1 without a fault'; echo 1..1; exit 1; }
cp "$dir/told" "$dir/counts"
idle=0
# Of each place one, by chance the first or a later one; all that follows is the same for the same seed.
sort "$dir/counts" | while read -r _ name site n; do
	call=$name
	# These are epoll_pwait2(2) and waitid(2).
	case $call:$(function_at "$site") in
	syscall:wait_until|syscall:has_ended) call=waitid ;;
	esac
	for errno in $(errnos "$call"); do
		echo "$name:$site $n $errno"
	done
done | awk -v seed="$seed" 'BEGIN { srand(seed) }
	{ printf "%.9f %s:%d:%s\n", rand(), $1, rand() < 0.5 ? 1 : 1 + int(rand() * $2), $3 }' >"$dir/all"
sort "$dir/all" | cut -d ' ' -f 2 | grep "^$only" | head -n "$nr" >"$dir/faults"
total=0
: >"$dir/failed"
while read -r fault; do
	errno=${fault##*:}
	total=$((total + 1))
	try || echo "$fault" >>"$dir/failed"
done <"$dir/faults"
# A test is a call, wherever it is made.
cut -d : -f 1 "$dir/faults" | sort -u >"$dir/tests"
echo 'ok 1 without a fault'
n=1
while read -r call; do
	n=$((n + 1))
	! grep -q "^$call:" "$dir/failed" || printf 'not '
	echo "ok $n $call"
done <"$dir/tests"
echo "1..$n"
echo "# $total of $(wc -l <"$dir/all") faults: $(wc -l <"$dir/failed") failed, $refused had it refuse to begin, $mute be out of reach, $idle were not reached"
[ ! -s "$dir/failed" ]
