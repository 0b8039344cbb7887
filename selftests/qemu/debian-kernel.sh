#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Fetches the kernel that KREL names (krel.sh), once, and unpacks it under build/: its image, its
# headers, some of its modules; and a Debian with a compiler, where this machine's is not new enough.
# Nothing of it is installed; apt has lists of its own for that.
#
# usage: debian-kernel.sh	(KREL and ARCH in the environment)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${KNELL_BUILD:-$(cd "$here/../.." && pwd)/build}
# shellcheck source=selftests/qemu/arch.sh
. "$here/arch.sh"
# shellcheck source=selftests/qemu/krel.sh
. "$here/krel.sh"

# What a boot takes of it.
wanted='^./boot/vmlinuz|/modules/[^/]*/(vmlinuz|modules[.]builtin)$'
wanted="$wanted|/kernel/(fs/(fuse|ext4|jbd2|mbcache)|drivers/(virtio|block/virtio_blk)|lib/crc|crypto/crc32c)"

# Where this machine gets Debian 12's $1 from.
mirror()
{
	# shellcheck disable=SC2016 # apt's own variable
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" |
		head -n 1
}

sources()
{
	keys='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
	main=$(mirror bookworm) security=$(mirror bookworm-security)
	main=${main%/}
	echo "deb $keys $main $debian main"
	# Of Debian 12 it has the newer series alone. A machine that does not ask for it finds it beside the other.
	echo "deb $keys ${security:-$main-security} $debian-security main"
	[ "$suite" = "$debian" ] || echo "deb $keys $main $suite main"
}

# With lists of its own.
apt_own()
{
	command=$1
	shift
	"$command" -q -o Dir::State="$debs/state" -o Dir::State::status="$debs/state/status" \
		-o Dir::Cache="$debs/cache" -o Dir::Etc::sourcelist="$debs/sources.list" \
		-o Dir::Etc::sourceparts=- -o APT::Architecture=amd64 \
		-o APT::Architectures="$machine,amd64" -o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Sandbox::User=root \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@" </dev/null
}

# The newest release of this series and flavour that there is.
newest()
{
	apt_own apt-cache --names-only search "^linux-headers-${series}[.]" | cut -d ' ' -f 1 |
		sed -n "s/^linux-headers-\([0-9.]*\(-[0-9]*\)\{0,1\}\([+~][^-]*\)\{0,1\}$flavour-$machine\)$/\1/p" |
		sort -V | tail -n 1
}

# Debian 13's 7.x is in three packages.
image_packages()
{
	if apt_own apt-cache show "linux-binary-$krel:$machine" >/dev/null 2>&1; then
		echo "linux-binary-$krel:$machine linux-modules-$krel:$machine linux-base-$krel:$machine"
	else
		echo "linux-image-$krel:$machine"
	fi
}

header_packages()
{
	echo "linux-headers-$krel:$machine"
	# Those are of no machine, or of this one: of another's apt-cache says that there are none.
	apt_own apt-cache depends "linux-headers-$krel:$machine" |
		sed -n 's/.*Depends: <\{0,1\}\(linux-headers-[^:]*-common[^:]*\|linux-kbuild-[^:]*\).*/\1:amd64/p'
}

unpack()
{
	deb=$1
	shift
	dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink --wildcards "$@"
}

unpack_kernel()
{
	for deb in "$debs"/debs/linux-headers-*.deb "$debs"/debs/linux-kbuild-*.deb; do
		unpack "$deb" --exclude='./usr/share/*' --exclude='./lib/modules/*' --exclude='./usr/lib/modules/*'
	done
	# The headers' Makefile has an absolute path.
	sed -i 's|^include /usr/src/|include ../|' "$root/usr/src/linux-headers-$krel/Makefile"
	for deb in "$debs"/debs/linux-*.deb; do
		case ${deb##*/} in linux-headers-*|linux-kbuild-*) continue ;; esac
		dpkg-deb --fsys-tarfile "$deb" | tar -t | grep -E "$wanted" | grep -v '/$' \
			>"$debs/files" || continue
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -x --keep-directory-symlink -T "$debs/files"
	done
}

# A Debian whose compiler made the kernel. With other packages than it was made with, it is made anew,
# and what had been unpacked there is gone.
make_root()
{
	packages=gcc,make,libc6-dev,libelf1t64,libssl3t64,zlib1g,pahole,perl
	[ "$machine" = amd64 ] || packages=$packages,gcc-aarch64-linux-gnu
	[ "$(cat "$debs/root.packages" 2>/dev/null)" != "$packages" ] || return 0
	rm -rf "$root" "$debs/root.packages" "$debs"/*.key
	mmdebstrap --mode=root --aptopt='Acquire::Retries "3"' --variant=minbase \
		--include="$packages" \
		--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"$debian" "$root" "$debs/sources.list" </dev/null
	echo "$packages" >"$debs/root.packages"
}

fetch()
{
	mkdir -p "$debs/state/lists/partial" "$debs/cache/archives/partial" "$debs/debs"
	: >"$debs/state/status"
	sources >"$debs/sources.list"
	apt_own apt-get update
	krel=$(newest)
	if [ -z "$krel" ]; then
		echo "debian-kernel: $suite has no linux-headers-$series*$flavour-$machine"
		return 1
	fi
	# shellcheck disable=SC2046 # lists
	(cd "$debs/debs" && apt_own apt-get download $(image_packages) $(header_packages))
	[ -z "$toolchain" ] || make_root
	mkdir -p "$root/usr/lib" "$root/usr/bin"
	[ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
	unpack_kernel
}

key=$(cat "$here/debian-kernel.sh" "$here/krel.sh" | cksum)
[ "$(cat "$debs/$KREL.key" 2>/dev/null)" != "$key" ] || exit 0
echo "deps: fetching Debian's kernel $KREL (unpacked under build/, not installed)"
mkdir -p "$debs"
rm -rf "$debs/debs" "$debs/$KREL.key"
log=$debs/$KREL.log
# Not as a condition: any of its commands that fails ends it.
trap '[ $? -eq 0 ] || tail -n 40 "$log" >&2' EXIT
fetch >"$log" 2>&1
rm -rf "$debs/debs" "$debs/cache" "$debs/state"
echo "$krel" >"$debs/$KREL.release"
echo "$key" >"$debs/$KREL.key"
