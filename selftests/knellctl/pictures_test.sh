#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# "make pictures": the pictures can be drawn, and those that are committed are of the same units and
# functions' columns.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

docs=$here/../../Documentation

# The units that a boot's chart has, without the times behind their names.
units_of()
{
	sed -n 's/^<text x=.*>\([^<> ]*\.[a-z]*\) (.*<\/text>$/\1/p' "$1" | sort
}

test_the_pictures()
{
	mkdir "$dir/drawn"
	timeout -k 5 300 "$docs/pictures/draw.sh" "$KNELLD" "$KNELLCTL" "$dir/drawn" >"$dir/log" 2>&1 ||
		fail "$(cat "$dir/log")"
	for picture in boot top; do
		xmllint --noout "$dir/drawn/$picture.svg" || fail "$picture.svg is no XML"
		xmllint --noout "$docs/pictures/$picture.svg" || fail "the committed one is none"
		grep -q "^.. image:: pictures/$picture.svg$" "$docs/pictures.rst" ||
			fail "pictures.rst does not show $picture.svg"
	done
	units_of "$dir/drawn/boot.svg" >"$dir/now"
	units_of "$docs/pictures/boot.svg" >"$dir/then"
	grep -q -x web.service "$dir/now" || fail "$(cat "$dir/drawn/boot.svg")"
	cmp -s "$dir/now" "$dir/then" || fail "make pictures: $(diff "$dir/now" "$dir/then")"
	! grep -q '"\(failed\|pending\)" x=' "$dir/drawn/boot.svg" || fail 'a unit is not up'
	for picture in "$dir/drawn/top.svg" "$docs/pictures/top.svg"; do
		grep -q '>Runtime(ms)   Invoked Avg uSec' "$picture" || fail "$(cat "$picture")"
		grep -q ' TOTAL ' "$picture" || fail "$(cat "$picture")"
	done
}

run_tests
