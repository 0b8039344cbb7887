# SPDX-License-Identifier: GPL-2.0-only
# What "make bench" builds before it calls whole.sh, or run.sh for some programs; to be included from the top.

BENCH_BUILD  ?= build/bench
BENCH_CFLAGS ?= -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla

# In the order in which they run: exits is to find a machine that has done nothing yet.
bench_kernel := exits fd probes bytes kill observe scale
# libknell and its peers.
bench_loops := timers dispatch children pool blocked
# knelld and its peers.
bench_supervisors := supervisors
bench_containers := containers
bench_all := $(bench_kernel) $(bench_loops) $(bench_supervisors) $(bench_containers)
# Without BENCH: on other kernels, too, and a page is made of it.
bench_run := selftests/bench/$(if $(BENCH)$(BENCH_ARGS),run.sh,whole.sh)
BENCH ?= $(bench_all)

BENCH_PROGS := $(addprefix $(BENCH_BUILD)/,$(filter $(bench_kernel),$(BENCH))) \
	$(if $(filter observe,$(BENCH)),$(BENCH_BUILD)/knell_notrace.ko) \
	$(addprefix $(BENCH_BUILD)/loops/,$(filter $(bench_loops),$(BENCH))) \
	$(if $(filter $(bench_supervisors),$(BENCH)),knelld \
		$(addprefix $(BENCH_BUILD)/supervisors/,supervisors service flapper)) \
	$(if $(filter $(bench_containers),$(BENCH)),knelld-static $(BENCH_BUILD)/containers/containers \
		$(addprefix $(BENCH_BUILD)/supervisors/,service ender))
ifneq ($(filter-out $(bench_all),$(BENCH)),)
BENCH_PROGS = $(error BENCH: there is no $(filter-out $(bench_all),$(BENCH)))
endif

$(BENCH_BUILD)/%: selftests/bench/%.c $(wildcard selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -o $@ $<

exits := selftests/bench/exits

$(BENCH_BUILD)/exits: $(wildcard $(exits)/*.[ch] selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -o $@ $(filter %.c,$^)

# The module without its tracepoints, by the kernel's own word for that; all else is the same.
notrace := $(BENCH_BUILD)/notrace

$(BENCH_BUILD)/knell_notrace.ko: FORCE
	@mkdir -p $(notrace)
	@cp -ru kmod VERSION $(notrace)
	+$(MAKE) -C $(KDIR) M=$(abspath $(notrace)/kmod) $(kbuild_flags) KCFLAGS=-DNOTRACE modules
	strip --strip-debug -o $@ $(notrace)/kmod/knell.ko

# All peers in one process, side by side. Static as far as there are static libraries, so that calls
# cost the same; libevent before libev, which has libevent's old functions, too.
loops := selftests/bench/loops
loops_out := $(BENCH_BUILD)/loops
loops_peers := $(patsubst %,$(loops_out)/%.o,knell libev libuv libevent sd_event pidfd shared)
loops_libs := $(loops_out)/libknell.a -l:libevent_core.a -l:libev.a -l:libuv_a.a -lsystemd -lm -ldl
loops_cflags = $(BENCH_CFLAGS) -fno-pie -pthread -Ikmod/uapi -Iuser/libknell

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

sup := selftests/bench/supervisors
sup_out := $(BENCH_BUILD)/supervisors

# What the trace says are numbers.
$(sup_out)/call_names.h:
	@mkdir -p $(@D)
	echo '#include <asm/unistd.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' >$@

$(sup_out)/supervisors: $(patsubst %,$(sup)/%.c,supervisors peers run procs trace files) \
		$(sup_out)/call_names.h $(wildcard $(sup)/*.h selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -I$(sup_out) -o $@ $(filter %.c,$^)

# Started, watched and traced as they are.
$(BENCH_BUILD)/containers/containers: selftests/bench/containers/containers.c \
		$(patsubst %,$(sup)/%.c,run procs trace files) $(sup_out)/call_names.h \
		$(wildcard $(sup)/*.h selftests/bench/*.h) kmod/uapi/linux/knell.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -Ikmod/uapi -I$(sup_out) -o $@ $(filter %.c,$^)

$(sup_out)/service $(sup_out)/flapper $(sup_out)/ender: $(sup)/service.c
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -nostdlib $(if $(filter %/flapper,$@),-DFLAP='"/tmp/flaps"') \
		$(if $(filter %/ender,$@),-DENDS=42) -o $@ $<

FORCE:
