# SPDX-License-Identifier: GPL-2.0-only
# Reads what the guest's init wrote (init.c tells the format) for the programs named in the
# variable "programs", says what failed and counts: the last line is "passed failed skipped".
#
# What a program says of itself is not enough to pass: it must have a plan, as many results as
# that, and an exit status that agrees with them.

function fault(what)
{
	failed++
	faults++
	print "FAILED: " name ": " what
}

function result(line)
{
	seen++
	if (line ~ /^not ok/) {
		sub(/^not ok */, "", line)
		fault(line)
	} else if (line ~ /# *[Ss][Kk][Ii][Pp]/) {
		skipped++
		print "skipped: " name ": " line
	} else {
		passed++
	}
}

function finish(how, value)
{
	ended[name] = 1
	if (how == "signal")
		fault("killed by signal " value)
	else if (how == "timeout")
		fault("not done after " value " s, killed")
	else if (how == "taint")
		fault("the kernel is tainted by it: " value)
	else if (how != "exit")
		fault("ended in an unknown way: " how)
	else if (plan == "skip" && (value == 0 || value == 4))
		skipped++
	else if (plan !~ /^[0-9]+$/)
		fault("printed no plan, exit status " value)
	else if (seen != plan)
		fault("planned " plan " tests, gave results of " seen)
	else if (plan == 0)
		fault("has no tests")
	else if (value && !faults)
		fault("exit status " value " though no test failed")
	name = ""
}

function gone()
{
	ended[name] = 1
	fault("the guest was gone before its end")
}

{ sub(/\r$/, "") }

/^RUN / {
	if (name != "")
		gone()
	name = $2
	plan = ""
	seen = faults = 0
	next
}

/^END / {
	if ($2 == name)
		finish($3, $4)
	next
}

/^    / && name != "" {
	line = substr($0, 5)
	if (line ~ /^1\.\.0 *# *[Ss][Kk][Ii][Pp]/) {
		plan = "skip"
		print "skipped: " name ": " line
	} else if (line ~ /^1\.\.[0-9]+/) {
		sub(/^1\.\./, "", line)
		plan = line + 0
	} else if (line ~ /^(not )?ok( |$)/) {
		result(line)
	}
}

END {
	if (name != "")
		gone()
	n = split(programs, list, " ")
	for (i = 1; i <= n; i++) {
		name = list[i]
		if (!(name in ended))
			fault("was never run")
	}
	print passed + 0, failed + 0, skipped + 0
}
