#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Reads the recipes of packaging/ as their builders would, and nothing is built. Without a builder at
# hand, what Debian's tools can read of them: the options, by kconfiglib; the makefile, by make; which
# files they name. Prints what is wrong.
#
# usage: recipes.sh
#
# In the environment: BUILDROOT, a Buildroot; OECORE, an OpenEmbedded-Core with bitbake/ in it, whose
# own needs (gawk, chrpath, the locale en_US.UTF-8 ...) are there: these are asked, too.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
external=$top/packaging/buildroot
layer=$top/packaging/yocto/meta-knell
version=$(cat "$top/VERSION")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
faults=0

fault()
{
	echo "recipes: $*"
	faults=$((faults + 1))
}

# With what a toolchain can, the package is to be had; without glibc it is not.
options()
{
	BR2_EXTERNAL_KNELL_PATH=$external /usr/bin/python3 "$here/options.py" "$external/Config.in" || fault "options"
}

# What make takes for the package's variables; what Buildroot has for it is made from them.
makefile()
{
	# shellcheck disable=SC2016 # for make
	printf '%s\n' 'generic-package =' 'kernel-module =' "BR2_EXTERNAL_KNELL_PATH = $external" \
		"include $external/external.mk" \
		'all: ; @echo "$(KNELL_VERSION) $(wildcard $(KNELL_LICENSE_FILES:%=$(KNELL_SITE)/%))"' >"$dir/mk"
	said=$(make -s --warn-undefined-variables -f "$dir/mk" BR2_PACKAGE_KNELL_MODULE=y \
		BR2_PACKAGE_KNELL_INIT=y 2>"$dir/err") || true
	[ "$said" = "$version $top/LICENSES/GPL-2.0-only.txt $top/LICENSES/LGPL-2.1-or-later.txt" ] ||
		fault "knell.mk: $said $(cat "$dir/err")"
}

# Files that the recipes copy, and what they say that the licences are.
layer_files()
{
	recipes=$layer/recipes-knell/knell
	files=$(sed -n '/^SRC_URI/,/"$/p' "$recipes/knell.inc" | grep -o 'file://[^ "]*' | sed 's|file://||')
	[ -n "$files" ] || fault "knell.inc: no files"
	for file in $files; do
		[ -e "$top/$file" ] || fault "knell.inc: no $file"
	done
	sums=$(grep -h -o 'file://[^;]*;md5=[0-9a-f]*' "$recipes"/*)
	[ -n "$sums" ] || fault "no licence"
	for sum in $sums; do
		file=${sum#file://} file=${file%;*}
		echo "${sum##*=}  $top/$file" | md5sum --status -c || fault "the sum of $file is another"
	done
}

buildroot()
{
	make -C "$BUILDROOT" O="$dir/out" BR2_EXTERNAL="$external" knell_qemu_x86_64_defconfig >"$dir/log" 2>&1 ||
		{ tail -n 20 "$dir/log"; fault "buildroot: no configuration"; return; }
	for option in KNELL KNELL_MODULE KNELL_INIT JANSSON LIBNL; do
		grep -q "^BR2_PACKAGE_$option=y" "$dir/out/.config" || fault "buildroot: $option is off"
	done
	make -s -C "$dir/out" knell-show-info >"$dir/info" 2>"$dir/log" || cat "$dir/log"
	/usr/bin/python3 - "$dir/info" "$version" <<-'END' || fault "buildroot: $(cat "$dir/info")"
		import json, sys
		knell = json.load(open(sys.argv[1]))["knell"]
		wanted = {"jansson", "libnl", "linux", "host-pkgconf"}
		sys.exit(knell["version"] != sys.argv[2] or not wanted <= set(knell["dependencies"]))
	END
}

openembedded()
{
	mkdir -p "$dir/oe/conf"
	cat >"$dir/oe/conf/bblayers.conf" <<-END
		BBPATH = "\${TOPDIR}"
		BBFILES ?= ""
		BBLAYERS = "$OECORE/meta $layer"
	END
	# Not the checks of a machine that is to build.
	cat >"$dir/oe/conf/local.conf" <<-END
		MACHINE = "qemux86-64"
		DISTRO = "nodistro"
		INHERIT:remove = "sanity uninative"
	END
	(cd "$dir/oe" && BBPATH=$PWD PATH=$OECORE/bitbake/bin:$OECORE/scripts:$PATH \
		bitbake --dry-run knell knell-module) >"$dir/log" 2>&1 ||
		{ tail -n 20 "$dir/log"; fault "bitbake finds no way to build it"; }
	grep -q 'knell-module.bb:do_compile' "$dir/log" || fault "bitbake would not compile the module"
	grep -q 'knell.bb:do_package_qa' "$dir/log" || fault "bitbake would not package knell"
	! grep 'WARNING.*knell' "$dir/log" || fault "bitbake warns"
}

options
makefile
layer_files
[ -z "${BUILDROOT:-}" ] || buildroot
[ -z "${OECORE:-}" ] || openembedded
[ $faults -eq 0 ]
