# SPDX-License-Identifier: GPL-2.0-only
# Ten lines of C that are there twice, in one file or in two, are one function that nobody wrote.
# What is blank, a comment, an #include or a bracket alone does not count. Fails if it has said
# anything.

BEGIN { want = 10 }

FNR == 1 { nr = 0 }

{
	gsub(/[ \t]+/, " ")
	sub(/^ /, "")
	if (/^(\/?\*|\/\/|#include)/ || /^[{}();]*$/)
		next
	line[nr % want] = $0
	at[nr % want] = FNR
	if (++nr < want)
		next
	text = ""
	for (i = 0; i < want; i++)
		text = text "\n" line[(nr + i) % want]
	place = FILENAME ":" at[nr % want]
	if (text in seen) {
		print place ": this is in " seen[text] ", too"
		wrong = 1
	} else {
		seen[text] = place
	}
}

END { exit wrong }
