#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs all into DIR and looks at what is there: each page of the manual, the programs, which run
# there and say their version, the completions, which their shells can read, the module; nothing
# outside of the prefix but the module. libknell/installed.sh looks at the library. Prints what is
# wrong.
#
# usage: installed.sh DIR	(emptied)
set -u

top=$(cd "$(dirname "$0")/.." && pwd)
[ $# -eq 1 ] || { echo "usage: installed.sh DIR" >&2; exit 2; }
root=$1/root
prefix=/opt/knell
version=$(cat "$top/VERSION")
faults=0

fault()
{
	echo "$*"
	faults=$((faults + 1))
}

# has MODE FILE
has()
{
	if [ ! -s "$root$2" ]; then
		fault "$2 is not installed"
	elif [ "$(stat -c %a "$root$2")" != "$1" ]; then
		fault "$2 has mode $(stat -c %a "$root$2"), not $1"
	fi
}

rm -rf "$1"
mkdir -p "$1"
make -C "$top" install DESTDIR="$root" PREFIX=$prefix >"$1/install.log" 2>&1 ||
	{ cat "$1/install.log"; exit 1; }
for page in "$top"/Documentation/man/*.[0-9]; do
	has 644 "$prefix/share/man/man${page##*.}/${page##*/}"
	cmp -s "$page" "$root$prefix/share/man/man${page##*.}/${page##*/}" || fault "$page is another"
done
for program in sbin/knelld bin/knellctl; do
	has 755 "$prefix/$program"
	said=$("$root$prefix/$program" --version 2>&1 </dev/null)
	case " $said " in
	*" $version "*) ;;
	*) fault "$program --version: $said" ;;
	esac
done
has 644 "$prefix/share/bash-completion/completions/knellctl"
bash -n "$root$prefix/share/bash-completion/completions/knellctl" || fault "bash cannot read it"
has 644 "$prefix/share/zsh/site-functions/_knellctl"
zsh -n "$root$prefix/share/zsh/site-functions/_knellctl" || fault "zsh cannot read it"
has 644 "$prefix/share/dbus-1/system.d/io.knell.conf"
has 755 "$prefix/lib/libknell.so.$version"
for file in udev/rules.d/60-knell.rules sysusers.d/knell.conf modules-load.d/knell.conf; do
	has 644 "$prefix/lib/$file"
done
has 644 "$prefix/lib/systemd/system/knelld.service"
grep -F -x -q "ExecStart=$prefix/sbin/knelld" "$root$prefix/lib/systemd/system/knelld.service" ||
	fault "knelld.service starts another knelld"
for header in "$top"/kmod/uapi/linux/*.h; do
	has 644 "$prefix/include/linux/${header##*/}"
done
module=$(find "$root/lib/modules" -path '*/updates/knell.ko*')
[ "$(modinfo -F version "$module")" = "$version" ] || fault "the module \"$module\" is not $version"
others=$(find "$root" ! -type d ! -path "$root$prefix/*" ! -path "$root/lib/modules/*")
[ -z "$others" ] || fault "outside of the prefix:" "$others"
[ $faults -eq 0 ]
