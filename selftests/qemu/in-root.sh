#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Runs a command in another Debian that is unpacked in ROOT: as root, with a /proc that is not seen
# from elsewhere.
#
# usage: in-root.sh ROOT COMMAND...
set -eu

[ -n "${KNELL_IN_ROOT:-}" ] || KNELL_IN_ROOT=1 exec unshare --mount "$0" "$@"
root=$1
shift
unset KNELL_IN_ROOT
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"
