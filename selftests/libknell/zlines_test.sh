#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Hands over what gcov has counted in the guest; last by its name of those that are counted.
echo 1..1
if find / -xdev -name '*.gcda' | tar -c -z -f - -T - 2>/dev/null | base64 | sed 's/^/# gcda /'; then
	echo "ok 1 counted lines are handed over"
else
	echo "not ok 1 counted lines are handed over"
fi
