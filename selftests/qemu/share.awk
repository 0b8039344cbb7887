# SPDX-License-Identifier: GPL-2.0-only
# Shares test programs out among boots of the guest: COSTS (costs.sh), then the list (programs.sh)
# of which each line comes out again with the number of its boot before it, the dearest boot first.
#
#	awk -v size=SECONDS -v guests=N -f share.awk COSTS PROGRAMS
#
# A boot has programs that want as many CPUs, about "size" seconds of them, and all boots for as many
# CPUs about as much: the dearest program that is left goes to the boot that has the least. A minute is
# worth a boot of its own, as long as fewer than "guests" are there, all of which run at a time. Costs
# are for this alone, a wrong one does no harm. What of libknell is counted is handed over by a
# program of the same boot (libknell/zlines_test.sh).

function unit_of(program)
{
	return program ~ /^libknell_/ ? "libknell" : program
}

# The dearest unit for so many CPUs that has no boot yet.
function dearest(cpus, best, u)
{
	best = ""
	for (u in cost) {
		split(u, part, SUBSEP)
		if (part[1] != cpus || u in boot)
			continue
		if (best == "" || cost[u] > cost[best] || (cost[u] == cost[best] && u < best))
			best = u
	}
	return best
}

function least(first, last, best, b)
{
	best = first
	for (b = first + 1; b <= last; b++)
		if (load[b] < load[best])
			best = b
	return best
}

function share(cpus, n, m, u, b)
{
	n = int(total[cpus] / size) + 1
	m = int(total[cpus] / 60)
	m = m < guests ? m : guests
	n = n > m ? n : m
	while ((u = dearest(cpus)) != "") {
		b = least(boots + 1, boots + n)
		boot[u] = b
		load[b] += cost[u]
	}
	boots += n
}

# Arguments and programs alike have the name in front.
FILENAME == ARGV[1] { said[$1] = $2; next }

{
	line[++lines] = $0
	of[lines] = $3 SUBSEP unit_of($1)
	cost[of[lines]] += $1 in said ? said[$1] : 5
	total[$3] += $1 in said ? said[$1] : 5
}

END {
	for (cpus in total)
		share(cpus)
	for (nr = 1; nr <= boots; ) {
		best = 0
		for (b = 1; b <= boots; b++)
			if (!(b in done) && (!best || load[b] > load[best]))
				best = b
		if (!best)
			break
		done[best] = 1
		some = 0
		for (i = 1; i <= lines; i++)
			if (boot[of[i]] == best) {
				print nr, line[i]
				some = 1
			}
		nr += some
	}
}
