#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the fuzzer of one format, OUT/FORMAT/fuzz, on inputs of LENGTH bytes at most.
#
# usage: fuzz.sh check FORMAT OUT LENGTH NEW SEED	the corpus, and NEW executions; prints TAP
#        fuzz.sh long FORMAT OUT LENGTH RUNS SEED	so many in all; prints a line, and fails if one failed
#        fuzz.sh merge FORMAT OUT LENGTH		what "long" has found goes into the corpus
set -eu

mode=$1 format=$2 out=$3 length=$4
here=$(cd "$(dirname "$0")" && pwd)
dir=$out/$format
found=$out/found/$format
nr=0
failed=0

# A single allocation is not to be larger, whatever the input; nor all of the process.
limits='-malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=600'
export ASAN_OPTIONS=quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1

unpack()
{
	rm -rf "$dir/corpus"
	mkdir -p "$dir/corpus"
	cat "$here/corpus/$format" "$here/corpus/$format.once" 2>/dev/null |
		"$out/entries" unpack "$dir/corpus"
	inputs=$(find "$dir/corpus" "$dir/seeds" -type f | wc -l)
}

# usage: fuzz PROGRAM LOG OPTION... DIR...; what ends it is kept as LOG-crash-HASH or the like
fuzz()
{
	program=$1 log=$2
	shift 2
	# shellcheck disable=SC2086 # a list
	"$dir/$program" -dict="$dir/dict" -max_len="$length" -artifact_prefix="$log-" $limits \
		-print_final_stats=1 "$@" >"$log" 2>&1
}

# What was found in the log $1 of the program $2, and how to see it again.
tell()
{
	tail -n 40 "$1" | sed 's/^/# /'
	sed -n "s|.*Test unit written to \(.*\)|# again: $dir/$2 \1|p" "$1"
}

result()
{
	nr=$((nr + 1))
	echo "$2ok $nr - $1"
	[ -z "$2" ] || failed=1
}

executed()
{
	sed -n 's/^stat::number_of_executed_units: *//p' "$1"
}

check()
{
	unpack
	rm -rf "$dir/new" "$dir/tried" "$dir"/*.log*
	mkdir -p "$dir/new" "$dir/tried"
	if fuzz fuzz "$dir/corpus.log" -runs=0 "$dir/corpus" "$dir/seeds"; then
		result "all $inputs inputs of the corpus" ''
	else
		tell "$dir/corpus.log" fuzz
		result "all $inputs inputs of the corpus" 'not '
	fi
	if fuzz fuzz "$dir/new.log" -runs=$((inputs + $1)) -seed="$2" "$dir/new" "$dir/corpus" \
		"$dir/seeds" && [ "$(executed "$dir/new.log")" -ge "$1" ]; then
		result "$1 others" ''
	else
		tell "$dir/new.log" fuzz
		result "$1 others" 'not '
	fi
	if ! fuzz faulty "$dir/faulty.log" -runs=$((inputs + $1)) -seed="$2" "$dir/tried" "$dir/corpus" \
		"$dir/seeds" && ls "$dir/faulty.log"-* >/dev/null 2>&1; then
		result 'a fault is found' ''
	else
		tell "$dir/faulty.log" faulty
		result 'a fault is found' 'not '
	fi
	echo "1..$nr"
	exit $failed
}

long()
{
	unpack
	mkdir -p "$found"
	status=0
	fuzz fuzz "$out/$format.log" -runs="$1" -seed="$2" "$found" "$dir/corpus" "$dir/seeds" || status=1
	speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$out/$format.log")
	[ $status -eq 0 ] || tell "$out/$format.log" fuzz
	echo "$format: $(executed "$out/$format.log") executions, $speed a second$([ $status -eq 0 ] ||
		echo ', FAILED')"
	exit $status
}

# From nothing, and what the seeds cover anyway is left out: the corpus does not only grow.
merge()
{
	unpack
	mkdir -p "$found"
	rm -rf "$dir/merged"
	cp -r "$dir/seeds" "$dir/merged"
	ls "$dir/merged" >"$dir/merged.seeds"
	fuzz fuzz "$dir/merge.log" -merge=1 "$dir/merged" "$dir/corpus" "$found"
	(cd "$dir/merged" && xargs -r rm -f) <"$dir/merged.seeds"
	"$out/entries" pack "$dir"/merged/* >"$here/corpus/$format"
	echo "$format: $(($(wc -l <"$here/corpus/$format") - 1)) inputs," \
		"$(wc -c <"$here/corpus/$format") bytes"
}

shift 4
$mode "$@"
