# SPDX-License-Identifier: GPL-2.0-only
SUMMARY = "/dev/knell, a queue of all that a process manager waits for"
require knell.inc

inherit module

# It hears of forks and exits by tracepoints (CONFIG_FTRACE, CONFIG_ENABLE_DEFAULT_TRACERS) and answers
# by netlink (CONFIG_NET).
EXTRA_OEMAKE = "-C ${STAGING_KERNEL_DIR} M=${S}/kmod"
MAKE_TARGETS = "modules"
MODULES_INSTALL_TARGET = "modules_install"
MODULES_MODULE_SYMVERS_LOCATION = "kmod"

RPROVIDES:${PN} += "kernel-module-knell"
