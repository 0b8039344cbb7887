# SPDX-License-Identifier: GPL-2.0-only
# "make ARCH=arm64": all goes to build/arm64, cross-compiled, with libraries that debian-arm64.sh has
# fetched. The module is built in a copy of its sources (copy.mk).

build := build/arm64
export KNELL_BUILD := $(CURDIR)/$(build)
cross := aarch64-linux-gnu-
root := $(CURDIR)/build/debian-arm64/root
lib := $(root)/usr/lib/aarch64-linux-gnu

export CC := $(cross)gcc -isystem $(root)/usr/include -L$(lib) -Wl,-rpath-link,$(lib)
export LD := $(cross)ld
export AR := $(cross)ar
export OBJCOPY := $(cross)objcopy
export CC_M32 := arm-linux-gnueabihf-gcc
export PKG_CONFIG_LIBDIR := $(lib)/pkgconfig:$(root)/usr/share/pkgconfig
export PKG_CONFIG_SYSROOT_DIR := $(root)

KDIR ?= $(shell ARCH=arm64 KNELL_BUILD=$(KNELL_BUILD) $(qemu)/kernel.sh kdir)
kmod := $(KNELL_BUILD)/kmod
kbuild_flags := ARCH=arm64 CROSS_COMPILE=$(cross)
# What races is emulated in the memory order of this machine: a round more would show what it has shown
# on this one.
export FEWER ?= 4
# Its CPUs wait for each other whenever a page table changes, and for those of the other guests.
export SLOW ?= 3
# What is fetched is for this machine's build, too.
deps_env := KNELL_BUILD= ARCH=
deps := arm64

copy_to := $(kmod)
