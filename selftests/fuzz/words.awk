# SPDX-License-Identifier: GPL-2.0-only
# A dictionary of libFuzzer's: the strings in C sources, each once. Formats and sentences are none.

{
	while (match($0, /"[^"\\%]+"/)) {
		word = substr($0, RSTART, RLENGTH)
		$0 = substr($0, RSTART + RLENGTH)
		if (length(word) < 40 && word !~ /[^ ]+ [^ ]+ /  && word !~ /\.h"$/ && !seen[word]++)
			print word
	}
}
