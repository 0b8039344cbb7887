#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# knelld's counters over HTTP: by the units and the settings of Documentation/examples, on their
# address, which is free in a network of this program's own; read by hand and by a real Prometheus,
# the programs of which are in $PROMETHEUS.

# A user who is not root is all there is in a user namespace of its own.
user=nobody
[ "$(id -u)" -eq 0 ] || user=$(id -un)
# shellcheck disable=SC2046 # an option, or none
[ -n "${KNELL_OWN_NET:-}" ] || KNELL_OWN_NET=$user exec unshare --net --mount --pid --fork \
	--kill-child --mount-proc $([ "$user" = nobody ] || echo --map-root-user) "$0"
user=$KNELL_OWN_NET

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/knellctl/manage.sh
. "$(dirname "$0")/manage.sh"

examples=$here/../../Documentation/examples
port=9915
url=http://127.0.0.1:$port/metrics
api=http://127.0.0.1:9090/api/v1

busybox ip link set lo up || exit 1

# The shipped units, with the program and the socket of this test; they run as nobody, who reaches
# only what is in $dir.
manage_metrics()
{
	chmod 755 "$dir"
	cp "$KNELLCTL" "$dir/knellctl"
	mkdir -p "$units/knell-metrics.service.d"
	cp "$examples/units/knell-metrics.socket" "$examples/units/knell-metrics.service" "$units"
	cat >"$units/knell-metrics.service.d/test.conf" <<-END
		[Service]
		User=$([ "$user" != nobody ] || echo nobody)
		ExecStart=
		ExecStart=$dir/knellctl --socket=$sock metrics --http
		StandardError=file:$dir/served
	END
	unit sockets.target </dev/null
	unit default.target <<-END
		[Unit]
		Wants=a.service knell-metrics.socket
	END
	sleeper a.service
	# shellcheck disable=SC2119 # no options
	manage
	until_true is knell-metrics.socket active
	until_true is a active
}

# ask TEXT: sends that, what comes back is in out, without the returns
ask()
{
	# shellcheck disable=SC2059 # it is a format
	printf "$1" | timeout 60 busybox nc 127.0.0.1 $port | tr -d '\r' >"$dir/out"
}

answers()
{
	[ "$(head -n 1 "$dir/out")" = "HTTP/1.1 $1" ] || fail "not $1: $(head -n 20 "$dir/out")"
}

# What is behind the head is as long as that says.
is_whole()
{
	sed '1,/^$/d' "$dir/out" >"$dir/body"
	prints "^Content-Length: $(wc -c <"$dir/body")\$"
	prints '^Connection: close$'
}

test_one_answer()
{
	manage_metrics
	is knell-metrics inactive || fail 'it runs before anybody has asked'
	ask 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\naccept: application/OpenMetrics-text;q=1\r\n\r\n'
	answers '200 OK'
	prints '^Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8$'
	is_whole
	awk -f "$here/openmetrics.awk" "$dir/body" || fail "$(cat "$dir/body")"
	prints '^knelld_unit_up{unit="a.service"} 1$'
	prints '^# EOF$'
	# What the alerts for a cluster look at.
	grep -o 'knelld_[a-z_]*' "$examples/kubernetes/alerts.yml" | sort -u >"$dir/names"
	[ -s "$dir/names" ] || fail 'there are no alerts'
	while read -r name; do
		prints "^${name}[{ ]"
	done <"$dir/names"
	is knell-metrics active || fail 'it does not stay'
	[ "$user" != nobody ] || [ "$(stat -c %U "/proc/$(pid_of knell-metrics)")" = nobody ] ||
		fail 'it is not nobody'
	unmanage
}

# The format from before OpenMetrics, which is also what promtool knows.
test_who_does_not_ask_for_openmetrics()
{
	manage_metrics
	ask 'GET /metrics HTTP/1.1\r\nAccept: text/plain, */*\r\n\r\n'
	answers '200 OK'
	prints '^Content-Type: text/plain; version=0.0.4; charset=utf-8$'
	is_whole
	"$PROMETHEUS/promtool" check metrics <"$dir/body" >"$dir/promtool" 2>&1 ||
		fail "$(cat "$dir/promtool")"
	[ ! -s "$dir/promtool" ] || fail "$(cat "$dir/promtool")"
	prints '^# TYPE knelld_control_calls_total counter$'
	prints '^# HELP knelld_control_calls_total Calls of clients.$'
	prints '^knelld_info{version=".*",backend="pidfd"} 1$'
	unmanage
}

test_what_is_asked()
{
	manage_metrics
	for target in /metrics '/metrics?a=/b' http://me:9/metrics; do
		ask "GET $target HTTP/1.0\\r\\n\\r\\n"
		answers '200 OK'
	done
	ask 'GET /metrics HTTP/1.1\n\n'
	answers '200 OK'
	ask 'HEAD /metrics HTTP/1.1\r\n\r\n'
	answers '200 OK'
	prints '^Content-Length: [1-9]'
	prints_not '^knelld'
	for target in / /metricss /metric http:// http://metrics /a/metrics; do
		ask "GET $target HTTP/1.1\\r\\n\\r\\n"
		answers '404 Not Found'
		is_whole
	done
	ask 'POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'
	answers '405 Method Not Allowed'
	prints '^Allow: GET, HEAD$'
	is_whole
	for line in '' 'GET' 'GET /metrics' 'GET  HTTP/1.1' 'GET /metrics HTTP/2.0' \
		'GET /metrics HTTP/1.12' ' GET /metrics HTTP/1.1' 'GET\t/metrics\tHTTP/1.1' \
		'GET /metrics HTTP/1.1\000'; do
		ask "$line\\r\\n\\r\\n"
		answers '400 Bad Request'
		is_whole
	done
	ask "GET /metrics HTTP/1.1\\r\\nX: $(printf %09000d 0)\\r\\n\\r\\n"
	answers '431 Request Header Fields Too Large'
	is_whole
	[ ! -s "$dir/served" ] || fail "$(cat "$dir/served")"
	unmanage
}

# Who connects and says nothing is sent away, and others are served then.
test_who_says_nothing()
{
	manage_metrics
	mkfifo "$dir/never" 2>/dev/null
	timeout 60 busybox nc 127.0.0.1 $port <"$dir/never" >"$dir/silent" &
	exec 5>"$dir/never"
	ask 'GET /metrics HTTP/1.1\r\n\r\n'
	answers '200 OK'
	until_true grep -q '^HTTP/1.1 408 ' "$dir/silent"
	exec 5>&-
	unmanage
}

# A manager that does not answer is told of; the next client finds the next manager.
test_without_knelld()
{
	manage_metrics
	ask 'GET /metrics HTTP/1.1\r\n\r\n'
	answers '200 OK'
	mv "$sock" "$sock.away"
	ask 'GET /metrics HTTP/1.1\r\n\r\n'
	answers '503 Service Unavailable'
	is_whole
	grep -q 'knelld does not run' "$dir/served" || fail "$(cat "$dir/served")"
	mv "$sock.away" "$sock"
	ask 'GET /metrics HTTP/1.1\r\n\r\n'
	answers '200 OK'
	unmanage
}

test_only_a_socket()
{
	: >"$dir/fake.err"
	run metrics --http
	exits 2
	complains 'no socket was passed'
	LISTEN_FDS=1 LISTEN_PID=1 run metrics --http
	exits 2
	run status --http
	exits 2
}

# As inetd has it, a connection as standard input and output.
test_inetd()
{
	manage_metrics
	busybox nc -l -p 9916 127.0.0.1 -e "$KNELLCTL" --socket="$sock" metrics --http &
	port=9916
	until_true grep -q ':26BC ' /proc/net/tcp
	ask 'GET /metrics HTTP/1.0\r\n\r\n'
	answers '200 OK'
	wait $! || fail 'it has failed'
	unmanage
}

scraped()
{
	busybox wget -q -O "$dir/targets" "$api/targets" 2>/dev/null &&
		jq -e '.data.activeTargets | length == 1 and .[0].health == "up"' \
			"$dir/targets" >/dev/null
}

# has_series QUERY FILTER: jq's holds for what Prometheus makes of the query
has_series()
{
	"$PROMETHEUS/promtool" query instant -o json http://127.0.0.1:9090 "$1" >"$dir/series" &&
		jq -e "$2" "$dir/series" >/dev/null
}

test_prometheus_scrapes()
{
	manage_metrics
	sed 's/scrape_interval: 15s/scrape_interval: 1s/' "$examples/prometheus.yml" >"$dir/prometheus.yml"
	"$PROMETHEUS/promtool" check config "$examples/prometheus.yml" >"$dir/out" 2>&1 ||
		fail "$(cat "$dir/out")"
	"$PROMETHEUS/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" \
		--web.listen-address=127.0.0.1:9090 >"$dir/prometheus.log" 2>&1 </dev/null &
	scraper=$!
	trap 'kill $scraper 2>/dev/null; unserve' EXIT
	until_true scraped
	json_url=$(jq -r '.data.activeTargets[0].scrapeUrl' "$dir/targets")
	[ "$json_url" = $url ] || fail "it asks $json_url"
	until_true has_series 'knelld_unit_up{unit="a.service"}' \
		'length == 1 and .[0].value[1] == "1" and .[0].metric.job == "knell"'
	until_true has_series 'count_over_time(knelld_uptime_seconds[1h])' \
		'length == 1 and (.[0].value[1] | tonumber) >= 3'
	# Scrapes leave no series behind but that of the one unit and its socket.
	has_series 'count(count_over_time(knelld_unit_up{unit=~"knell-metrics.*"}[1h]))' \
		'.[0].value[1] == "2"' || fail "$(cat "$dir/series")"
	has_series 'rate(knelld_control_calls_total[1m])' 'length == 1' ||
		fail "$(cat "$dir/series")"
	"$KNELLCTL" --socket="$sock" stop a || fail 'stop failed'
	until_true has_series 'knelld_unit_up{unit="a.service"}' '.[0].value[1] == "0"'
	kill $scraper
	wait $scraper || fail "$(tail -n 20 "$dir/prometheus.log")"
	unmanage
}

run_tests
