# SPDX-License-Identifier: GPL-2.0-only
SUMMARY = "Service supervisor that sleeps in one read, and its event loop"
require knell.inc

LICENSE = "GPL-2.0-only AND LGPL-2.1-or-later"
LICENSE:libknell = "LGPL-2.1-or-later"
LIC_FILES_CHKSUM += "file://LICENSES/LGPL-2.1-or-later.txt;md5=4fbd65380cdd255951079008b364516c"

DEPENDS = "jansson libnl"
inherit pkgconfig useradd update-alternatives

# sigabbrev_np(), malloc_trim()
COMPATIBLE_HOST:libc-musl = "null"

# Its jansson is a shared library. The objects of libknell.a are linked into one by themselves.
EXTRA_OEMAKE = "JANSSON=-ljansson PREFIX=${prefix} libdir=${libdir} includedir=${includedir} mandir=${mandir}"

do_compile() {
	oe_runmake libknell unit knelld knellctl
}

do_install() {
	oe_runmake install-user DESTDIR=${D}
}

# Who may open /dev/knell.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system knell"

# VIRTUAL-RUNTIME_init_manager = "knell-init" makes it the first process.
PACKAGES =+ "libknell knell-init"
ALLOW_EMPTY:knell-init = "1"
RDEPENDS:knell-init = "${PN}"
ALTERNATIVE:knell-init = "init"
ALTERNATIVE_TARGET[init] = "${sbindir}/knelld"
ALTERNATIVE_LINK_NAME[init] = "${base_sbindir}/init"
ALTERNATIVE_PRIORITY[init] = "60"

FILES:libknell = "${libdir}/libknell.so.*"
FILES:${PN} += "${datadir} ${nonarch_libdir}/udev ${nonarch_libdir}/sysusers.d \
		${nonarch_libdir}/modules-load.d ${nonarch_libdir}/systemd"
RRECOMMENDS:${PN} += "kernel-module-knell"
