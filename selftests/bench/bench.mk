# SPDX-License-Identifier: GPL-2.0-only
# What "make bench" builds before it calls selftests/bench/run.sh; to be included from the top.

BENCH_BUILD  ?= build/bench
BENCH_CFLAGS ?= -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla

# In the order in which they run: exits is to find a machine that has done nothing yet.
bench_kernel := exits fd probes bytes kill
# libknell and its peers.
bench_loops := timers dispatch children pool blocked
BENCH ?= $(bench_kernel) $(bench_loops)

BENCH_PROGS := $(addprefix $(BENCH_BUILD)/,$(filter $(bench_kernel),$(BENCH))) \
	$(addprefix $(BENCH_BUILD)/loops/,$(filter $(bench_loops),$(BENCH)))
ifneq ($(filter-out $(bench_kernel) $(bench_loops),$(BENCH)),)
BENCH_PROGS = $(error BENCH: there is no $(filter-out $(bench_kernel) $(bench_loops),$(BENCH)))
endif

$(BENCH_BUILD)/%: selftests/bench/%.c $(wildcard selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -o $@ $<

# All peers in one process, side by side. Static as far as there are static libraries, so that calls
# cost the same; libevent before libev, which has libevent's old functions, too.
loops := selftests/bench/loops
loops_out := $(BENCH_BUILD)/loops
loops_peers := $(patsubst %,$(loops_out)/%.o,knell libev libuv libevent sd_event pidfd shared)
loops_libs := $(loops_out)/libknell.a -l:libevent_core.a -l:libev.a -l:libuv_a.a -lsystemd -lm -ldl
loops_cflags = $(BENCH_CFLAGS) -fno-pie -pthread -Ikmod/uapi -Iuser/libknell \
	-DSD_EVENT_VERSION='"$(shell dpkg-query -W -f '$${Version}' libsystemd-dev | sed 's/[-.].*//')"'

$(loops_out)/%.o: $(loops)/%.c $(wildcard $(loops)/*.h selftests/bench/*.h user/libknell/knell.h)
	@mkdir -p $(@D)
	$(CC) $(loops_cflags) -c -o $@ $<

$(loops_out)/libknell.a: FORCE
	@$(MAKE) --no-print-directory -C user/libknell BUILD=$(abspath $(loops_out)) $(abspath $@)

$(addprefix $(loops_out)/,timers dispatch children): $(loops_out)/%: $(loops_out)/%.o $(loops_peers) $(loops_out)/libknell.a
	$(CC) -no-pie -pthread -Wl,--wrap=fork -o $@ $(filter %.o,$^) $(loops_libs)

$(addprefix $(loops_out)/,pool blocked): $(loops_out)/%: $(loops_out)/%.o $(loops_out)/libknell.a
	$(CC) -no-pie -pthread $(if $(filter %/pool,$@),-Wl$(comma)--wrap=pthread_create) -o $@ $^
comma := ,

FORCE:
