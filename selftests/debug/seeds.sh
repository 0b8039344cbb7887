#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Shows that a debug kernel tells: for each fault of seeds/knell_seed.c boots the guest of "make
# check-debug", makes it, and expects what follows to be found by what decides there, console-clean.sh
# or the guest's init, in the detector's own words; without a fault there must be nothing. Ends with
# "N passed, N failed".
#
# usage: seeds.sh KIND KDIR	(check.sh calls it, and has told in the environment which kernel to boot)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
qemu=$here/../qemu
kind=$1 kdir=$2
build=$KNELL_BUILD
out=$build/$kind/seeds
passed=0 failed=0

# One a line: the fault, and what is to be said.
faults()
{
	case $kind in
	memory) cat <<-'END' ;;
		use_after_free BUG: KASAN: .*use-after-free in
		out_of_bounds BUG: KASAN: slab-out-of-bounds in
		leak not ok 1 nothing has leaked
		lock_order possible circular locking dependency detected
		lock_context inconsistent lock state
		rcu_unlocked suspicious RCU usage
		sleep_in_atomic BUG: sleeping function called from invalid context
		timer_freed ODEBUG: free active
		shift_too_far UBSAN: shift-out-of-bounds
		list_broken list_del corruption
		task_hung INFO: task .* blocked for more than
		cpu_locked_up soft lockup
	END
	races) cat <<-'END' ;;
		data_race BUG: KCSAN: data-race in .*\[knell_seed\]
		sleep_in_atomic BUG: sleeping function called from invalid context
	END
	esac
	echo none
}

prepare()
{
	rm -rf "$out"
	mkdir -p "$out/files/lib" "$out/files/tests" "$out/guest/qemu" "$out/module"
	cp "$here/seeds/Kbuild" "$here/seeds/knell_seed.c" "$out/module"
	make -s -C "$kdir" M="$out/module" UBSAN_SANITIZE=y modules
	make -s -C "$here/.." build="$build" guest
	cp "$build/qemu/init" "$build/qemu/insmod" "$out/guest/qemu"
	cp "$out/module/knell_seed.ko" "$out/files/lib"
	cat >"$out/files/tests/seed" <<-'END'
		#!/bin/sh
		echo 10 >/proc/sys/kernel/hung_task_timeout_secs
		echo 3 >/proc/sys/kernel/watchdog_thresh
		echo 1..1
		/sbin/insmod /lib/knell_seed.ko fault=$1 && echo ok 1 || echo not ok 1
	END
	chmod +x "$out/files/tests/seed"
	export KNELL_BUILD="$out/guest" KNELL_MODULE=/nonexistent KNELL_GUEST_FILES="$out/files" KNELL_RUNNER=$$
	"$qemu/guest-root.sh"
}

# What was found in the machine of fault $1 is in "found", as boots.sh would fail for it. Leaks are looked
# for where there is one and where there is nothing: it takes minutes.
boot()
{
	case $1 in
	leak|none) leaks='' ;;
	*) leaks=kmemleak=off ;;
	esac
	echo "seed 300 $1" | "$qemu/run-list.sh" "$out/$1" -s 300 -t 1800 -m "$MEMORY" \
		-a "loglevel=5 $leaks $APPEND" >/dev/null || true
	"$qemu/console-clean.sh" "$out/$1/console.log" >"$out/$1/found" || true
	tr -d '\r' <"$out/$1/result" | grep 'not ok' >>"$out/$1/found" || true
	[ "$1" != none ] || grep -q '^DONE' "$out/$1/result" || echo 'did not get to its end' >>"$out/$1/found"
}

prepare
faults >"$out/faults"
while read -r fault said; do
	boot "$fault" </dev/null
	if { [ -n "$said" ] && grep -q -e "$said" "$out/$fault/found"; } ||
		{ [ -z "$said" ] && [ ! -s "$out/$fault/found" ]; }; then
		echo "seeds: $fault: ok, ${said:-nothing said}"
		passed=$((passed + 1))
	else
		echo "seeds: $fault: expected ${said:-nothing}:"
		cat "$out/$fault/found"
		tail -n 30 "$out/$fault/console.log"
		failed=$((failed + 1))
	fi
done <"$out/faults"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
