#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loading, unloading, parameters, and that nothing stays behind. runner-limit: 900

ko=${KNELL_KO:-/lib/knell.ko}
helper=$(dirname "$0")/module_helper
params=/sys/module/knell/parameters
insmod=insmod
[ ! -x /sbin/insmod ] || insmod=/sbin/insmod
nr=0

loaded()
{
	[ -d /sys/module/knell ]
}

load()
{
	$insmod "$ko" "$@" 2>/dev/null
}

unload()
{
	rmmod knell 2>/dev/null
}

reload()
{
	{ ! loaded || unload; } && load "$@"
}

# What the kernel has complained about so far.
complaints()
{
	dmesg | grep -c -e 'WARNING:' -e 'BUG' -e 'Oops' -e 'refcount_t' -e 'Call Trace' \
		-e 'Objects remaining' -e 'scheduling while atomic'
}

mode()
{
	stat -c %a /dev/knell
}

run()
{
	nr=$((nr + 1))
	if "$1"; then
		echo "ok $nr module.$1"
	else
		echo "not ok $nr module.$1"
		failed=1
	fi
}

# Says what was not so, for whoever reads the log.
no()
{
	echo "# $*"
	return 1
}

refuses_to_go_while_open()
{
	[ "$(cat /sys/module/knell/refcnt)" = 0 ] || no "references at the start" || return
	exec 9<>/dev/knell
	[ "$(cat /sys/module/knell/refcnt)" = 1 ] || no "no reference by open" || return
	if unload; then
		exec 9<&-
		no "unloaded under a queue"
		return
	fi
	loaded || no "gone under a queue" || return
	# It goes on working: another queue, and the old one.
	"$helper" $$ || no "does not work any more" || return
	exec 9<&-
	[ "$(cat /sys/module/knell/refcnt)" = 0 ] || no "references after close" || return
	unload || no "does not go after close" || return
	! loaded && load
}

cache_exists()
{
	grep -q '^knell' /proc/slabinfo && return
	for cache in /sys/kernel/slab/knell*; do
		[ ! -e "$cache" ] || return 0
	done
	return 1
}

leaves_nothing_behind()
{
	cache_exists || no "its cache is not to be found while it is loaded" || return
	[ -c /dev/knell ] || no "no device while it is loaded" || return
	"$helper" $$ || return
	unload || return
	! cache_exists || no "a cache is left" || return
	[ ! -e /dev/knell ] || no "the device node is left" || return
	[ ! -e /sys/class/misc/knell ] || no "the device is left" || return
	! grep -q knell /proc/misc || no "the misc device is left" || return
	! grep -q '\[knell\]' /proc/timer_list || no "a timer is left" || return
	load
}

# A process that was watched lives on and dies when nobody is there to hear it.
outlived_by_a_watched_process()
{
	sleep 100000 &
	watched=$!
	"$helper" "$watched" || return
	unload || no "a living process keeps it" || return
	kill -9 "$watched"
	wait "$watched" 2>/dev/null
	load
}

# FEWER times where that says so (knell_test.h).
loads_and_goes_200_times()
{
	i=0
	sleep 100000 &
	watched=$!
	while [ "$i" -lt $((200 / ${FEWER:-1})) ]; do
		"$helper" "$watched" || no "use $i" || return
		unload || no "rmmod $i" || return
		load || no "insmod $i" || return
		i=$((i + 1))
	done
	kill -9 "$watched"
	wait "$watched" 2>/dev/null
	"$helper" $$
}

mode_is_honoured()
{
	reload || return
	[ "$(mode)" = 600 ] || no "default: $(mode)" || return
	"$helper" mode
	[ $? -eq 2 ] || no "anybody may open it" || return
	reload mode=0660 || return
	[ "$(mode)" = 660 ] || no "0660: $(mode)" || return
	"$helper" mode
	[ $? -eq 2 ] || no "anybody may open 0660" || return
	reload mode=0666 || return
	[ "$(mode)" = 666 ] || no "0666: $(mode)" || return
	"$helper" mode || no "0666 is not for all" || return
	reload mode=0400 || return
	[ "$(mode)" = 400 ] || no "0400: $(mode)" || return
	! sh -c "echo 0666 >$params/mode" 2>/dev/null || no "mode can be written" || return
	reload
}

bad_modes_are_refused()
{
	unload || return
	for bad in 0777 0700 01666 04600 0100000 07777777 -1 abc 0668 ''; do
		! load "mode=$bad" || no "mode=$bad is taken" || return
		! loaded || no "mode=$bad has loaded it" || return
		[ ! -e /dev/knell ] || no "mode=$bad leaves a node" || return
		! cache_exists || no "mode=$bad leaves a cache" || return
	done
	load
}

# Is parameter $1, by default $2 or more, taken when the module is loaded and written to?
limit_is_honoured()
{
	reload || return
	default=$(cat "$params/$1")
	[ "$default" -ge "$2" ] || no "default of $1: $default" || return
	reload "$1=123" || return
	[ "$(cat "$params/$1")" = 123 ] || no "$1=123 is not taken" || return
	echo 4567 >"$params/$1" || return
	[ "$(cat "$params/$1")" = 4567 ] || no "$1=4567 is not taken" || return
	reload && [ "$(cat "$params/$1")" = "$default" ]
}

limits_are_honoured()
{
	limit_is_honoured max_user_watches 1001 && limit_is_honoured max_user_kept 64 &&
		limit_is_honoured max_user_queues 1024
}

bad_limit_is_refused()
{
	for bad in -1 abc 1x 99999999999999999999999 ''; do
		! sh -c "echo '$bad' >$params/$1" 2>/dev/null ||
			no "'$bad' is taken for $1 when loaded" || return
	done
	unload || return
	for bad in -1 abc 1x 99999999999999999999999; do
		! load "$1=$bad" || no "$1=$bad is taken" || return
		! loaded || no "$1=$bad has loaded it" || return
	done
	load
}

bad_limits_are_refused()
{
	bad_limit_is_refused max_user_watches && bad_limit_is_refused max_user_kept &&
		bad_limit_is_refused max_user_queues
}

# Uses of freed memory would be found: by KFENCE where the kernel has it, which Debian leaves off, and
# by SLUB's poison, unless something better is there and it was taken back (debug/check.sh).
freed_memory_is_watched()
{
	kfence=/sys/module/kfence/parameters/sample_interval
	[ ! -e "$kfence" ] || [ "$(cat "$kfence")" -gt 0 ] || no "KFENCE is off" || return
	! grep -q 'slub_debug=-' /proc/cmdline || return 0
	[ "$(cat /sys/kernel/slab/knell_watch/poison)" = 1 ] || no "SLUB does not poison"
}

makes_the_kernel_complain_of_nothing()
{
	[ "$(complaints)" -eq "$complaints_before" ] || no "see the kernel's log"
}

cases='refuses_to_go_while_open leaves_nothing_behind outlived_by_a_watched_process
mode_is_honoured bad_modes_are_refused limits_are_honoured bad_limits_are_refused
freed_memory_is_watched loads_and_goes_200_times makes_the_kernel_complain_of_nothing'

# shellcheck disable=SC2086 # a list
set -- $cases
echo 'TAP version 13'
echo "1..$#"
failed=0
complaints_before=$(complaints)
loaded || load
for case in $cases; do
	run "$case"
	# Whatever it left, the next one and the next program find the module.
	loaded || load
done
exit $failed
