# SPDX-License-Identifier: GPL-2.0-only
# "make KNELL_DEBUG=KIND KDIR=DIR KERNEL=IMAGE check", as check.sh calls it: on a debug kernel, which has a module
# of its own in build/debug/KIND, and what runs in user space, with more patience, in build/debug for all.

build := build/debug
export KNELL_BUILD := $(CURDIR)/$(build)
export SLOW ?= 5
# Of races a quarter: each access of memory is looked at, and that takes its time.
export FEWER ?= 4
kmod := $(KNELL_BUILD)/$(KNELL_DEBUG)/kmod
export KNELL_MODULE := $(kmod)/knell.ko
# Its fault build (../fault), too, is this kernel's alone.
export KNELL_FAULT := $(KNELL_BUILD)/$(KNELL_DEBUG)/fault
# Of undefined behaviour only the module's is looked for; kernels without UBSAN take no notice.
kbuild_flags := UBSAN_SANITIZE=y
# The tests of this machine have no part in it.
check_flags := -g
# What is fetched is for the other builds, too.
deps_env := KNELL_BUILD=
deps := debug

copy_to := $(kmod)
