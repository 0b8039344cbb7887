#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes the copy of the module's sources that is in DIR the coverage build's. What runs once is to stay
# where the rest is, so no function is __init or __exit.
#
# usage: prepare.sh DIR
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cp -p "$here/knell_coverage.c" "$1/"
sed -i 's/\<__\(init\|exit\)\> //' "$1"/*.c
