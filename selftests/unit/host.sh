#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the tests of user/unit and runs them on this machine; they need no module.
#
# usage: host.sh DIR [NAME...]	(NAME_test.c; diff: calendar_diff.sh, dump, random: dump_diff.sh,
#				install, escape: NAME_diff.sh, corpus, known, manual: NAME.sh; none: all)
# DIR gets "result", as the guest's init writes it (../qemu/init.c), and "programs", the names.
# In the environment: NR expressions, DUMPS random units, STEPS of install, and SEED.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${KNELL_BUILD:-$here/../../build}/unit-test
limit=$((300 * ${SLOW:-1}))
dir=$1
shift
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1

rm -rf "$dir"
mkdir -p "$dir"
[ $# -gt 0 ] || set -- calendar keys load span timer diff dump random install escape corpus manual known
if ! make --no-print-directory -C "$here" build="${out%/*}" >"$dir/build.log" 2>&1; then
	tail -n 40 "$dir/build.log" >&2
	printf '%s\n' 'RUN host-unit-build 0' '    1..1' '    not ok 1 the tests can be built' \
		'END host-unit-build exit 1 0' >"$dir/result"
	echo host-unit-build >"$dir/programs"
	exit
fi
: >"$dir/result"
for name in "$@"; do
	case $name in
	calendar) command="$out/calendar_test $here/calendar.table" ;;
	diff) command="$here/calendar_diff.sh $out/diff_helper ${NR:-3000} ${SEED:-1}" ;;
	dump) command="$here/dump_diff.sh $out/dump_helper /lib/systemd/system" ;;
	random)
		command="$here/dump_diff.sh $out/dump_helper $out/units_helper ${DUMPS:-500} ${SEED:-1}" ;;
	install) command="$here/install_diff.sh $out/install_helper ${STEPS:-60} ${SEED:-1}" ;;
	escape) command="$here/escape_diff.sh $out/escape_helper 100 ${SEED:-1}" ;;
	corpus) command="$here/corpus.sh ${out%/*} $out/dump_helper" ;;
	known) command="$here/known.sh $out/keys_helper" ;;
	manual)
		command="$here/manual.sh $out/keys_helper $here/../../Documentation/man/knell.unit.5" ;;
	*) command=$out/${name}_test ;;
	esac
	# shellcheck disable=SC2086 # words
	"$here/../qemu/record.sh" "host-unit-$name" "$limit" "$dir/$name.log" $command >>"$dir/result"
	echo "host-unit-$name" >>"$dir/programs"
done
