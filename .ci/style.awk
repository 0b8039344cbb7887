# SPDX-License-Identifier: GPL-2.0-only
# The form of C that is not the kernel's: lines of at most 100 columns, that begin with tabs and end
# with no blank. Fails if it has said anything.

function say(line, what)
{
	print file ":" line ": " what
	wrong = 1
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

FNR == 1 { file = FILENAME }
columns($0) > 100 { say(FNR, "wider than 100 columns") }
/[ \t]$/ { say(FNR, "blanks at its end") }
/^ +[^ *]/ { say(FNR, "begins with blanks, not with a tab") }

END { exit wrong }
