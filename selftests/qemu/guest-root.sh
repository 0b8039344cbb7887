#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Packs the test guest into build/guest/base.cpio (guest-KREL): busybox, our init and insmod, the module,
# knelld. The list of what init is to run is appended to it for each boot, with the programs that it
# names, which are in /tests (run-list.sh).
#
# What a test program finds there: /dev/knell, the module as $KNELL_KO (/lib/knell.ko), its fault build
# (../fault) as /lib/knell-fault.ko, and a plain insmod as /sbin/insmod (by its full path: busybox's shell
# has its own), knelld as $KNELLD
# (/sbin/knelld), knellctl as /sbin/knellctl and, with shared libraries, as /usr/bin/knellctl, a fresh
# tmpfs on /tmp, /run and /dev/shm; /gcov, where what gcov counts outlives them; /proc, /sys, cgroup2,
# debugfs and tracefs mounted where they belong; the users root, nobody and tester (1000), each with its
# group; what examples.sh and docs.sh add; what is in the directory KNELL_GUEST_FILES, if that is set; of the stock
# kernel's modules, unless it has them built in, /lib/fuse.ko and /lib/cuse.ko.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"
# shellcheck source=selftests/qemu/libraries.sh
. "$here/libraries.sh"
# Of packages that were unpacked, where the machine's own libraries are not these.
tree=$foreign
[ -z "${KREL:-}" ] || [ -n "${KERNEL:-}" ] || module=$("$here/kernel.sh" ko)
guest=$build/guest${KREL:+-$KREL}
fault=${KNELL_FAULT:-$build/fault}
root=$guest/root

# What is for a debugger would only take the guest time to unpack.
stripped()
{
	"${CROSS_COMPILE:-}strip" --strip-debug -o "$2" "$1"
}

rm -rf "$root"
mkdir -p "$root/tests" "$root/gcov"
chmod 1777 "$root/gcov"
"$here/busybox-root.sh" "$root"
cp "$build/qemu/init" "$root/init"
cp "$build/qemu/insmod" "$root/sbin/insmod"
[ ! -e "$module" ] || stripped "$module" "$root/lib/knell.ko"
# That is the stock kernel's, or a debug kernel's.
[ -n "${KREL:-}" ] || [ ! -e "$fault/sites" ] || {
	stripped "$fault/knell.ko" "$root/lib/knell-fault.ko"
	cp "$fault/sites" "$root/lib/knell-fault.sites"
}
[ ! -e "$build/knelld-static" ] || stripped "$build/knelld-static" "$root/sbin/knelld"
[ ! -e "$build/knellctl-static" ] || stripped "$build/knellctl-static" "$root/sbin/knellctl"
if [ -e "$build/knellctl" ]; then
	mkdir -p "$root/usr/bin"
	stripped "$build/knellctl" "$root/usr/bin/knellctl"
	install_loader
	install_libraries "$build/knellctl"
fi
[ -z "${KNELL_GUEST_FILES:-}" ] || cp -r "$KNELL_GUEST_FILES/." "$root/"
for name in fuse cuse; do
	file=$("$here/kernel.sh" module "fs/fuse/$name")
	case $file in
	*.xz) xz -dc "$file" >"$root/lib/$name.ko" ;;
	*.ko) cp "$file" "$root/lib/$name.ko" ;;
	esac
done
cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
tester:x:1000:1000:tester:/home/tester:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
END
cat >"$root/etc/group" <<'END'
root:x:0:
tester:x:1000:
nogroup:x:65534:
END
mkdir -p "$root/home/tester"
[ ! -x "$build/selftests/examples_test.sh" ] || "$here/examples.sh" "$root"
[ ! -x "$build/selftests/docs_test.sh" ] || "$here/docs.sh" "$root"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
"$here/mkinitramfs.sh" "$root" >"$guest/base.cpio"
