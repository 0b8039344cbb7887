#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Hands over what gcov has counted in the guest; last by its name of those that are counted.
echo 1..1
list=/tmp/gcda-list
find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o -name '*.gcda' -print >$list
if [ -s $list ] && tar -c -z -f /tmp/gcda.tgz -T $list 2>/dev/null; then
	base64 /tmp/gcda.tgz | sed 's/^/# gcda /'
	echo "ok 1 counted lines are handed over: $(wc -l <$list) files"
else
	echo "not ok 1 counted lines are handed over"
fi
