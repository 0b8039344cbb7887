#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fails, and shows the lines, if the kernel complained in a console log.
#
# What kmemleak says of itself when it starts is no complaint, and of races that KCSAN finds only those
# are that one of the two functions in its title is ours in: the kernel has races of its own.
#
# Nor is it one that a stack for a new process could not be had, which fork(2) answers with ENOMEM and
# fault_kernel_test has happen.
#
# usage: console-clean.sh FILE
set -eu

pattern='WARNING:|\bBUG\b|Oops|Kernel panic|refcount|scheduling while atomic|INFO: task|rcu: INFO'
pattern="$pattern|INFO: possible|rcu.*stall|Call Trace|Slab cache still has objects|Object .*not freed"
pattern="$pattern|locking dependency|inconsistent lock state|suspicious RCU|UBSAN|KASAN|KFENCE|ODEBUG"
pattern="$pattern|general protection fault|unable to handle|soft lockup|hard LOCKUP|stack guard page"
pattern="$pattern|Poison overwritten|Redzone|list_(add|del) corruption|kmemleak: .*suspected|Out of memory"
pattern="$pattern|boot: killed"

! LC_ALL=C sed '/vmalloc error: .* allocation failed/,/<\/TASK>/s/.*//' "$1" |
	LC_ALL=C grep -a -n -E "$pattern" | grep -v 'BUG: KCSAN: .* in [^[]*$'
