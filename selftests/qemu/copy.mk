# SPDX-License-Identifier: GPL-2.0-only
# For another kernel than "make" builds for, the module is built in a copy of its sources, "kmod": its
# objects are put beside them.

module: module-copy

module-copy:
	@mkdir -p $(kmod)
	@cp -rpu kmod/Kbuild kmod/compat.sh $(filter-out %.mod.c %/compat_have.h,$(wildcard kmod/*.[ch])) \
		kmod/uapi $(kmod)/
	@cp -pu VERSION $(kmod)/../

.PHONY: module-copy
