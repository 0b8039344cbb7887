# SPDX-License-Identifier: GPL-2.0-only
"""Reads Buildroot's options of knell, with the symbols of Buildroot's that they name, and tells what is
not as it is meant to be.

usage: options.py Config.in    (BR2_EXTERNAL_KNELL_PATH in the environment)
"""
import os
import sys
import tempfile

import kconfiglib

TOOLCHAIN = ["BR2_USE_MMU", "BR2_TOOLCHAIN_HAS_THREADS", "BR2_TOOLCHAIN_USES_GLIBC"]
OTHERS = ["BR2_STATIC_LIBS", "BR2_LINUX_KERNEL", "BR2_INIT_NONE", "BR2_PACKAGE_JANSSON",
          "BR2_PACKAGE_LIBNL"]


def read(path):
    """Returns the options of path, after Buildroot's own that matter to them."""
    os.environ["KCONFIG_WARN_UNDEF"] = "y"
    with tempfile.NamedTemporaryFile("w", suffix=".in") as top:
        for name in TOOLCHAIN + OTHERS:
            top.write(f'config {name}\n\tbool "{name}"\n')
        top.write(f'source "{path}"\n')
        top.flush()
        kconf = kconfiglib.Kconfig(top.name, warn_to_stderr=False)
    return kconf


def main():
    """Sets what Buildroot would, and looks at what follows."""
    kconf = read(os.path.abspath(sys.argv[1]))
    faults = list(kconf.warnings)
    value = lambda name: kconf.syms["BR2_" + name].str_value
    expect = lambda what, *names: faults.extend(
        f"{what}: {name} is {value(name)}" for name, on in names if value(name) != on)

    for name in TOOLCHAIN + ["BR2_PACKAGE_KNELL"]:
        kconf.syms[name].set_value("y")
    expect("glibc", ("PACKAGE_KNELL", "y"), ("PACKAGE_JANSSON", "y"), ("PACKAGE_LIBNL", "y"),
           ("PACKAGE_KNELL_MODULE", "n"), ("PACKAGE_KNELL_INIT", "n"))
    for name in ["BR2_LINUX_KERNEL", "BR2_INIT_NONE", "BR2_PACKAGE_KNELL_INIT"]:
        kconf.syms[name].set_value("y")
    expect("a kernel, no init", ("PACKAGE_KNELL_MODULE", "y"), ("PACKAGE_KNELL_INIT", "y"))
    for name in TOOLCHAIN:
        kconf.syms[name].set_value("n")
        expect("no " + name, ("PACKAGE_KNELL", "n"), ("PACKAGE_JANSSON", "n"))
        kconf.syms[name].set_value("y")
    kconf.syms["BR2_STATIC_LIBS"].set_value("y")
    expect("no libknell.so", ("PACKAGE_KNELL", "n"))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


sys.exit(main())
