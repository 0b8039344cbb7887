# SPDX-License-Identifier: GPL-2.0-only
# What kernel-doc leaves out of a header: declarations of which a comment in one line says all,
#
#	/** NAME - WHAT */
#
# types that are functions and have a comment of the usual kind, and structures of which there is but the
# name. As reStructuredText.
#
#	awk -f one-line.awk HEADER

# kind is one of the directives of Sphinx's domain c
function entry(kind, name, what)
{
	while (match(what, /@[a-z_]+/))
		what = substr(what, 1, RSTART - 1) "``" substr(what, RSTART + 1, RLENGTH - 1) "``" \
			substr(what, RSTART + RLENGTH)
	printf "\n.. c:%s:: %s\n\n   %s\n", kind, name, what
}

# The names of constants in a line of an enumeration, their values and comments aside.
function constants(line,	n, part, i)
{
	gsub(/\/\*.*\*\//, "", line)
	gsub(/[ \t]|=[^,]*/, "", line)
	n = split(line, part, ",")
	for (i = 1; i <= n; i++)
		if (part[i] ~ /^[A-Z]/)
			printf "\n   .. c:enumerator:: %s\n", part[i]
}

/^\/\*.*\*\/$/ {
	what = $0
	full = 0
	documented = sub(/^\/\*\* *((struct|enum) )?[a-z_0-9]+ - /, "", what)
	sub(/^\/\* */, "", what)
	sub(/ *\*\/$/, "", what)
	next
}
/^\/\*/ {
	full = /^\/\*\*/
	what = substr($0, 4)
	next
}
/^ \*/ && declaration == "" {
	sub(/^ \*\/?/, "")
	sub(/ *\*\/$/, "")
	what = what $0
	sub(/^ /, "", what)
	next
}

/^struct [a-z_0-9]+;$/ {
	name = $2
	sub(/;/, "", name)
	theirs = name ~ /^knell_(event|op|watch_info)$/
	entry("struct", name, theirs ? "Of :doc:`linux/knell.h <uapi>`." : "Opaque; the functions below make it and take it.")
	next
}

documented && /^(struct|enum) [a-z_0-9]+ \{/ {
	entry($1, $2, what)
	in_enum = $1 == "enum"
	inside = 1
	line = $0
	sub(/^[^{]*\{/, "", line)
	sub(/\}.*/, "", line)
	if (in_enum)
		constants(line)
	if (/\}/)
		inside = documented = 0
	next
}
inside && /^\}/ { inside = documented = 0; next }
inside && in_enum { constants($0); next }
inside {
	sub(/;.*/, "")
	sub(/^\t/, "")
	printf "\n   .. c:member:: %s\n", $0
	next
}

/^(KNELL_API|typedef) / && (documented || /^typedef .*[a-z]\(/) {
	if (!full)
		declaration = $0
}
declaration != "" && !/^(KNELL_API|typedef) / { declaration = declaration " " $0 }
declaration != "" && /;$/ {
	kind = declaration ~ /^typedef/ ? "type" : "function"
	sub(/^(KNELL_API|typedef) /, "", declaration)
	sub(/;$/, "", declaration)
	gsub(/[ \t]+/, " ", declaration)
	entry(kind, declaration, what)
	declaration = what = ""
	documented = 0
	next
}
!NF || /^[#}]/ { documented = 0; if (!NF) what = "" }
