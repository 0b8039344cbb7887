# SPDX-License-Identifier: GPL-2.0-only
# Draws scale.svg of what "make bench BENCH=scale" prints: a line for each kind of cost, instructions
# over timers in the queue, both axes logarithmic.
#
#	make bench BENCH=scale | awk -f Documentation/pictures/scale.awk >Documentation/pictures/scale.svg

function x(n) { return 70 + 130 * (log(n) / log(10) - 1) }
function y(v) { return 300 - 80 * (log(v) / log(10) - 2) }

function grid(n, v)
{
	for (n = 10; n <= 100000; n *= 10) {
		printf "<line x1=\"%d\" y1=\"20\" x2=\"%d\" y2=\"300\" class=\"grid\"/>\n", x(n), x(n)
		printf "<text x=\"%d\" y=\"318\" text-anchor=\"middle\">%d</text>\n", x(n), n
	}
	for (v = 100; v <= 100000; v *= 10) {
		printf "<line x1=\"70\" y1=\"%d\" x2=\"590\" y2=\"%d\" class=\"grid\"/>\n", y(v), y(v)
		printf "<text x=\"62\" y=\"%d\" text-anchor=\"end\">%d</text>\n", y(v) + 4, v
	}
}

function draw(kind, colour, i, points)
{
	for (i = 1; i <= nr[kind]; i++)
		points = points sprintf("%.1f,%.1f ", x(size[kind, i]), y(value[kind, i]))
	printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", points, colour
	i = nr[kind]
	printf "<text x=\"600\" y=\"%.1f\" fill=\"%s\">%s</text>\n", y(value[kind, i]) + 4, colour, title[kind]
}

BEGIN {
	title["add"] = "ADD of a doorbell"
	title["add_timer"] = "ADD of a timer"
	title["add_pid"] = "ADD by pid"
	title["add_dead"] = "ADD of a dead process"
	title["exit"] = "exit, watched less not"
	title["fire"] = "timer, due to read"
}

/^BENCH scale_/ {
	kind = $2
	sub(/^scale_/, "", kind)
	n = kind
	sub(/^.*_/, "", n)
	sub(/_insns_[0-9]*$/, "", kind)
	nr[kind]++
	size[kind, nr[kind]] = n
	value[kind, nr[kind]] = $4
}

END {
	if (!nr["add"] || !nr["add_timer"] || !nr["add_pid"] || !nr["add_dead"] || !nr["exit"] || !nr["fire"]) {
		print "scale.awk: expected the lines BENCH scale_*" >"/dev/stderr"
		exit 1
	}
	print "<!-- SPDX-License-Identifier: GPL-2.0-only -->"
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"780\" height=\"350\" font-family=\"sans-serif\" font-size=\"12\">"
	print "<style>.grid { stroke: #ccc; }</style>"
	print "<rect width=\"780\" height=\"350\" fill=\"white\"/>"
	grid()
	print "<text x=\"330\" y=\"340\" text-anchor=\"middle\">timers in the queue</text>"
	print "<text x=\"14\" y=\"160\" text-anchor=\"middle\" transform=\"rotate(-90 14 160)\">instructions</text>"
	draw("add", "#1b6ca8")
	draw("add_timer", "#c0392b")
	draw("add_pid", "#7f8c8d")
	draw("add_dead", "#d68910")
	draw("exit", "#1e8449")
	draw("fire", "#8e44ad")
	print "</svg>"
}
