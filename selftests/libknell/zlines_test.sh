#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Hands over what gcov has counted in the guest; last by its name of those that are counted.
echo 1..1
nr=$(find /gcov -name '*.gcda' | wc -l)
if [ "$nr" -gt 0 ] && tar -c -z -f /tmp/gcda.tgz -C / gcov; then
	base64 /tmp/gcda.tgz | sed 's/^/# gcda /'
	echo "ok 1 counted lines are handed over: $nr files"
else
	echo "not ok 1 counted lines are handed over: $nr files"
fi
