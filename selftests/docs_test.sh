#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The commands that the documentation shows do what it says, all of a page one after the other, on a
# machine such as it is after "make", as root. "..." in what a page prints is whatever is there. What only
# looks is looked at again until it is so, for as long as a patient reader would; what changes something
# is done once. See qemu/docs.sh. runner-limit: 600

# perform DIR NR: the page's commands; the first one is test NR
perform()
{
	docs=$1 nr=$2 patience=60
	for where in "$docs"/*.where; do
		# All of a page's may be others' to run.
		[ -e "$where" ] || continue
		base=${where%.where}
		# In this shell: where it is and what it exports are the next command's.
		if [ -e "$base.path" ]; then
			name="the file $(cat "$base.path")"
			write_file
			said=$?
		else
			name=$(head -n 1 "$base.run")
			run_until
			said=$?
		fi
		if [ $said -eq 0 ]; then
			echo "ok $nr $(cat "$where"): $name"
		else
			echo "not ok $nr $(cat "$where"): $name"
			# What comes after it is not as it should be, either.
			patience=1
		fi
		nr=$((nr + 1))
	done
}

write_file()
{
	file=$(cat "$base.path")
	mkdir -p "${file%/*}" && cp "$base.file" "$file"
}

looks()
{
	grep -q -E '^(cat|grep|ls|tail|(build/)?knellctl (status|list|why|history|is-active|timers|tree|show|queues|watches))' \
		"$base.run"
}

run_until()
{
	# What an earlier command has left in the background may still write to its own.
	out=/tmp/.said/${base##*/}
	expected=0 tries=0
	[ ! -e "$base.status" ] || expected=$(cat "$base.status")
	while :; do
		# shellcheck disable=SC1090 # as a reader types it
		. "$base.run" >"$out" 2>&1 </dev/null
		ended=$?
		[ $ended -ne "$expected" ] || ! awk -f /docs/same.awk "$base.expect" "$out" || return 0
		tries=$((tries + 1))
		if ! looks || [ $tries -ge $((patience * 5)) ]; then
			break
		fi
		sleep 0.2
		out=/tmp/.said/${base##*/}.again
	done
	echo "# exit status $ended, not $expected, or this was not expected:"
	sed 's/^/# /' "$out"
	[ ! -e /tmp/knelld.log ] || tail -n 5 /tmp/knelld.log | sed 's/^/# its log: /'
	return 1
}

# On a machine of one's own, as far as it goes: processes, files that are written to, no module.
if [ "${1:-}" = -page ]; then
	mount -t tmpfs tmpfs /run && cp -a /etc /run/.etc && mount --bind /run/.etc /etc &&
		mount -t tmpfs tmpfs /tmp && mkdir -p /tmp/.said /tmp/knell/build /tmp/knell/kmod || exit
	ln -s /sbin/knelld /sbin/knellctl /tmp/knell/build && ln -s /sbin/knelld /tmp/knell/build/knelld-static
	ln -s "${KNELL_KO:-/lib/knell.ko}" /tmp/knell/kmod/knell.ko
	[ ! -e /sys/module/knell ] || rmmod knell || exit
	cd /tmp/knell && perform "$2" "$3"
	exit
fi

echo 'TAP version 13'
echo "1..$(cat /docs/*/count /docs/*/*/count 2>/dev/null | awk '{ sum += $1 } END { print sum }')"
nr=1
for count in /docs/*/count /docs/*/*/count; do
	[ -e "$count" ] || continue
	page=${count%/count}
	unshare -m -p -f --mount-proc "$0" -page "$page" "$nr"
	nr=$((nr + $(cat "$count")))
	[ ! -e "$page/not-run" ] || sed 's/^/# not run here: /' "$page/not-run"
done
echo "# blocks that are not run here: $(cat /docs/*/not-run /docs/*/*/not-run 2>/dev/null | wc -l)"
