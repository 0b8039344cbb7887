#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs the commands that come, a line each, two at a time, and counts which failed.
#
# usage: long.sh OUT <COMMANDS
set -eu

mkdir -p "$1"
rm -f "$1/results.new"
# shellcheck disable=SC2016 # of the inner shell
xargs -P 2 -L 1 sh -c '"$@" && echo pass >>"$0" || echo fail >>"$0"' "$1/results.new"
mv "$1/results.new" "$1/results"
passed=$(grep -c pass "$1/results" || true)
failed=$(grep -c fail "$1/results" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
