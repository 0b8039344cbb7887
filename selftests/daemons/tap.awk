# SPDX-License-Identifier: GPL-2.0-only
# Makes one TAP of the results that parts have (as qemu/init.c prints them): those in the variable
# "parts" have to be there to their ends. "daemons: N passed, N failed" comes last.

function emit(good, text)
{
	good ? passed++ : failed++
	print (good ? "" : "not ") "ok " passed + failed " " text
}

{ sub(/\r$/, "") }

/^RUN / {
	part = $2
	plan = seen = 0
}

/^    1\.\./ { plan = substr($1, 4) }

/^    #/ { print substr($0, 5) }

/^    (not )?ok / {
	good = $1 == "ok"
	sub(/^ *(not )?ok [0-9]* /, "")
	emit(good, part ": " $0)
	seen++
}

/^END / { ended[$2] = plan == seen }

END {
	n = split(parts, list, ",")
	for (i = 1; i <= n; i++)
		if (list[i] != "")
			emit(ended[list[i]], list[i] ": has come to its end")
	print "1.." passed + failed
	print "daemons: " passed + 0 " passed, " failed + 0 " failed"
	exit failed > 0
}
