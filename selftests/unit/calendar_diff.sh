#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Calendar expressions and time spans made at random, valid and not, as `systemd-analyze` of systemd
# 252 understands them and as user/unit does. Compared are acceptance, the normalised form and the
# next five elapses.
#
# usage: calendar_diff.sh HELPER [NR [SEED]]	NR expressions in each of four time zones (3000)
#        calendar_diff.sh --table <LINES	"ZONE<TAB>MICROSECONDS<TAB>EXPRESSION", what systemd
#						makes of each is added: calendar.table, which after a
#						change of the zones is made anew from its own
#						cut -f 1-3
#
# Where it is systemd that errs:
#
# half_year	"12:00 CET" where local time is CET or CEST: once it is summer time, or has to go past
#		it, systemd finds nothing any more, or what is past or of the other half. Here it goes
#		on with the next winter (calendar_test.c has what it finds). systemd knows the name
#		only as long as nothing was asked of years that had others.
# month_end	"*-*~05,28": with each element of the list, systemd takes 3 more off the last day that
#		it allows.
# overshoot	"*-*-08/21", "00,02/5:00": where a step goes past the end of the field, systemd does
#		not begin it from its first value if a month or year ends there, too: January 8th
#		and midnight are left out, once.
# loop		Where the clock is changed, its search may go round in circles and end with an error:
#		"*-01/5-30" in Europe/Berlin. In UTC it may not.
# twice		"*-10~07 02:00,30": what comes twice as the clock is put back counts the first time. Of
#		libc's mktime() systemd gets the one nearest to what it asked before, and with "~" it
#		asks for the month's end before. It is the same day.
# all_seconds	"*:*:0/1,5.5": systemd prints it as "*:*:*", which is not the same.
# too_long	A time span of more than 2^63 - 1 ns, the kernel's limit, is refused here.
# nanoseconds	"5ns", "0.5us": systemd does not take them where the resolution is microseconds.
set -u

export LC_ALL=C.UTF-8
zones="UTC Europe/Berlin America/New_York Australia/Lord_Howe"
elapses=5

# What systemd makes of the expressions in the file $3 for the time $2 in the zone $1: lines as
# diff_helper writes them. All in one call: it goes on after a failure, and reports those in order.
theirs()
{
	mapfile -t args <"$3"
	TZ=$1 timeout 300 systemd-analyze --no-pager calendar --iterations=$elapses \
		--base-time="@${2%??????}.${2: -6}" -- "${args[@]}" >"$tmp/out" 2>"$tmp/err"
	awk -v out="$tmp/out" -v err="$tmp/err" '
		function next_failure() {
			while ((getline line <err) > 0)
				if (line ~ /^Failed to /) {
					gives = line ~ /^Failed to determine/ ? "loop" : "-"
					sub(/^[^\047]*\047/, "", line)
					sub(/\047: [A-Z][a-z ]*$/, "", line)
					return line
				}
			return "\n"
		}
		BEGIN {
			while ((getline line <out) > 0) {
				if (sub(/^ *Normalized form: /, "", line))
					block[++nr] = "\t" line
				else if (line ~ /^ *(Next elapse|Iter\. #[0-9]*): .* UTC$/ ||
					 line ~ /^ *\(in UTC\): /)
					block[nr] = block[nr] "\t" substr(line, length(line) - 22, 19)
			}
			failure = next_failure()
		}
		$0 == failure { print $0 "\t" gives; failure = next_failure(); next }
		{ print $0 block[++used] }
		END { if (used != nr || failure != "\n") print "out of step" }' "$3"
}

# Compares the files $1 (ours) and $2 (theirs) for the zone $3 and the time $4; prints differences,
# and last the counts of lines, accepted ones, known and unknown differences.
compare()
{
	: >"$tmp/steps"
	paste -d '\n' "$1" "$2" | awk -F '\t' -v zone="$3" -v steps="$tmp/steps" '
		function half_year(normal) {
			return zone == "Europe/Berlin" && normal ~ / (CET|CEST)$/ ||
			       zone == "America/New_York" && normal ~ / (EST|EDT)$/ ||
			       zone == "Australia/Lord_Howe" && normal ~ / \+(1030|11)$/
		}
		# The same second may come more than once.
		function all_seconds(ours, theirs, a, b) {
			split(ours, a, ":")
			split(theirs, b, ":")
			return substr(b[3], 1, 1) == "*" && a[3] ~ /00\/1(,|$)/ && a[3] ~ /\./ &&
			       a[1] == b[1] && a[2] == b[2]
		}
		function twice(ours, theirs, a, b, i, nr) {
			nr = split(ours, a)
			if (split(theirs, b) != nr || b[2] !~ /~/)
				return 0
			for (i = 3; i <= nr; i++)
				if (substr(a[i], 1, 10) != substr(b[i], 1, 10))
					return 0
			return 1
		}
		function elapses(line) {
			sub(/[^\t]*\t[^\t]*/, "", line)
			return line
		}
		NR % 2 { ours = $0; split($0, o); next }
		{ nr++; valid += $2 != "-" }
		ours == $0 { next }
		half_year(o[2]) && (o[2] == $2 || $2 == "-" && zone ~ /Lord_Howe/) ||
		$2 == "-" && o[2] ~ /~[0-9.\/]*,/ ||
		$2 == "loop" && (zone != "UTC" || o[2] ~ / [A-Z][^ ]*$/ && o[2] !~ / UTC$/) ||
		all_seconds(o[2], $2) && elapses(ours) == elapses($0) ||
		twice(ours, $0) { known++; next }
		o[2] == $2 && $2 ~ /[-~ :,][0-9]+(\.[0-9]+)?\// { print >steps; next }
		{ unknown++; print "# ours:   " ours; print "# theirs: " $0 }
		END { print nr + 0, valid + 0, known + 0, unknown + 0 }' >"$tmp/counts"
	read -r nr valid known unknown <<<"$(tail -n 1 "$tmp/counts")"
	sed '$d' "$tmp/counts"
	while IFS= read -r line; do
		if overshoot "$line" "$3" "$4"; then
			known=$((known + 1))
		else
			unknown=$((unknown + 1))
			printf '# theirs: %s\n' "$line"
		fi
	done <"$tmp/steps"
	echo "$nr $valid $known $unknown"
}

# Of our next 20000 elapses, systemd in the line $1 leaves out a few.
overshoot()
{
	printf '%s\n' "${1%%$'\t'*}" | TZ=$2 timeout 60 "$helper" calendar "$3" 20000 |
		awk -F '\t' -v line="$1" '
			{
				nr = split(line, theirs)
				for (i = at = 3; i <= NF && at <= nr; i++)
					at += theirs[at] == $i
				exit at <= nr
			}'
}

# Before, in and after the changes of the clock in those zones, and far away. Not before 1981: where
# a zone itself was changed, systemd may find nothing any more.
bases="2026-03-29T00:30:00.25 2026-10-25T00:20:00 2026-10-25T01:10:00.999999
	2026-03-08T06:59:59.999999 2026-11-01T05:30:00 2026-11-01T06:10:00 2026-04-04T14:45:00
	2026-04-04T15:10:00 2026-10-03T15:29:59 2028-02-28T23:59:59.999999 1990-01-03T00:00:00
	2199-06-01T12:00:00"

calendars()
{
	count=$1 seed=$2
	for zone in $zones; do
		total=0 good=0 alike=0 bad=0 i=0
		for base in $bases; do
			i=$((i + 1))
			usec=$(date -u -d "${base/T/ }" +%s%6N)
			"$helper" make-calendar $((seed * 1000 + i)) $((count / 12 + 1)) |
				sort -u >"$tmp/expressions"
			TZ=$zone timeout 300 "$helper" calendar "$usec" $elapses \
				<"$tmp/expressions" >"$tmp/ours"
			theirs "$zone" "$usec" "$tmp/expressions" >"$tmp/theirs"
			compare "$tmp/ours" "$tmp/theirs" "$zone" "$usec" >"$tmp/result"
			sed "\$d; s|\$|	($zone, $base)|" "$tmp/result" | head -n 40
			read -r a b c d <<<"$(tail -n 1 "$tmp/result")"
			total=$((total + a)) good=$((good + b)) alike=$((alike + c)) bad=$((bad + d))
		done
		tap "calendar, $zone" "$count" $total $good $alike $bad
	done
}

# systemd-analyze timespan ends at the first that is none.
their_spans()
{
	mapfile -t args <"$1"
	while [ ${#args[@]} -gt 0 ]; do
		timeout 60 systemd-analyze --no-pager timespan -- "${args[@]}" >"$tmp/out" 2>/dev/null
		awk '/^ *[^ ]*s: [0-9]*$/ { usec = $2 }
		     sub(/^ *Human: /, "") { print usec (usec > 0 ? "000" : "") "\t" $0 }' \
			"$tmp/out" >"$tmp/blocks"
		nr=$(wc -l <"$tmp/blocks")
		cat "$tmp/blocks"
		args=("${args[@]:$nr}")
		[ ${#args[@]} -eq 0 ] || echo "-"
		args=("${args[@]:1}")
	done
}

spans()
{
	nr=$1 seed=$2
	"$helper" make-span "$seed" "$nr" | sort -u >"$tmp/spans"
	"$helper" span <"$tmp/spans" >"$tmp/ours"
	their_spans "$tmp/spans" | paste "$tmp/spans" - >"$tmp/theirs"
	paste -d '\n' "$tmp/ours" "$tmp/theirs" | awk -F '\t' '
		# Each digit that systemd drops is below 10 us.
		function finer(a, b, usec) {
			usec = substr(a, 1, length(a) - 3) - substr(b, 1, length(b) - 3)
			return a !~ /000$/ && b != "-" && usec >= 0 && usec <= 20
		}
		NR % 2 { ours = $0; split($0, o); next }
		{ nr++; valid += $2 != "-"; sub(/\t18446744073709551615000\t/, "\t18446744073709551615\t") }
		ours == $0 { next }
		# Both are texts, compared by their lengths first.
		o[2] == "-" && (length($2) > 19 || length($2) == 19 && $2 "" > "9223372036854775807") ||
		$2 == "-" && o[1] ~ /[0-9] *ns/ || finer(o[2], $2) { known++; next }
		{ unknown++; print "# ours:   " ours; print "# theirs: " $0 }
		END { print nr + 0, valid + 0, known + 0, unknown + 0 }' >"$tmp/result"
	sed '$d' "$tmp/result" | head -n 40
	read -r lines valid known unknown <<<"$(tail -n 1 "$tmp/result")"
	tap "time spans" "$nr" "$lines" "$valid" "$known" "$unknown"
}

tests=0 failed=0
# Many of those that were asked for are there, and many of them are valid, few are known to differ.
tap()
{
	result=ok
	if [ "$6" -ne 0 ] || [ "$5" -gt $(($3 / 5)) ] || [ "$3" -lt $(($2 * 3 / 4)) ] ||
		[ "$4" -lt $(($2 / 4)) ]; then
		result="not ok"
		failed=$((failed + 1))
	fi
	tests=$((tests + 1))
	echo "$result $tests $1: $3 of them, $4 valid, $5 known and $6 unknown differences"
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
if ! systemd-analyze timespan 1 >"$tmp/out" 2>&1; then
	sed 's/^/# /' "$tmp/out"
	echo "1..1"
	echo "not ok 1 systemd-analyze (Debian: systemd) runs"
	exit 1
fi
if [ "$1" = --table ]; then
	while IFS=$'\t' read -r zone usec expression; do
		printf '%s\n' "$expression" >"$tmp/expressions"
		printf '%s\t%s\t' "$zone" "$usec"
		theirs "$zone" "$usec" "$tmp/expressions"
	done
	exit
fi
helper=$1
echo "TAP version 13"
systemd-analyze --version | sed -n '1s/^/# /p'
calendars "${2:-3000}" "${3:-1}"
spans $((${2:-3000} / 3)) "${3:-1}"
echo "1..$tests"
[ $failed -eq 0 ]
