# SPDX-License-Identifier: GPL-2.0-only
# Every file is some section's of MAINTAINERS, the first file given, and every pattern there is of
# some file of the second, which is a list of all. Fails if it has said anything.

function say(what)
{
	print "MAINTAINERS: " what
	wrong = 1
}

# A directory stands for all below it, a word with a star for files of the same directory.
function matches(path, pattern, n)
{
	if (pattern ~ /\/$/)
		return index(path, pattern) == 1
	if (path !~ /\// && pattern == "*")
		return path !~ /^\./
	if (path !~ /\// && pattern == ".*")
		return path ~ /^\./
	return path == pattern
}

FNR == NR && /^[FX]:\t/ {
	kind[++nr] = substr($0, 1, 1)
	pattern[nr] = $2
	section[nr] = title
}
FNR == NR && /^[A-Z][A-Z ,]*$/ { title = $0; has[title] = "" }
FNR == NR && /^[MSB]:\t./ { has[title] = has[title] substr($0, 1, 1) }
FNR == NR { next }

{
	split("", mine)
	split("", not_mine)
	for (i = 1; i <= nr; i++) {
		if (!matches($0, pattern[i]))
			continue
		seen[i] = 1
		if (kind[i] == "F")
			mine[section[i]] = 1
		else
			not_mine[section[i]] = 1
	}
	kept = 0
	for (s in mine)
		kept += !(s in not_mine)
	if (!kept)
		say("no section has " $0)
}

END {
	for (i = 1; i <= nr; i++)
		if (!seen[i])
			say("no file is " pattern[i])
	for (s in has)
		if (has[s] != "MSB")
			say(s " wants M:, S: and B:, once each")
	exit wrong
}
