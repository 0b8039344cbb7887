# SPDX-License-Identifier: GPL-2.0-only
# Is this OpenMetrics 1.0 text? Says what is not, and exits by that.
#
# As strict as the specification: a family in one piece, its TYPE and HELP before its samples, names
# and labels well-formed, samples with the suffix of their type, none twice, "# EOF" at the end.

function wrong(what)
{
	printf "line %d: %s: %s\n", NR, what, $0
	faults++
}

function begin_family(name)
{
	if (name == family)
		return
	if (name in families)
		wrong("a family in several pieces")
	if (name !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
		wrong("no name of a family")
	families[name] = 1
	family = name
	type = "unknown"
	sampled = 0
}

# What is in braces, after them and before; a label's value may have escaped quotes.
function check_labels(text,   name, value, seen)
{
	while (text != "") {
		if (!match(text, /^[a-zA-Z_][a-zA-Z0-9_]*="/)) {
			wrong("no label")
			return
		}
		name = substr(text, 1, RLENGTH - 2)
		text = substr(text, RLENGTH + 1)
		if (seen ~ " " name " ")
			wrong("a label twice")
		seen = seen " " name " "
		if (!match(text, /^([^"\\]|\\[\\n"])*"/)) {
			wrong("a label's value")
			return
		}
		text = substr(text, RLENGTH + 1)
		if (text != "" && sub(/^,/, "", text) == 0)
			wrong("between labels")
	}
}

function check_sample(line,   name, labels, value)
{
	if (!match(line, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)) {
		wrong("no sample")
		return
	}
	name = substr(line, 1, RLENGTH)
	line = substr(line, RLENGTH + 1)
	if (substr(line, 1, 1) == "{") {
		if (!match(line, /^\{([^"}]|"([^"\\]|\\.)*")*\}/)) {
			wrong("no labels")
			return
		}
		labels = substr(line, 2, RLENGTH - 2)
		line = substr(line, RLENGTH + 1)
		check_labels(labels)
	}
	if (line !~ /^ ([-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?Inf|NaN)$/)
		wrong("no value")
	value = substr(line, 2)
	if (name != family (type == "counter" ? "_total" : type == "info" ? "_info" : ""))
		wrong("not of the family " family ", a " type)
	if (type == "counter" && value < 0)
		wrong("a counter below 0")
	if (type == "info" && value != 1)
		wrong("an info that is not 1")
	if ((name "{" labels "}") in samples)
		wrong("a sample twice")
	samples[name "{" labels "}"] = 1
	sampled = 1
}

ended { wrong("after the end") }
$0 == "# EOF" { ended = 1; next }
/^# (TYPE|HELP|UNIT) / {
	begin_family($3)
	if (sampled)
		wrong("after a sample")
	if ($2 == "TYPE") {
		type = $4
		if (NF != 4 || type !~ /^(counter|gauge|info|stateset|histogram|summary|unknown)$/)
			wrong("no type")
	}
	if (described[$2, $3]++)
		wrong("twice")
	next
}
/^#/ || /^$/ { wrong("no comment is allowed"); next }
{ check_sample($0) }

END {
	if (!ended) {
		print "no \"# EOF\" at the end"
		faults++
	}
	exit faults > 0
}
