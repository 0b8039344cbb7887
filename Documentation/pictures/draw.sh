#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Draws what Documentation/pictures.rst shows, from a knelld that runs the units of
# Documentation/examples, in namespaces of its own. Their programs are stand-ins that take some time
# to begin and then sleep. "make pictures" does this; as root.
#
# usage: draw.sh KNELLD KNELLCTL DIR	(boot.svg and top.svg go to DIR)
set -eu

: "${3:?usage: draw.sh KNELLD KNELLCTL DIR}"
# The first process of a pid namespace is in those of its own, too. Nothing is mounted elsewhere.
if [ $$ -ne 1 ]; then
	exec unshare --mount --pid --net --fork --kill-child --mount-proc "$0" \
		"$(realpath "$1")" "$(realpath "$2")" "$(realpath "$3")"
fi
knelld=$1 knellctl=$2 out=$3
examples=$(cd "$(dirname "$0")/../examples/units" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What units write or run is in file systems of their own, this program's namespace alone has them.
for place in /run /usr/local/bin /var/lib /var/log; do
	mount -t tmpfs -o mode=755 tmpfs "$place"
done
mkdir -p /run/knell /var/log/web
busybox ip link set lo up

stand_in()
{
	cat >"/usr/local/bin/$1"
	chmod 755 "/usr/local/bin/$1"
}

stand_in dbd <<'END'
#!/bin/sh
sleep 0.4
echo >&3
exec sleep 1000000
END
stand_in webd <<'END'
#!/bin/sh
sleep 0.25
systemd-notify --ready
exec sleep 1000000
END
cp "$knellctl" /usr/local/bin/knellctl

cp -r "$examples" "$work/units"
mkdir "$work/units/web.service.d"
cat >"$work/units/web.service.d/picture.conf" <<-'END'
	[Service]
	User=
	NotifyAccess=all
	WatchdogSec=0
	X-Knell-Logger=
END
cat >"$work/units/default.target" <<-'END'
	[Unit]
	Wants=multi-user.target timers.target sockets.target
	After=multi-user.target timers.target sockets.target
END
printf '[Unit]\nWants=web.service\n' >"$work/units/multi-user.target"
for unit in sockets timers; do
	printf '[Unit]\n' >"$work/units/$unit.target"
done
for link in multi-user.target/db.service sockets.target/web.socket \
	sockets.target/knell-metrics.socket timers.target/backup.timer; do
	mkdir -p "$work/units/${link%/*}.wants"
	ln -s "../${link#*/}" "$work/units/${link%/*}.wants/${link#*/}"
done

ctl()
{
	"$knellctl" --socket="$work/control" "$@"
}

"$knelld" --unit-dir "$work/units" --backend=pidfd --no-keep --control="$work/control" \
	>"$work/log" 2>&1 </dev/null &
tries=0
until ctl is-active -q default.target 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 600 ] || { cat "$work/log" >&2; exit 1; }
	sleep 0.1
done

licence='<!-- SPDX-License-Identifier: GPL-2.0-only -->'
ctl plot | sed "1a $licence" >"$out/boot.svg"

# Something to have been done while time was counted.
ctl top --cpu=on >/dev/null
ctl restart db.service
for _ in 1 2 3 4 5; do
	ctl metrics >/dev/null
	ctl status db.service >/dev/null
done
ctl top >"$work/top"

# A terminal's text as a picture.
awk -v licence="$licence" '
	{
		gsub(/&/, "\\&amp;")
		gsub(/</, "\\&lt;")
		gsub(/>/, "\\&gt;")
		line[NR] = $0
		if (length > widest)
			widest = length
	}
	END {
		width = int(widest * 7.3) + 24
		height = (NR + 1) * 17 + 16
		print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
		print licence
		printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n",
			width, height
		print "<title>knellctl top</title>"
		print "<style>text { font: 12px monospace; fill: #ddd; white-space: pre }</style>"
		print "<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#222\"/>"
		print "<text x=\"12\" y=\"22\" style=\"fill: #8c8\">$ knellctl top</text>"
		for (i = 1; i <= NR; i++)
			printf "<text x=\"12\" y=\"%d\" xml:space=\"preserve\">%s</text>\n",
				22 + i * 17, line[i]
		print "</svg>"
	}' "$work/top" >"$out/top.svg"
ctl exit
wait $!
