# SPDX-License-Identifier: GPL-2.0-only
# The form of C that is not the kernel's: lines of at most 100 columns, that begin with tabs and end
# with no blank; functions of at most 80 lines, files (headers may be longer) of at most 800. Fails
# if it has said anything.

function say(line, what)
{
	print file ":" line ": " what
	wrong = 1
}

function end_of_file()
{
	if (file ~ /\.c$/ && last > 800)
		say(last, "more than 800 lines in a file")
}

function columns(text, n, i)
{
	while ((i = index(text, "\t"))) {
		n += i - 1
		n += 8 - n % 8
		text = substr(text, i + 1)
	}
	return n + length(text)
}

FNR == 1 {
	end_of_file()
	file = FILENAME
	begun = 0
}

{ last = FNR }
columns($0) > 100 { say(FNR, "wider than 100 columns") }
/[ \t]$/ { say(FNR, "blanks at its end") }
/^ +[^ *]/ { say(FNR, "begins with blanks, not with a tab") }
/^\{/ { begun = FNR }

/^\}/ && begun {
	if (FNR - begun > 81)
		say(begun, "more than 80 lines in a function")
	begun = 0
}

END {
	end_of_file()
	exit wrong
}
