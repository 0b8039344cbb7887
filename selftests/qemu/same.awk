# SPDX-License-Identifier: GPL-2.0-only
# Is what was printed what was expected, of which "..." is anything?
#
#	awk -f same.awk EXPECTED PRINTED
#
# In the guest no locale has UTF-8, and knellctl's dots are ASCII.

{
	sub(/[ \t\r]+$/, "")
	gsub(/●/, "*")
	gsub(/×/, "x")
}
FILENAME == ARGV[1] {
	expected = expected $0 "\n"
	next
}
{ printed = printed $0 "\n" }

END {
	sub(/\n+$/, "\n", printed)
	n = split(expected, part, /\.\.\.\n?/)
	if (n <= 1)
		exit printed != expected
	if (substr(printed, 1, length(part[1])) != part[1])
		exit 1
	rest = substr(printed, length(part[1]) + 1)
	for (i = 2; i < n; i++) {
		# Where nothing is found is not the same for all of them.
		at = part[i] == "" ? 1 : index(rest, part[i])
		if (!at)
			exit 1
		rest = substr(rest, at + length(part[i]))
	}
	exit length(part[n]) > length(rest) || substr(rest, length(rest) - length(part[n]) + 1) != part[n]
}
