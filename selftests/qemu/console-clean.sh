#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fails, and shows the lines, if the kernel complained in a console log.
#
# What kmemleak says of itself when it starts is no complaint, and of races that KCSAN finds only those
# are that one of the two functions in its title is ours in: the kernel has races of its own.
#
# usage: console-clean.sh FILE
set -eu

pattern='WARNING:|\bBUG\b|Oops|Kernel panic|refcount|scheduling while atomic|INFO: task|rcu: INFO'
pattern="$pattern|INFO: possible|rcu.*stall|Call Trace|Slab cache still has objects|Object .*not freed"
pattern="$pattern|locking dependency|inconsistent lock state|suspicious RCU|UBSAN|KASAN|KFENCE|ODEBUG"
pattern="$pattern|general protection fault|unable to handle|soft lockup|hard LOCKUP|stack guard page"
pattern="$pattern|Poison overwritten|Redzone|list_(add|del) corruption|kmemleak: .*suspected|Out of memory"
pattern="$pattern|boot: killed"

! LC_ALL=C grep -a -n -E "$pattern" "$1" | grep -v 'BUG: KCSAN: .* in [^[]*$'
