#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Makes build/package/root.img: a Debian 12 with systemd, in which the packages of "make deb" are
# installed as an administrator would, and DKMS has built the module for two kernels. Nothing is
# mounted that others see, nothing is started, and nothing is installed on this machine.
#
# usage: root.sh	(as root; MIRROR as for mmdebstrap)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/apt.sh
. "$here/../qemu/apt.sh"
top=$(cd "$here/../.." && pwd)
build=${KNELL_BUILD:-$top/build}
dir=$build/package

# One package a line, with what it is for.
packages=$(sed 's/#.*//' <<-'END'
	systemd-sysv		# the first process
	udev			# the device's group
	kmod			# loads the module,
	dkms			# which this builds,
	linux-headers-amd64	# for the kernel that is booted
	linux-headers-6.12-amd64 # and for the newer one
	openssl			# and signs,
	libnl-genl-3-200	# what knellctl is linked with
	autopkgtest		# runs debian/tests
END
)

if [ "$(id -u)" -ne 0 ]; then
	echo "package: the root file system has to be made: as root: make check-deb" >&2
	exit 1
fi

# Without the packages of knell, which are other ones each time.
key=$(echo "$packages" | cksum)
if [ "$(cat "$dir/base.key" 2>/dev/null)" != "$key" ]; then
	echo "package: making a Debian"
	rm -rf "$dir"
	mkdir -p "$dir"
	apt_tree "$dir/base" "$packages" >"$dir/base.log" 2>&1 || { tail -n 40 "$dir/base.log" >&2; exit 1; }
	echo "$key" >"$dir/base.key"
fi
rm -rf "$dir/root" "$dir/root.img"
cp -a "$dir/base" "$dir/root"
mkdir -p "$dir/root/tmp/build/deb" "$dir/root/tmp/source"
cp "$build"/deb/*.deb "$dir/root/tmp/build/deb/"
(cd "$top" && cp -r Kbuild VERSION dkms.conf kmod "$dir/root/tmp/source")
# A chroot is no place to start services in, and deb-systemd-invoke knows by this.
printf '#!/bin/sh\nexit 101\n' >"$dir/root/usr/sbin/policy-rc.d"
chmod +x "$dir/root/usr/sbin/policy-rc.d"
# First without packages, as Documentation/install.rst has it, on a machine that runs the first of the kernels.
# shellcheck disable=SC2016 # for the shell that is there
unshare --mount --pid --fork chroot "$dir/root" sh -ec '
	mount -t proc proc /proc
	export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
	set -- /lib/modules/*/build
	running=${1%/build} running=${running##*/}
	printf "#!/bin/sh\n[ \"\$*\" = -r ] || exec /usr/bin/uname \"\$@\"\necho $running\n" >/usr/local/bin/uname
	chmod +x /usr/local/bin/uname
	export PATH=/usr/local/bin:$PATH
	cd /tmp/source
	mkdir /usr/src/knell-$(cat VERSION)
	cp -r Kbuild VERSION dkms.conf kmod /usr/src/knell-$(cat VERSION)
	dkms install knell/$(cat VERSION)
	modinfo -k "$running" -F signer knell | grep .
	dkms remove knell/$(cat VERSION) --all
	rm -r /usr/src/knell-$(cat VERSION) /usr/local/bin/uname
	cd /tmp
	apt-get -q -y --no-install-recommends install ./build/deb/*.deb
	for headers in /lib/modules/*/build; do
		kernel=${headers%/build}
		dkms install -k "${kernel##*/}" knell/$(ls /usr/src | sed -n "s/^knell-//p")
	done
	dkms status' </dev/null >"$dir/install.log" 2>&1 || { tail -n 40 "$dir/install.log" >&2; exit 1; }
rm -rf "$dir/root/usr/sbin/policy-rc.d" "$dir/root/tmp/build" "$dir/root/tmp/source"
mkdir -p "$dir/root/usr/src/knell-tests"
cp -a "$build/deb/knell/debian" "$build"/deb/knell_*.deb "$build"/deb/libknell0_*.deb "$dir/root/usr/src/knell-tests/"
install -m 0755 "$here/guest.sh" "$dir/root/usr/sbin/knell-package-test"
install -m 0644 "$here/knell-package-test.service" "$dir/root/etc/systemd/system/"
mkdir -p "$dir/root/etc/systemd/system/multi-user.target.wants" "$dir/root/etc/knell/system"
# They would have apt's lock when a test wants it.
for timer in apt-daily apt-daily-upgrade dpkg-db-backup; do
	ln -sf /dev/null "$dir/root/etc/systemd/system/$timer.timer"
done
ln -s ../knell-package-test.service "$dir/root/etc/systemd/system/multi-user.target.wants/"
# There is no default.target for knelld: it starts what does not ask to be enabled. Not beside systemd.
sed '/^\[Install\]/,$d; s|^After=.*|ConditionKernelCommandLine=knell.init=/usr/sbin/knelld|' \
	"$here/knell-package-test.service" >"$dir/root/etc/knell/system/knell-package-test.service"
echo knell >"$dir/root/etc/hostname"
truncate -s 3G "$dir/root.img"
mke2fs -q -F -t ext4 -d "$dir/root" "$dir/root.img"
