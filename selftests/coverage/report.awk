# SPDX-License-Identifier: GPL-2.0-only
# How many of the edges were reached, by files, and what of the rest has no reason:
#
#	awk -v floor=95 -f report.awk REASONS HIT PLACES
#
# REASONS are "FILE FUNCTION REASON...", of kmod or of the kernel's headers, HIT are offsets, PLACES are by
# places.awk. A line "not ok ..." for whatever is wrong; the exit status is 1 then. With -v all=1 what
# has a reason is told, too.

function percent(part, whole)
{
	return whole ? 100 * part / whole : 0
}

# All that was not reached in a function, a line each.
function tell(key, sign)
{
	printf "%s %s:%s\n", sign, key, missed[key] | "sort"
}

FILENAME == ARGV[1] {
	if (NF && $1 !~ /^#/)
		reason[$1 " " $2] = $3
	next
}
FILENAME == ARGV[2] { hit[$1]; next }
{
	place[$1]
	own = $5 == "-"
	total[own]++
	files[$2] += own
	if ($1 in hit) {
		reached[own]++
		here[$2] += own
		next
	}
	header = $5
	sub(/:/, " ", header)
	# Of what is inlined, either place may have the reason.
	key = !own && (header in reason) ? header : $2 " " $4
	missed[key] = missed[key] " " $3 (own ? "" : "(" $5 ")")
	nr[key]++
	if (key in reason && reason[key] == "OPEN:")
		opened++
	else if (key in reason)
		explained++
}
END {
	for (offset in hit)
		if (!(offset in place))
			strange++
	for (file in files)
		if (files[file])
			printf "%-12s %5d of %5d  %5.1f %%\n", file, here[file], files[file],
				percent(here[file], files[file]) | "sort"
	close("sort")
	for (key in missed) {
		if (!(key in reason)) {
			tell(key, "!")
			unexplained += nr[key]
		} else if (all) {
			tell(key, " ")
		}
	}
	close("sort")
	for (key in reason)
		if (!(key in missed))
			print "# all of it was reached: " key | "sort"
	close("sort")
	printf "coverage: %d of %d edges of the module's own, %.2f %%; %d of %d of the kernel's that are inlined, %.2f %%\n",
		reached[1], total[1], percent(reached[1], total[1]), reached[0], total[0],
		percent(reached[0], total[0])
	printf "coverage: of the others %d have a reason, %d are open, %d are not in the table\n", explained, opened, unexplained
	if (percent(reached[1], total[1]) < floor) {
		print "not ok: less than " floor " %"
		bad = 1
	}
	if (unexplained) {
		print "not ok: selftests/coverage/unreached lacks " unexplained " edges"
		bad = 1
	}
	if (strange) {
		print "not ok: " strange " edges were reached that are none"
		bad = 1
	}
	exit bad
}
