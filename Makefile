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
#				KREL=RELEASE on another kernel that is installed with its headers,
#				KERNEL=IMAGE KDIR=DIR on one of your own, DIR where it was built;
#				SLOW=N gives all N times as long, SMP=CPUS, MEMORY=MB,
#				APPEND="OPTION..."
#	make bench		counts instructions, system calls and bytes, BENCH="fd kill" only these
#	make lint		W=1, sparse, checkpatch, gcc -fanalyzer, clang-tidy, shellcheck, the
#				manual, what make install installs
#	make deps		installs what is missing for these (they call it themselves)
#	make install		installs the module, knelld, knellctl and its completions, libknell, the
#				headers, the manual; PREFIX, DESTDIR, libdir, includedir, mandir
#	make clean		removes what was built; distclean: what was fetched, too
#
# Variables: V=1 shows the commands, W=1 more warnings, WERROR=1 makes them errors.

build := build
qemu := selftests/qemu

# Asked when they are needed: on a fresh machine "deps" has to come first.
KDIR ?= $(shell $(qemu)/kernel.sh kdir)
PREFIX ?= /usr/local
mandir ?= $(PREFIX)/share/man
INSTALL ?= install

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)/kmod $(if $(WERROR),KCFLAGS=-Werror) $(if $(W),W=$(W))

all: module libknell unit knelld knellctl

module:
	$(kbuild) modules

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

selftests: module libknell knelld-static
	$(MAKE) -C selftests

deps:
	@$(qemu)/deps.sh

run: deps
	@$(MAKE) --no-print-directory all knelld-static knellctl-static
	@demo/run.sh $(if $(INTERACTIVE),-i)

check: deps
	@$(MAKE) --no-print-directory all selftests
	@$(qemu)/check.sh $(TESTS)

include selftests/bench/bench.mk

bench:
	@$(qemu)/deps.sh bench
	@$(MAKE) --no-print-directory module $(BENCH_PROGS)
	@selftests/bench/run.sh $(BENCH) $(if $(BENCH_ARGS),-- $(BENCH_ARGS))

lint:
	@$(qemu)/deps.sh lint
	@.ci/lint

install: all modules_install
	$(INSTALL) -D -m 0644 Documentation/man/knell.4 $(DESTDIR)$(mandir)/man4/knell.4
	$(MAKE) -C user/libknell BUILD=$(CURDIR)/$(build) install
	$(MAKE) -C user/knelld BUILD=$(CURDIR)/$(build) install
	$(MAKE) -C user/knellctl BUILD=$(CURDIR)/$(build) install

modules_install: module
	$(kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) INSTALL_MOD_DIR=updates \
		INSTALL_MOD_STRIP=1 CONFIG_MODULE_SIG_ALL= modules_install

clean:
	[ ! -d $(KDIR) ] || $(kbuild) clean
	rm -rf $(filter-out $(addprefix $(build)/,daemons debs debian kernel kernel-files kselftest python),$(wildcard $(build)/*))

distclean: clean
	rm -rf $(build)

.PHONY: all module libknell unit varlink knelld knellctl knelld-static knellctl-static selftests deps run check bench lint install modules_install clean distclean
