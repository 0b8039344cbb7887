# SPDX-License-Identifier: GPL-2.0-only
# "make KREL=6.12": the module is built for another of Debian's kernels (krel.sh), in a copy of its
# sources, for its objects are put beside them. All else is the stock kernel's.

export KREL
krel_asked = $(or $(shell KREL=$(KREL) ARCH=$(ARCH) KNELL_BUILD=$(KNELL_BUILD) \
	$(qemu)/kernel.sh $(1)),$(error there is no kernel $(KREL): make deps KREL=$(KREL)))
krel_make = $(call krel_asked,kbuild)
krel_place = $(call krel_asked,place)

module: krel-copy

krel-copy:
	@mkdir -p $(krel_place)/kmod
	@cp -rpu kmod/Kbuild kmod/compat.sh $(filter-out %.mod.c %/compat_have.h,$(wildcard kmod/*.[ch])) kmod/uapi $(krel_place)/kmod/
	@cp -pu VERSION $(krel_place)/

.PHONY: krel-copy
