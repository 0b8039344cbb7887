# SPDX-License-Identifier: GPL-2.0-only
# Takes the commands out of a page of Documentation, for docs_test.sh: of each block
#
#	.. code-block:: console
#
# what is behind a prompt, "# " or "$ ", with the lines that go on behind "> ", and what the page says
# that it prints. A block with ":caption: /FILE" is that file. Before a block there may be a comment,
# ".. not run: WHY", or ".. exit status: N", which is that of the block's last command, or
# ".. run by: NAME": that is for who asks for it by this name, and for nobody else.
#
#	awk -v dir=DIR -v name=PAGE [-v by=NAME] -f commands.awk PAGE
#
# DIR gets, for the NNN-th of them, NNN.run and NNN.expect, or NNN.file and NNN.path; NNN.where; in
# NNN.status another exit status than 0; in not-run a line for each block that is not run.

function fail(what)
{
	printf "%s:%d: %s\n", name, FNR, what >"/dev/stderr"
	failed = 1
	exit 1
}

function begin_one()
{
	base = sprintf("%s/%03d", dir, ++count)
	printf "%s:%d\n", name, FNR >(base ".where")
	close(base ".where")
}

function end_one()
{
	if (command != "") {
		sub(/\n+$/, "\n", expected)
		sub(/^\n$/, "", expected)
		printf "%s\n", command >(base ".run")
		printf "%s", expected >(base ".expect")
		close(base ".run")
		close(base ".expect")
	}
	command = expected = ""
}

function end_block()
{
	end_one()
	if (kind == "console" && status != "" && base != "")
		print status >(base ".status")
	if (kind == "file")
		close(base ".file")
	if (kind != "" && kind != "other" && reason != "") {
		printf "%s:%d: %s\n", name, began, reason >(dir "/not-run")
		left++
	}
	if (kind != "")
		reason = status = runner = ""
	kind = ""
}

function line_of_console(line)
{
	if (line ~ /^[#$] /) {
		end_one()
		begin_one()
		command = substr(line, 3)
		going_on = 1
	} else if (going_on && line ~ /^> ?/) {
		command = command "\n" substr(line, 3)
	} else if (command == "") {
		fail("output without a command: " line)
	} else {
		expected = expected line "\n"
		going_on = 0
	}
}

# How far the line is indented.
{ match($0, /^ */); depth = RLENGTH }

kind != "" && NF && depth <= outer { end_block() }

kind == "" && /^ *\.\. not run: / { reason = $0; sub(/^ *\.\. not run: /, "", reason); next }
kind == "" && /^ *\.\. run by: / { runner = $NF; next }
kind == "" && /^ *\.\. exit status: / { status = $NF; next }

kind == "" && /^ *\.\. code-block::/ {
	ours = runner == by
	kind = ours && $3 == "console" ? "console" : "other"
	outer = depth
	inner = began = 0
	base = command = expected = ""
	next
}

# A block of no language, of which a comment may say why it is not run.
kind == "" && /::$/ && !/^ *\.\. / {
	kind = "plain"
	outer = depth
	began = 0
	base = command = expected = ""
	next
}

kind == "" { next }

# Its options.
!began && /^ +:[a-z]+:/ {
	if (ours && $1 == ":caption:" && $2 ~ /^\//) {
		kind = "file"
		path = $2
	}
	next
}
!began && !NF { next }

!began {
	began = FNR
	inner = depth
	if (kind == "file" && reason == "") {
		begin_one()
		print path >(base ".path")
		close(base ".path")
	}
}

kind == "other" || kind == "plain" || reason != "" { next }
kind == "file" { print substr($0, inner + 1) >(base ".file"); next }
NF || command != "" { line_of_console(substr($0, inner + 1)) }

END {
	if (failed)
		exit 1
	end_block()
	printf "%d\n", count >(dir "/count")
}
