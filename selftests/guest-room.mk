# SPDX-License-Identifier: GPL-2.0-only
# What rooms have in common of which each *_test.c is a program for the guest and needs nothing but
# what is beside the rooms: ROOM_NAME_test beside the other selftests. Sets all that a room's Makefile is
# to have:
#
#	make guest		builds them

top := $(abspath ../..)
build ?= $(top)/build
out := $(build)/selftests
room := $(notdir $(CURDIR))
SLOW ?= 1

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	$(if $(WERROR),-Werror)
flags := -std=gnu11 -D_GNU_SOURCE $(warnings) -isystem $(build)/kselftest -I.. -I$(top)/kmod/uapi \
	-DSLOW=$(SLOW) -static -pthread -MMD -MP
CFLAGS ?= -Og -g1
names := $(patsubst %_test.c,%,$(wildcard *_test.c))
Q := $(if $(V),,@)

guest: $(names:%=$(out)/$(room)_%_test)

$(out)/$(room)_%_test: %_test.c $(build)/kselftest/kselftest_harness.h
	@mkdir -p $(@D)
	@echo "  CC      $(room)/$<"
	$(Q)$(CC) $(flags) $(CFLAGS) -o $@ $<

clean:
	rm -f $(out)/$(room)_*

.PHONY: guest clean
-include $(wildcard $(out)/$(room)_*.d)
