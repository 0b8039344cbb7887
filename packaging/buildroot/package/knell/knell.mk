################################################################################
#
# knell
#
################################################################################

# SPDX-License-Identifier: GPL-2.0-only
#
# The tree that this file is in.
KNELL_SITE = $(realpath $(BR2_EXTERNAL_KNELL_PATH)/../..)
KNELL_SITE_METHOD = local
KNELL_VERSION = $(shell cat $(KNELL_SITE)/VERSION)
KNELL_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude build
KNELL_LICENSE = GPL-2.0 (module, programs), LGPL-2.1+ (libknell)
KNELL_LICENSE_FILES = LICENSES/GPL-2.0-only.txt LICENSES/LGPL-2.1-or-later.txt
KNELL_DEPENDENCIES = host-pkgconf jansson libnl
KNELL_INSTALL_STAGING = YES

# Its jansson is a shared library.
KNELL_MAKE_ENV = $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) JANSSON=-ljansson
KNELL_PATHS = PREFIX=/usr libdir=/usr/lib

define KNELL_BUILD_CMDS
	$(KNELL_MAKE_ENV) $(MAKE) -C $(@D) libknell unit knelld knellctl
endef

define KNELL_INSTALL_STAGING_CMDS
	$(KNELL_MAKE_ENV) $(MAKE) -C $(@D)/user/libknell BUILD=$(@D)/build $(KNELL_PATHS) \
		DESTDIR=$(STAGING_DIR) install
endef

define KNELL_INSTALL_TARGET_CMDS
	$(KNELL_MAKE_ENV) $(MAKE) -C $(@D) $(KNELL_PATHS) DESTDIR=$(TARGET_DIR) install-user
endef

define KNELL_USERS
	- - knell -1 - - - - knell, may open /dev/knell
endef

ifeq ($(BR2_PACKAGE_KNELL_INIT),y)
define KNELL_LINK_INIT
	ln -sf ../usr/sbin/knelld $(TARGET_DIR)/sbin/init
endef
KNELL_POST_INSTALL_TARGET_HOOKS += KNELL_LINK_INIT
endif

ifeq ($(BR2_PACKAGE_KNELL_MODULE),y)
KNELL_MODULE_SUBDIRS = kmod

# It hears of forks and exits by tracepoints, and answers by netlink.
define KNELL_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FTRACE)
	$(call KCONFIG_ENABLE_OPT,CONFIG_ENABLE_DEFAULT_TRACERS)
endef

$(eval $(kernel-module))
endif

$(eval $(generic-package))
