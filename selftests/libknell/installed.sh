#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs libknell into DIR and looks at what is there: which symbols can be seen and which are
# called, the SONAME, and whether programs in C and C++ can be built from it, shared and static, with
# what pkg-config says and nothing else. Prints what is wrong; needs no module.
#
# usage: installed.sh DIR	(emptied)
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -eq 1 ] || { echo "usage: installed.sh DIR" >&2; exit 2; }
dir=$1
prefix=/opt/knell
root=$dir/root
lib=$root$prefix/lib
version=$(cat "$top/VERSION")
faults=0

fault()
{
	echo "$*"
	faults=$((faults + 1))
}

# What a library must not do: to end the process is its program's business, and so is the terminal.
forbidden='abort|exit|_exit|_Exit|quick_exit|__assert|__assert_fail|__assert_perror_fail'
forbidden="$forbidden|v?errx?|v?warnx?|perror|psignal|raise|stdin|stdout|stderr|system|popen"

# Only ours, and all that the headers promise.
exports()
{
	nm -D --defined-only "$lib/libknell.so.0" | awk '{ print $3 }' | sort >"$dir/shared"
	nm -g --defined-only "$lib/libknell.a" | awk 'NF == 3 { print $3 }' | sort >"$dir/static"
	for header in "$root$prefix"/include/knell*.h; do
		gcc -std=gnu11 -I"$root$prefix/include" -fsyntax-only -aux-info "$dir/aux" "$header" ||
			fault "${header##*/} does not compile"
		sed -n "s|^/\* $root$prefix/include/knell.*\*/ extern [^(]*[ *]\([a-z_0-9]*\) (.*|\1|p" \
			"$dir/aux"
	done | sort -u >"$dir/declared"
	for how in shared static; do
		others=$(grep -v '^knell_' "$dir/$how")
		[ -z "$others" ] || fault "$how library: not knell_*: $others"
		diff "$dir/declared" "$dir/$how" >"$dir/diff" ||
			fault "$how library against the headers:" "$(grep '^[<>]' "$dir/diff")"
	done
	[ -s "$dir/declared" ] || fault "the headers declare nothing"
}

calls()
{
	nm -D --undefined-only "$lib/libknell.so.0" | awk '{ sub(/@.*/, "", $2); print $2 }' |
		grep -E -x "$forbidden" >"$dir/calls" && fault "it calls:" "$(cat "$dir/calls")"
}

# The tags of the dynamic section, without the addresses.
dynamic()
{
	readelf -d -W "$1" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p"
}

shared_object()
{
	[ "$(dynamic "$lib/libknell.so" SONAME)" = libknell.so.0 ] || fault "wrong SONAME"
	dynamic "$lib/libknell.so" NEEDED | grep -E -v -x 'libc\.so\.[0-9]|ld-linux.*' &&
		fault "needs more than libc"
	readelf -d -W "$lib/libknell.so" | grep TEXTREL && fault "not position-independent"
	readelf -l -W "$lib/libknell.so" | grep 'GNU_STACK.*E' && fault "wants an executable stack"
	if [ ! -f "$lib/libknell.so.$version" ] || [ -L "$lib/libknell.so.$version" ]; then
		fault "no file libknell.so.$version"
	fi
	[ "$(ar t "$lib/libknell.a" | wc -l)" -eq 1 ] || fault "libknell.a has not one member"
}

# Includes the kernel's header, too, before or after ours or not at all; by the other backend, so
# that it runs anywhere. Every macro that adds is used once.
program()
{
	cat <<-'END'
	#ifdef KERNEL_FIRST
	#include <linux/knell.h>
	#endif
	#include <knell.h>
	#ifdef KERNEL_LAST
	#include <linux/knell.h>
	#endif
	#include <stdio.h>
	#include <string.h>
	#include <unistd.h>
	#ifdef KERNEL_FIRST
	static int records = sizeof(struct knell_event) != 128;
	#else
	static int records;
	#endif
	static void end(struct knell_loop *l, const struct knell_call *call, void *arg)
	{
		*(int *)arg += call->val;
		if (*(int *)arg == 40)
			knell_loop_stop(l);
	}
	static void never(struct knell_loop *l, const struct knell_call *call, void *arg)
	{
		(void)l, (void)call, (void)arg;
	}
	int main(void)
	{
		struct knell_loop_attr attr;
		struct knell_loop *l;
		knell_task t = KNELL_NONE;
		int sum = 0;

		memset(&attr, 0, sizeof(attr));
		attr.backend = KNELL_BACKEND_PIDFD;
		l = knell_loop_new(&attr);
		if (!l || !knell_is_none(t) || records)
			return 1;
		t = knell_add_timer(l, never, &sum, 3600);
		knell_add_timer_ms(l, never, &sum, 3600000);
		knell_add_timer_ns(l, never, &sum, UINT64_C(3600000000000));
		knell_add_timer_every(l, never, &sum, UINT64_C(3600000000000));
		knell_add_timer_at(l, never, &sum, CLOCK_REALTIME, KNELL_NEVER - 1);
		knell_add_background(l, never, &sum, 3600000);
		knell_add_idle(l, never, &sum, 3600000);
		knell_add_read(l, never, &sum, 0);
		knell_add_write(l, never, &sum, 1);
		knell_add_signal(l, never, &sum, SIGUSR1);
		knell_add_child(l, never, &sum, getpid(), KNELL_CHILD_EXIT);
		knell_add_children(l, never, &sum, 0);
		knell_add_tree(l, never, &sum, "none", 0);
		knell_add_record(l, never, &sum);
		knell_add_event(l, end, &sum, 10);
		knell_add_ready(l, end, &sum, 10);
		knell_post(l, end, &sum, 10);
		knell_execute(l, end, &sum, 10);
		if (knell_loop_run(l, KNELL_RUN_DEFAULT) < 0 || sum != 40 || !knell_pending(l, t))
			return 1;
		knell_loop_free(l);
		return puts(knell_version()) < 0;
	}
	END
}

# build NAME COMPILER OPTION...: from the installed tree; the program has to run there
build()
{
	name=$1
	shift
	"$@" >"$dir/$name.log" 2>&1 || {
		fault "$name: cannot be built:" "$(cat "$dir/$name.log")"
		return
	}
	said=$(LD_LIBRARY_PATH=$lib timeout 60 "$dir/$name" </dev/null 2>&1 && echo ok)
	[ "$said" = "$(printf '%s\nok' "$version")" ] || fault "$name: does not run: $said"
}

programs()
{
	program >"$dir/program.c"
	cp "$dir/program.c" "$dir/program.cc"
	for order in NONE KERNEL_FIRST KERNEL_LAST; do
		c="gcc -std=c11 -D_POSIX_C_SOURCE=200809L -pedantic-errors -Wall -Wextra -Werror -D$order"
		cc="g++ -std=c++17 -Wall -Wextra -Werror -D$order"
		# shellcheck disable=SC2086 # lists
		{
			build "c-$order" $c -o "$dir/c-$order" "$dir/program.c" $shared
			build "cc-$order" $cc -o "$dir/cc-$order" "$dir/program.cc" $shared
			build "c-$order-static" $c -static -o "$dir/c-$order-static" "$dir/program.c" $static
			build "cc-$order-static" $cc -static -o "$dir/cc-$order-static" \
				"$dir/program.cc" $static
		}
	done
	# The manual's example gives up reading at the end of /dev/null.
	awk '/^\.Ed/ { on = 0 } on { print } /^\.Bd -literal -offset/ { on = 1 }' \
		"$root$prefix/share/man/man3/libknell.3" >"$dir/manual.c"
	# shellcheck disable=SC2086 # a list
	if ! gcc -std=gnu11 -Wall -Werror -o "$dir/manual" "$dir/manual.c" $shared ||
		! LD_LIBRARY_PATH=$lib timeout 60 "$dir/manual" </dev/null; then
		fault "the manual's example does not work"
	fi
	# As README.md says.
	cp "$top/Documentation/examples/run.c" "$dir"
	# shellcheck disable=SC2046 # a list
	if ! (cd "$dir" && cc run.c $(pkg-config --cflags --libs libknell)) >"$dir/run.log" 2>&1 ||
		! LD_LIBRARY_PATH=$lib timeout 60 "$dir/a.out" 60 true >"$dir/run.log" 2>&1; then
		fault "the example run.c does not work:" "$(cat "$dir/run.log")"
	fi
	dynamic "$dir/c-NONE" NEEDED | grep -q -x libknell.so.0 || fault "a program is not linked to libknell.so.0"
	[ -z "$(dynamic "$dir/c-NONE-static" NEEDED)" ] || fault "a static program is not static"
}

rm -rf "$dir"
mkdir -p "$dir"
make -C "$top/user/libknell" BUILD="$dir/build" DESTDIR="$root" PREFIX=$prefix WERROR=1 install \
	>"$dir/install.log" 2>&1 || { cat "$dir/install.log"; exit 1; }
export PKG_CONFIG_LIBDIR="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
shared=$(pkg-config --cflags --libs libknell) || fault "pkg-config does not find it"
static=$(pkg-config --static --cflags --libs libknell)
[ "$(pkg-config --modversion libknell)" = "$version" ] || fault "pkg-config says another version"
for file in lib/libknell.so include/linux/knell.h include/knell.h share/man/man3/libknell.3; do
	[ -s "$root$prefix/$file" ] || fault "$file is not installed"
done
exports
calls
shared_object
programs
[ $faults -eq 0 ]
