# SPDX-License-Identifier: GPL-2.0-only
# What the suites that run on this machine have in common. A suite is a directory here; its Makefile
# sets "top", "build" and "out", includes this and has two targets:
#
#	host	builds all that its tests need
#	list	prints a line for each: "TEST SECONDS COMMAND...", what takes longest first. The
#		command prints TAP; nothing in the line is quoted
#
# and gets a third from here:
#
#	make check-host		builds and runs them, two at a time, TESTS="span timer" only these;
#				"N passed, N failed" comes last
#
# "make check" runs all suites that there are, TESTS="unit knelld_exec" the one and a test of the
# other. qemu/suites.sh finds them, qemu/check.sh runs them. What they have of the tree is built
# once for all of them: rooms with ASan and UBSan are in $(asan), by the flags $(sane). These do not
# optimize: that would take three times as long to compile, and the tests of all hardly less to run.

asan := $(build)/asan
sane := -O0 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
suite := $(notdir $(CURDIR))
.DEFAULT_GOAL := host

# A library or program of the tree, $(asan)/NAME from the directory user/ROOM, which knows itself
# whether there is anything to do. One after the other, as programs make the libraries, too.
define room
$(asan)/$(1): FORCE $(3:%=| $(asan)/%)
	@mkdir -p $(asan)
	+$(if $(V),,@)$(MAKE) -s -C $(top)/user/$(2) BUILD=$(asan) CFLAGS="$(sane)" $(asan)/$(1)
endef
$(eval $(call room,libknell.a,libknell))
$(eval $(call room,libunit-private.a,unit,libknell.a))
$(eval $(call room,libvarlink.a,varlink,libunit-private.a))
$(eval $(call room,knelld,knelld,libvarlink.a))
$(eval $(call room,knellctl,knellctl,knelld))

check-host:
	@KNELL_BUILD=$(build) ../qemu/check.sh -h $(if $(TESTS),$(TESTS:%=$(suite)_%),$(suite))

FORCE:

.PHONY: host list check-host FORCE
