#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What ../qemu/again.sh runs a second time, and what becomes of it. Prints TAP.
#
# usage: again.sh DIR
set -eu
unset RETRY

qemu=$(cd "$(dirname "$0")/../qemu" && pwd)
dir=$1
nr=0
failed=0

# A run of the tests of this machine called NAME, of which each is "NAME SCRIPT"; they were run once.
run()
{
	rm -rf "$dir"
	mkdir -p "$dir/host"
	: >"$dir/programs"
	: >"$dir/host/build-fake.log"
	: >"$dir/lock"
	for name in $1; do
		cat >"$dir/$name" <<-SCRIPT
			#!/bin/sh
			echo 1..2
			echo ok 1 first
			echo x >>$dir/$name.runs
			times=\$(wc -l <$dir/$name.runs)
			case $name in
			steady) ;;
			second) [ \$times -gt 1 ] || bad='not ' ;;
			killed) [ \$times -gt 1 ] || kill -9 \$\$ ;;
			*) bad='not ' ;;
			esac
			echo "\${bad-}ok 2 second"
			[ -z "\${bad-}" ]
		SCRIPT
		chmod +x "$dir/$name"
		echo "host-fake-$name 20 $dir/$name"
	done >"$dir/suites"
	xargs -L 1 "$qemu/job.sh" "$dir" <"$dir/suites" >/dev/null
	cat "$dir"/host/host-fake-* >"$dir/result"
	[ -z "${2:-}" ] || sed -i "$2" "$dir/result"
	names=$(sed 's/ .*//' "$dir/suites")
	# shellcheck disable=SC2086 # a list
	"$qemu/again.sh" "$dir" $names >"$dir/said"
	# shellcheck disable=SC2086
	"$qemu/sum.sh" "$dir/result" $names >>"$dir/said" || true
}

# expect TEXT RUNS-OF-EACH WHAT-WAS-SAID
expect()
{
	nr=$((nr + 1))
	runs=$(cd "$dir" && for name in $2; do [ "$(wc -l <"${name%=*}.runs")" -eq "${name#*=}" ] || echo "$name"; done)
	if [ -z "$runs" ] && grep -v '^host-fake-' "$dir/said" | cmp -s - "$dir/expected"; then
		echo "ok $nr $1"
	else
		echo "not ok $nr $1"
		sed 's/^/# /' "$dir/said"
		failed=1
	fi
}

# The last lines that have to be there.
lines()
{
	printf '%s\n' "$@" >"$dir/expected"
}

echo 1..5
run 'steady second'
lines 'unstable: host-fake-second: 2 second' '4 passed, 0 failed'
expect 'what passes alone is unstable' 'steady=1 second=2'
run 'steady never'
lines 'FAILED: host-fake-never: 2 second' '3 passed, 1 failed'
expect 'what fails again has failed, once' 'steady=1 never=2'
run 'killed never'
lines 'unstable: host-fake-killed: killed by signal 9' 'FAILED: host-fake-never: 2 second' '3 passed, 1 failed'
expect 'each for itself' 'killed=2 never=2'
run 'never second killed fourth'
lines 'FAILED: host-fake-fourth: 2 second' 'FAILED: host-fake-killed: killed by signal 9' \
	'FAILED: host-fake-never: 2 second' 'FAILED: host-fake-second: 2 second' '4 passed, 4 failed'
expect 'many are not run again' 'never=1 second=1 killed=1 fourth=1'
run 'steady second' 's/^END host-fake-second .*/END host-fake-second taint 512 0/'
lines 'FAILED: host-fake-second: 2 second' 'FAILED: host-fake-second: the kernel is tainted by it: 512' \
	'3 passed, 2 failed'
expect 'nor is what has tainted the kernel' 'steady=1 second=1'
exit $failed
