#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes kmod/uapi/linux/knell_netlink.h and Documentation/netlink/knell.rst out of the family's
# specification, by the generators of the kernel's tools/net/ynl; "selftests/qemu/deps.sh netlink"
# has put those into build/ynl.
#
# usage: generate.sh [--check]	(with it nothing is written: do they agree?)
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
ynl=${KNELL_BUILD:-$top/build}/ynl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -f "$ynl/tools/net/ynl/ynl-gen-c.py" ]; then
	echo "generate.sh: $ynl: expected the kernel's tools/net/ynl; make netlink gets them" >&2
	exit 1
fi

# The generators look for their schema beside specs/, and up the absolute path for a MAINTAINERS,
# for ever if there is none.
spec=$work/Documentation/netlink/specs/knell.yaml
mkdir -p "${spec%/*}"
: >"$work/MAINTAINERS"
cp "$ynl/Documentation/netlink/genetlink.yaml" "$work/Documentation/netlink"
cp "$top/Documentation/netlink/specs/knell.yaml" "$spec"

timeout 60 /usr/bin/python3 "$ynl/tools/net/ynl/ynl-gen-c.py" --spec "$spec" --mode uapi \
	--header -o "$work/knell_netlink.h"
timeout 60 /usr/bin/python3 "$ynl/tools/net/ynl/ynl-gen-rst.py" -i "$spec" -o "$work/knell.rst"

status=0
for file in kmod/uapi/linux/knell_netlink.h Documentation/netlink/knell.rst; do
	if [ "${1:-}" != --check ]; then
		cmp -s "$work/${file##*/}" "$top/$file" || cp "$work/${file##*/}" "$top/$file"
	elif ! diff -u "$top/$file" "$work/${file##*/}"; then
		echo "$file is not what Documentation/netlink/specs/knell.yaml says: make netlink" >&2
		status=1
	fi
done
exit $status
