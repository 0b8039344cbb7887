# SPDX-License-Identifier: GPL-2.0-only
# How much one reads at a time: files of at most 700 lines, functions of at most 80, in C and in
# shell. The first file given is the list of those that are longer (.ci/sizes): a number there is
# the most it may have, and goes when it is not needed any more. Fails if it has said anything.

function say(line, what)
{
	print file ":" line ": " what
	wrong = 1
}

# What the file, or a function of it, may have.
function allowed(name, usual)
{
	if (!(name in most))
		return usual
	used[name] = 1
	return most[name]
}

function end_of_file(lines)
{
	if (file == "")
		return
	lines = allowed(file, 700)
	if (last > lines)
		say(last, "more than " lines " lines in a file")
	else if (last <= 700)
		delete used[file]
}

function end_of_function(lines)
{
	if (!begun)
		return
	lines = FNR - begun - 1
	if (lines > allowed(file ":" name, 80))
		say(begun, "more than " allowed(file ":" name, 80) " lines in a function, " name)
	else if (lines <= 80)
		delete used[file ":" name]
	begun = 0
}

FNR == NR {
	if ($0 !~ /^#/ && NF)
		most[$1] = $2
	next
}

FNR == 1 {
	end_of_file()
	file = FILENAME
	begun = 0
	c = file ~ /\.[ch]$/
}

{ last = FNR }

# A function's body is between braces at the left edge, or in shell between parentheses; its name is
# what was last seen there before a parenthesis.
c && /^[A-Za-z_].*\(/ || !c && /^[A-Za-z_0-9]+\(\)/ {
	name = $0
	sub(/[ (]*\(.*/, "", name)
	sub(/.*[ *]/, "", name)
}

/^\{/ || !c && (/^\($/ || /^[A-Za-z_0-9]+\(\) *[{(]$/) { begun = FNR }
/^\}/ || !c && /^\)/ { end_of_function() }

END {
	end_of_file()
	for (name in most) {
		file = ".ci/sizes"
		if (!(name in used))
			say(0, name " needs no line any more")
	}
	exit wrong
}
