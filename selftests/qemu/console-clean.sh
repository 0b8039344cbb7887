#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fails, and shows the lines, if the kernel complained in a console log.
#
# usage: console-clean.sh FILE
set -eu

pattern='WARNING:|\bBUG\b|Oops|Kernel panic|refcount|scheduling while atomic|INFO: task|rcu: INFO'
pattern="$pattern|INFO: possible|rcu.*stall|Call Trace|Slab cache still has objects|Object .*not freed"
pattern="$pattern|locking dependency|inconsistent lock state|suspicious RCU|UBSAN|KASAN|KFENCE|ODEBUG"
pattern="$pattern|general protection fault|unable to handle|soft lockup|hard LOCKUP|stack guard page"
pattern="$pattern|Poison overwritten|Redzone|list_(add|del) corruption|kmemleak|Out of memory"
pattern="$pattern|boot: killed"

! LC_ALL=C grep -a -n -E "$pattern" "$1"
