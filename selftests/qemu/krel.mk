# SPDX-License-Identifier: GPL-2.0-only
# "make KREL=6.12": the module is built for another of Debian's kernels (krel.sh), in a copy of its
# sources, for its objects are put beside them. All else is the stock kernel's.

export KREL
krel_asked = $(or $(shell KREL=$(KREL) ARCH=$(ARCH) KNELL_BUILD=$(KNELL_BUILD) \
	$(qemu)/kernel.sh $(1)),$(error there is no kernel $(KREL): make deps KREL=$(KREL)))
krel_make = $(call krel_asked,kbuild)
copy_to = $(call krel_asked,place)/kmod
