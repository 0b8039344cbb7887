# SPDX-License-Identifier: GPL-2.0-only
# What "make bench" builds before it calls selftests/bench/run.sh; to be included from the top.

BENCH_BUILD  ?= build/bench
BENCH_CFLAGS ?= -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla

# In the order in which they run: exits is to find a machine that has done nothing yet.
BENCH ?= exits fd probes bytes kill

BENCH_PROGS := $(addprefix $(BENCH_BUILD)/,$(BENCH))

$(BENCH_BUILD)/%: selftests/bench/%.c $(wildcard selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -o $@ $<
