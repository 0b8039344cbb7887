#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs what is missing to build and to test; does nothing, quickly, when all is there. A bare
# Debian 12 with git and make is enough to begin with.
#
# usage: deps.sh [lint|bench|daemons|netlink|docs|arm64|debug|deb]	(also what only these need)
#
# The kernel that is booted is unpacked under build/ and not installed: the machine's own boot is
# none of our business, and in a chroot the image's hooks could not run. What is extracted from
# the kernel's source goes there too, and nothing of it is committed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/apt.sh
. "$here/apt.sh"

# One package a line, with what it is for.
packages=$(sed 's/#.*//' <<-'END'
	gcc			# compiles the module and the programs
	libc6-dev		# headers, and libc.a: what runs in the guest is static
	pkg-config		# where the libraries are that libknell is embedded in:
	libuv1-dev		# libuv
	libglib2.0-dev		# GLib
	libsystemd-dev		# sd-event
	libjansson-dev		# JSON, for knelld, knellctl and what they speak with each other
	libnl-3-dev		# netlink, for knellctl's queues and monitor:
	libnl-genl-3-dev	# the generic one
	jq			# the tests of knellctl: is that JSON
	libxml2-utils		# and that XML
	zsh			# its completion for the one shell, bash has the other
	dbus-daemon		# a bus, for services of Type=dbus
	varlink-go		# another Varlink, to talk with
	systemd			# systemd-analyze, systemctl --root: what units are compared with; systemd-notify
	procps			# kill(1), which reloads the services of a migration guide
	spin			# a model of the queue is searched through
	valgrind		# libknell's tests under memcheck
	clang-14		# the fuzzers of formats,
	libclang-rt-14-dev	# with its sanitizers and libFuzzer
	libc6-dbg		# without which valgrind does not know the C library's functions
	linux-headers-amd64	# to build the module against, and says which kernel
	gcc-i686-linux-gnu	# 32-bit test programs
	libc6-dev-i386-cross	# their libc
	qemu-system-x86		# the machine to boot
	busybox-static		# the user land of the guest
	cpio			# packs the initramfs
	e2fsprogs		# makes disks, and tells whether they were left clean
	xz-utils		# unpacks the kernel's source
END
)
lint_packages=$(sed 's/#.*//' <<-'END'
	perl			# checkpatch.pl
	sparse			# the kernel's semantic checker
	shellcheck		# the scripts
	clang-tidy		# all that runs in user space
	g++			# programs in C++ use libknell, too
	mandoc			# the manual
	kmod			# modinfo of what was installed
	dt-schema		# the device tree's binding, and what is described by it
	device-tree-compiler	# its overlays
	codespell		# words that are none
	reuse			# every file's licence
	coccinelle		# the kernel's semantic patches,
	libpython3.11		# some of which are in Python
	python3-kconfiglib	# Buildroot's options
END
)

bench_packages=$(sed 's/#.*//' <<-'END'
	libev-dev		# more event loops, beside which libknell is measured
	libevent-dev
END
)

daemons_packages=$(sed 's/#.*//' <<-'END'
	mmdebstrap		# makes a Debian to boot,
	e2fsprogs		# and a file system of it
END
)

deb_packages=$(sed 's/#.*//' <<-'END'
	dpkg-dev		# makes packages,
	debhelper		# by rules that most have,
	dh-dkms			# a module among them
	lintian			# and says what is wrong with them
	mmdebstrap		# makes a Debian to install them in,
	e2fsprogs		# and a file system of it
END
)

# The kernels that KREL names.
krel_packages=$(sed 's/#.*//' <<-'END'
	pahole			# their build wants the module's types,
	mmdebstrap		# and some of it a newer Debian
END
)

arm64_packages=$(sed 's/#.*//' <<-'END'
	gcc-aarch64-linux-gnu	# compiles the module and the programs,
	libc6-dev-arm64-cross	# these with
	gcc-arm-linux-gnueabihf	# 32-bit test programs
	libc6-dev-armhf-cross	# their libc
	qemu-system-arm		# the machine to boot
	device-tree-compiler	# its device tree, with ours merged into it
END
)

debug_packages=$(sed 's/#.*//' <<-'END'
	linux-source-6.1	# the kernel, and what it is built with:
	flex
	bison
	bc
	libelf-dev
	libssl-dev
END
)

# lint asks whether what they made has drifted.
netlink_packages=$(sed 's/#.*//' <<-'END'
	python3-yaml		# reads specifications,
	python3-jsonschema	# and says whether they are such
END
)

# lint has the pages built, too.
docs_packages=$(sed 's/#.*//' <<-'END'
	python3-sphinx		# makes the site of Documentation/,
	perl			# with what the kernel's kernel-doc says
	mandoc			# and the manual
END
)

# Those of the packages that are not installed.
missing()
{
	installed=$(dpkg-query -W -f '${db:Status-Abbrev}:${Package} ' "$@" 2>/dev/null || true)
	for p in "$@"; do
		case " $installed" in
		*" ii :$p "*|*" hi :$p "*) ;;
		*) echo "$p" ;;
		esac
	done
}

need_root()
{
	if [ "$(id -u)" -ne 0 ]; then
		echo "deps: missing: $*; as root: make deps" >&2
		exit 1
	fi
}

apt_get()
{
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
		-o Acquire::Retries=3 --no-install-recommends "$@" </dev/null
}

# Package lists may be absent or old: the first failure is answered by getting new ones.
apt_install()
{
	need_root "$@"
	echo "deps: installing $*"
	apt_get install "$@" || { apt_get update || true; apt_get install "$@"; }
}

# Downloads the image's package of this kernel and unpacks it to build/kernel, with the modules that
# guest-root.sh takes.
fetch_image()
{
	krel=$("$here/kernel.sh" release)
	mkdir -p "$build/kernel"
	(cd "$build/kernel" && apt_get download "linux-image-$krel") || return
	dpkg-deb --fsys-tarfile "$build"/kernel/linux-image-*.deb |
		tar -C "$build/kernel" -x --wildcards ./boot './lib/modules/*/modules.builtin' \
			'./lib/modules/*/kernel/fs/fuse' './lib/modules/*/kernel/fs/ext4' \
			'./lib/modules/*/kernel/fs/jbd2' './lib/modules/*/kernel/fs/mbcache.ko*' \
			'./lib/modules/*/kernel/lib/crc16.ko*' \
			'./lib/modules/*/kernel/crypto/crc32c_generic.ko*' \
			'./lib/modules/*/kernel/drivers/virtio' \
			'./lib/modules/*/kernel/drivers/block/virtio_blk.ko*' || return
	rm -f "$build"/kernel/*.deb
}

image()
{
	"$here/kernel.sh" image >/dev/null 2>&1 &&
		"$here/kernel.sh" module fs/fuse/cuse >/dev/null 2>&1 &&
		"$here/kernel.sh" module fs/ext4/ext4 >/dev/null 2>&1 && return
	need_root "kernel image"
	echo "deps: unpacking the kernel image"
	fetch_image && return
	# The archive no longer has the image that belongs to the headers: get both anew.
	apt_get update || true
	apt_install linux-headers-amd64
	fetch_image
}

# A real Prometheus, for the test of what knellctl serves to it: installed, it would run as a daemon.
prometheus()
{
	[ ! -x "$build/prometheus/prometheus" ] || return 0
	echo "deps: unpacking prometheus"
	rm -rf "$build/prometheus"
	mkdir -p "$build/prometheus"
	apt_download "$build/prometheus" prometheus
	# The last one is what tells that all are there.
	for program in promtool prometheus; do
		dpkg-deb --fsys-tarfile "$build"/prometheus/prometheus_*.deb |
			tar -C "$build/prometheus" -x --strip-components=3 "./usr/bin/$program"
	done
	rm -f "$build"/prometheus/*.deb
}

# What the API of Kubernetes has, for the examples: the package itself wants many others.
kubernetes()
{
	[ ! -e "$build/kubernetes/__init__.py" ] || return 0
	echo "deps: unpacking the models of python3-kubernetes"
	rm -rf "$build/kubernetes"
	mkdir -p "$build/kubernetes"
	apt_download "$build/kubernetes" python3-kubernetes
	dpkg-deb --fsys-tarfile "$build"/kubernetes/python3-kubernetes_*.deb |
		tar -C "$build/kubernetes" -x --strip-components=8 --wildcards \
			'./usr/lib/python3/dist-packages/kubernetes/client/models/*.py'
	rm -f "$build"/kubernetes/*.deb
}

# The kselftest harness, checkpatch and the semantic patches, out of the stock kernel's source: tests
# are written for that harness, whichever kernel they run on.
kernel_files()
{
	series=$(KREL='' "$here/kernel.sh" series)
	[ -d "$build/kernel-files/scripts/coccinelle" ] &&
		[ "$(cat "$build/kernel-files/series" 2>/dev/null)" = "$series" ] && return
	if [ -n "$(missing "linux-source-$series")" ]; then
		apt_install "linux-source-$series"
	fi
	echo "deps: extracting the kselftest harness, checkpatch and semantic patches"
	rm -rf "$build/kernel-files"
	mkdir -p "$build/kernel-files"
	tar -C "$build/kernel-files" --strip-components=1 --wildcards \
		-xJf "/usr/src/linux-source-$series.tar.xz" \
		'linux-source-*/tools/testing/selftests/kselftest*.h' \
		'linux-source-*/scripts/checkpatch.pl' \
		'linux-source-*/scripts/coccinelle/*' \
		'linux-source-*/scripts/spelling.txt' \
		'linux-source-*/scripts/const_structs.checkpatch'
	mkdir -p "$build/kselftest"
	cp "$build"/kernel-files/tools/testing/selftests/kselftest*.h "$build/kselftest"
	echo "$series" >"$build/kernel-files/series"
}

# The package as a file: 6.12 is in Debian 12's security archive, which is not everybody's.
download_newer()
{
	(cd "$build/ynl" && apt-get -q download linux-source-6.12 </dev/null 2>/dev/null) && return
	# shellcheck disable=SC2016 # apt's own variable
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Codename: bookworm' | head -n 1)
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
		>"$build/ynl/sources.list"
	set -- "$build/ynl" apt-get -o Dir::Etc::sourcelist="$build/ynl/sources.list" \
		-o Dir::Etc::sourceparts=-
	apt_apart "$@" update
	(cd "$build/ynl" && apt_apart "$@" download linux-source-6.12)
}

newer_source()
{
	if [ -f /usr/src/linux-source-6.12.tar.xz ]; then
		cat /usr/src/linux-source-6.12.tar.xz
	else
		dpkg-deb --fsys-tarfile "$build"/ynl/*.deb | tar -xO ./usr/src/linux-source-6.12.tar.xz
	fi
}

# The generators of what a netlink specification says, from a kernel that has them.
ynl()
{
	[ -f "$build/ynl/done" ] && return
	echo "deps: extracting tools/net/ynl"
	rm -rf "$build/ynl"
	mkdir -p "$build/ynl"
	[ -f /usr/src/linux-source-6.12.tar.xz ] || download_newer
	newer_source | tar -C "$build/ynl" --strip-components=1 --wildcards -xJ \
		'linux-source-*/tools/net/ynl/*.py' \
		'linux-source-*/Documentation/netlink/genetlink.yaml'
	rm -rf "$build"/ynl/*.deb "$build/ynl/state" "$build/ynl/cache"
	: >"$build/ynl/done"
}

wanted=${1:-}
# shellcheck disable=SC2086,SC2046 # lists
set -- $(missing $packages $([ "${1:-}" != lint ] || echo $lint_packages) \
	$([ "${1:-}" != bench ] || echo $bench_packages) \
	$([ "${1:-}" != daemons ] || echo $daemons_packages) \
	$([ "${1:-}" != deb ] || echo $deb_packages) \
	$([ "${1:-}" != arm64 ] || echo $arm64_packages) \
	$([ -z "${KREL:-}" ] || echo $krel_packages) \
	$([ "${1:-}" != debug ] || echo $debug_packages) \
	$([ "${1:-}" != netlink ] && [ "${1:-}" != lint ] || echo $netlink_packages) \
	$([ "${1:-}" != docs ] && [ "${1:-}" != lint ] || echo $docs_packages))
if [ $# -gt 0 ]; then
	apt_install "$@"
fi
if [ -n "${KREL:-}" ] && [ -z "${KERNEL:-}" ]; then
	ARCH=$([ "$wanted" != arm64 ] || echo arm64) "$here/debian-kernel.sh"
elif [ "$wanted" != arm64 ]; then
	image
fi
kernel_files
prometheus
[ "$wanted" = arm64 ] || "$here/../tracers/fetch.sh"
case $wanted in
netlink) ynl ;;
lint)
	ynl
	kubernetes
	# The tree of a board, for an overlay.
	"$here/debian-arm64.sh" ;;
arm64)
	"$here/debian-arm64.sh"
	mkdir -p "$build/arm64"
	ln -sfn ../kselftest "$build/arm64/kselftest" ;;
debug)
	mkdir -p "$build/debug"
	ln -sfn ../kselftest "$build/debug/kselftest" ;;
esac
