# SPDX-License-Identifier: GPL-2.0-only
# knell: the module, knelld, and the commands that prove them.
#
#	make			builds kmod/knell.ko, build/knelld, build/knellctl, build/libknell.so.0 and
#				build/libknell.a
#	make run		boots a machine whose PID 1 is knelld, INTERACTIVE=1 leaves a shell
#	make check		runs the selftests in the same machine, and here those of libknell (in
#				the machine, too), of knelld, knellctl and what they are made of;
#				TESTS="timer unit knelld_exec" only these (selftests/host.mk has
#				more on those that are run here),
#				KREL=6.12 on the newest of that series that Debian has, 6.12-rt with
#				PREEMPT_RT, 6.12@trixie of that Debian (selftests/qemu/krel.sh);
#				KERNEL=IMAGE KDIR=DIR on one of your own, DIR where it was built;
#				SLOW=N gives all N times as long, FULL=1 has knelld_scale at its
#				full size, SMP=CPUS, MEMORY=MB,
#				APPEND="OPTION..."; after one of everything, on a machine with
#				nothing else to do, selftests/qemu/costs.sh notes what took how long;
#				what fails beside others and passes when run again, alone, is told as
#				"unstable", of three tests at most, RETRY=N of N
#				ARCH=arm64 on Debian's arm64 kernel, emulated, in build/arm64: all that
#				runs in a guest, races with a quarter of their rounds, FEWER=1 with all
#	make check-kernels	does so on each of Debian's kernels that knell is for, what a guest
#				runs of it; KERNELS="5.10 7.3/arm64" only these, TESTS as above
#	make check-debug	runs what of it runs in a guest on kernels that watch themselves, which
#				are built once, an hour's work: KASAN, lockdep and more, then KCSAN;
#				TESTS, APPEND as above, KINDS="memory" or "races" one kernel only,
#				SLOW=5 and FEWER=4, a quarter of the races, if not told; SEEDS=1 shows
#				that each detector detects
#	make fuzz		lets libFuzzer try to break what user space reads: RUNS=10000000 executions
#				of each format, hours; FORMATS="span unit" only these, SEED=7 others
#	make coverage		runs the module's tests on a build that tells which edges of its code they
#				reach: 95 % at least; those of selftests/coverage/quick, FULL=1 all;
#				TESTS as above
#	make fuzz-device	the device's fuzzer, guided by that build, on a debug kernel: OPS=2000000,
#				SEED=1, on JOBS=4 machines; STOCK=1 on Debian's, BLIND=1 not guided; KEPT=LOG
#				makes that run again, REPLAY=LOG what of it was told, TIMES=100
#	make soak		storms at their full size: a million exits and more, hours of it;
#				SOAK="exits live" these only, SIZE=10 hundredths, SEED=NUMBER
#	make bench		counts instructions, system calls and bytes, on three kernels, beside those
#				who do the same, and writes Documentation/benchmarks.rst; BENCH="fd kill"
#				only these, on one
#	make lint		W=1, sparse, coccinelle, checkpatch, gcc -fanalyzer, clang-tidy,
#				shellcheck, the manual, spelling, licences, what make install installs
#	make lint-seeds		shows that each of these finds a fault of its kind
#	make netlink		generates the header and the page of the netlink family from its
#				specification, Documentation/netlink/specs/knell.yaml
#	make docs		makes HTML of Documentation/, the headers' comments and the manual, in build/docs;
#				a warning or a dead link fails
#	make pictures		draws the pictures of Documentation/pictures.rst anew, as root
#	make dtbs		the device tree's overlays of dts/, into build/dts
#	make deps		installs what is missing for these (they call it themselves)
#	make install		installs the module, knelld, knellctl and its completions, libknell, the
#				headers, the manual; PREFIX, DESTDIR, libdir, includedir, mandir
#	make deb		packages for Debian 12, into build/deb
#	make check-deb		installs them in a Debian 12 of its own, which it then boots: with systemd,
#				with knelld as PID 1, and after they were removed
#	make clean		removes what was built; distclean: what was fetched, too
#
# Variables: V=1 shows the commands, W=1 more warnings, WERROR=1 makes them errors.

build := build
qemu := selftests/qemu
kmod := $(CURDIR)/kmod

all: module libknell unit knelld knellctl

ifeq ($(ARCH),arm64)
include $(qemu)/arm64.mk
endif
ifdef KNELL_DEBUG
include selftests/debug/debug.mk
endif

ifneq ($(KREL),)
include $(qemu)/krel.mk
endif
ifdef copy_to
include $(qemu)/copy.mk
endif

# Asked when they are needed: on a fresh machine "deps" has to come first.
KDIR ?= $(shell $(qemu)/kernel.sh kdir)
PREFIX ?= /usr/local
mandir ?= $(PREFIX)/share/man
INSTALL ?= install

kbuild = $(or $(krel_make),$(MAKE) -C $(KDIR) M=$(kmod)) $(kbuild_flags) $(if $(WERROR),KCFLAGS=-Werror) $(if $(W),W=$(W))

module:
	+$(kbuild) modules

libknell:
	$(MAKE) -C user/libknell BUILD=$(CURDIR)/$(build)

# Unit files, for knelld and knellctl.
unit:
	$(MAKE) -C user/unit BUILD=$(CURDIR)/$(build)

varlink: libknell
	$(MAKE) -C user/varlink BUILD=$(CURDIR)/$(build)

knelld: libknell unit varlink
	$(MAKE) -C user/knelld BUILD=$(CURDIR)/$(build)

knellctl: libknell unit varlink
	$(MAKE) -C user/knellctl BUILD=$(CURDIR)/$(build)

# The guests have no libraries of this machine. Of the same objects: not at the same time.
knelld-static: knelld
	$(MAKE) -C user/knelld BUILD=$(CURDIR)/$(build) static

knellctl-static: knellctl
	$(MAKE) -C user/knellctl BUILD=$(CURDIR)/$(build) static

selftests: module libknell knelld-static knellctl-static
	$(MAKE) -C selftests build=$(CURDIR)/$(build)

dtbs:
	@mkdir -p $(build)/dts
	@for overlay in $(basename $(notdir $(wildcard dts/*.dtso))); do \
		dts/overlay.sh dts/$$overlay.dtso $(build)/dts/$$overlay.dtbo || exit 1; done

deps:
	@$(deps_env) $(qemu)/deps.sh $(deps)

run: deps
	@$(MAKE) --no-print-directory all knelld-static knellctl-static
	@demo/run.sh $(if $(INTERACTIVE),-i)

# Of programs that TESTS calls by their full names no more than these is built, unless they need knelld.
few := $(if $(filter-out $(patsubst selftests/%.c,%,$(wildcard selftests/*_test.c)),$(TESTS))$(filter \
	knelld_%,$(TESTS)),,$(TESTS))

few: module
	$(MAKE) -C selftests build=$(CURDIR)/$(build) guest $(few:%=$(CURDIR)/$(build)/selftests/%)

check: deps
	@$(MAKE) --no-print-directory $(if $(few),few,all selftests)
	@$(qemu)/check.sh $(check_flags) $(TESTS)

check-debug:
	@$(qemu)/deps.sh debug
	@selftests/debug/check.sh $(TESTS)

check-kernels:
	@$(qemu)/check-kernels.sh $(KERNELS)

fuzz: deps
	@$(MAKE) --no-print-directory -C selftests/fuzz build=$(CURDIR)/$(build) fuzz

# What runs on the module's coverage build needs no more than the module's tests.
coverage-programs: deps
	@$(MAKE) --no-print-directory module
	@$(MAKE) --no-print-directory -C selftests build=$(CURDIR)/$(build) kmod

coverage: coverage-programs
	@selftests/coverage/check.sh $(TESTS)

fuzz-device: coverage-programs
	@OPS=$(OPS) SEED=$(SEED) BLIND=$(BLIND) STOCK=$(STOCK) LOUD=$(LOUD) KEPT=$(KEPT) REPLAY=$(REPLAY) \
		TIMES=$(TIMES) JOBS=$(JOBS) selftests/coverage/fuzz.sh

soak: deps
	@$(MAKE) --no-print-directory module
	$(MAKE) -C selftests build=$(CURDIR)/$(build) guest soak $(CURDIR)/$(build)/selftests/keep_kill_test
	@selftests/soak/soak.sh $(SOAK)

include selftests/bench/bench.mk

bench:
	@$(qemu)/deps.sh bench
	@$(MAKE) --no-print-directory module $(BENCH_PROGS)
	@$(bench_run) $(BENCH) $(if $(BENCH_ARGS),-- $(BENCH_ARGS))

netlink:
	@$(qemu)/deps.sh netlink
	@Documentation/netlink/generate.sh

lint:
	@$(qemu)/deps.sh lint
	@.ci/lint

# That each of these finds a fault of its kind.
lint-seeds:
	@$(qemu)/deps.sh lint
	@.ci/seeds

docs:
	@$(qemu)/deps.sh docs
	@Documentation/site/build.sh $(CURDIR)/$(build)/docs

pictures: knelld knellctl
	Documentation/pictures/draw.sh $(build)/knelld $(build)/knellctl Documentation/pictures

install: module install-user modules_install

# All but the module, which packages leave to DKMS.
install-user: libknell unit knelld knellctl
	$(INSTALL) -D -m 0644 Documentation/man/knell.4 $(DESTDIR)$(mandir)/man4/knell.4
	$(INSTALL) -D -m 0644 Documentation/man/knell.7 $(DESTDIR)$(mandir)/man7/knell.7
	$(MAKE) -C user/system install
	$(MAKE) -C user/libknell BUILD=$(CURDIR)/$(build) install
	$(MAKE) -C user/knelld BUILD=$(CURDIR)/$(build) install
	$(MAKE) -C user/knellctl BUILD=$(CURDIR)/$(build) install

modules_install: module
	$(kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) INSTALL_MOD_DIR=updates \
		INSTALL_MOD_STRIP=1 CONFIG_MODULE_SIG_ALL= modules_install

# Of what is in git, or of all but build/ where there is no git.
deb:
	@$(qemu)/deps.sh deb
	debian/build.sh $(build)/deb

check-deb: deb
	@selftests/package/run.sh

clean:
	[ ! -d $(KDIR) ] || $(kbuild) clean
	rm -rf $(filter-out $(addprefix $(build)/,daemons deb debs debian% kernel kernel-files kselftest kubernetes prometheus python tracers ynl),$(wildcard $(build)/*))

distclean: clean
	rm -rf $(build)

.PHONY: all module libknell unit varlink knelld knellctl knelld-static knellctl-static selftests few dtbs deps run check check-debug check-kernels fuzz coverage coverage-programs fuzz-device soak bench docs pictures netlink lint lint-seeds install install-user modules_install deb check-deb clean distclean
