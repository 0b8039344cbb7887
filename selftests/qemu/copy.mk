# SPDX-License-Identifier: GPL-2.0-only
# For another kernel than "make" builds for, the module is built in a copy of its sources, "copy_to": its
# objects are put beside them.

module: module-copy

module-copy:
	@mkdir -p $(copy_to)
	@cp -rpu kmod/Kbuild kmod/compat.sh $(filter-out %.mod.c %/compat_have.h,$(wildcard kmod/*.[ch])) \
		kmod/uapi $(copy_to)/
	@cp -pu VERSION $(copy_to)/../

.PHONY: module-copy
