#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Units read by systemd-analyze and by us: what both make of the same directory has to be the same,
# whether they can be started included. Prints TAP.
#
# usage: dump_diff.sh DUMP_HELPER DIRECTORY
#        dump_diff.sh DUMP_HELPER UNITS_HELPER NUMBER SEED	(random ones)
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
helper=$(readlink -f "$1")
if [ $# -eq 4 ]; then
	mkdir "$work/random"
	"$2" "$work/random" "$3" "$4" || exit 1
	set -- "$1" "$work/random"
fi
dir=$(readlink -f "$2")
shift 2

command -v systemd-analyze >/dev/null || {
	echo "# there is no systemd-analyze"
	exit 1
}
cd "$dir" || exit 1
set -- *.service *.socket *.timer *.target
cd - >/dev/null || exit 1
units=()
for unit; do
	case $unit in
	\**) ;;
	*@.*) units+=("${unit%@*}@a-b\\x2dc.${unit##*.}") ;;
	*) units+=("$unit") ;;
	esac
done

# What there is none of here is not to keep a unit from being looked at.
printf '[Unit]\nDescription=x\nDefaultDependencies=no\n' >"$work/target"
mkdir "$work/units"
printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/bus\n' >"$work/units/dbus.socket"
printf '[Service]\nExecStart=/bin/true\n' >"$work/units/dbus.service"
for name in sysinit basic shutdown sockets timers network local-fs remote-fs multi-user; do
	cp "$work/target" "$work/units/$name.target"
done
cp -rP "$dir/." "$work/units/"

SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console SYSTEMD_UNIT_PATH=$work/units \
	timeout 300 systemd-analyze verify --man=no "${units[@]}" \
	>"$work/theirs.raw" 2>"$work/theirs.err"
"$helper" "$work/units" "${units[@]}" >"$work/ours.raw" 2>"$work/ours.err"
status=$?

# Kinds of sockets that there are none of here.
sed -n 's|^.*/\([^/]*\.socket\):0: only kinds of sockets.*|\1|p' "$work/ours.err" >"$work/foreign"
awk -f "$here/dump_filter.awk" "$work/theirs.raw" |
	awk -F '\t' 'FILENAME != "-" { foreign[$1]; next } !($1 in foreign)' "$work/foreign" - |
	sort -u >"$work/theirs.all"
# Of units whose confinement takes away capabilities, these cannot be compared.
sed -n 's/\t!capabilities$/\tCapabilityBoundingSet:/p' "$work/theirs.all" >"$work/confined"
# A machine id in LogsDirectory= is lost to it where /etc/machine-id is missing.
without()
{
	grep -v -e '!capabilities$' -e 'LogsDirectory: journal/[0-9a-f]\{32\}' "$1" | if [ -s "$work/confined" ]; then
		grep -v -F -f "$work/confined"
	else
		cat
	fi
}
without "$work/theirs.all" >"$work/theirs"
without <(sort -u "$work/ours.raw") >"$work/ours"
diff "$work/theirs" "$work/ours" >"$work/diff" 2>&1
same=$?
[ $same -eq 0 ] || sed 's/^/# /' "$work/diff" | head -n "${SHOW:-60}"
nr=$(cut -f1 "$work/ours" | uniq | wc -l)
echo "# ${#units[@]} units, $nr of them can be started, $(wc -l <"$work/ours") lines"
[ -z "${KEEP-}" ] || cp -r "$work" "$KEEP"
if [ $same -eq 0 ] && [ $status -eq 0 ] && [ -s "$work/theirs" ]; then
	echo "ok 1 - systemd reads these units as we do"
else
	echo "not ok 1 - systemd reads these units as we do"
fi
echo 1..1
[ $same -eq 0 ] && [ $status -eq 0 ] && [ -s "$work/theirs" ]
