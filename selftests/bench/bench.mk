# SPDX-License-Identifier: GPL-2.0-only
# What "make bench" builds before it calls selftests/bench/run.sh; to be included from the top.

BENCH_BUILD  ?= build/bench
BENCH_CFLAGS ?= -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla

BENCH_PROGS := $(BENCH_BUILD)/exits

$(BENCH_BUILD)/exits: selftests/bench/exits.c kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -o $@ $<
