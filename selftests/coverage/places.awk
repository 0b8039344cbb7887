# SPDX-License-Identifier: GPL-2.0-only
# Where in the sources each edge is: SITES (sites.awk), then what "addr2line -a -i -f" says of each, in that
# order. "OFFSET FILE LINE FUNCTION HEADER": of functions that are in one another the innermost that is
# kmod's, and "-", or in which function of the kernel's headers the edge is, FILE:FUNCTION.

function flush()
{
	if (at)
		print offset[at], (found ? found : "? 0 ?"), (header ? header : "-")
	found = header = ""
}

FNR == NR { offset[++nr] = $1; next }
/^0x[0-9a-f]+$/ { flush(); at++; next }
{
	in_function = $0
	getline place
	sub(/ .*/, "", place)
	if (found)
		next
	if (place !~ /\/kmod\//) {
		sub(/.*\/linux-[^\/]*\//, "", place)
		sub(/:.*/, "", place)
		if (!header)
			header = place ":" in_function
		next
	}
	sub(/.*\/kmod\/(\.\/)?/, "", place)
	split(place, part, ":")
	found = part[1] " " part[2] " " in_function
}
END { flush() }
