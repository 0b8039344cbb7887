#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lintian on what is in DIR: errors fail.
#
# usage: lint.sh DIR
set -eu

[ $# -eq 1 ] || { echo "usage: lint.sh DIR" >&2; exit 2; }
lintian --allow-root --fail-on error "$1"/*.changes
