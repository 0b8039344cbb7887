#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What knellctl does on unit files: with no server, and what it tells one.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

etc=$dir/root/etc/knell/system

# unit NAME, its text on standard input
unit()
{
	mkdir -p "$dir/root/usr/lib/knell/system" "$etc" "$dir/root/bin"
	: >"$dir/root/bin/true"
	chmod 755 "$dir/root/bin/true"
	cat >"$dir/root/usr/lib/knell/system/$1"
}

units()
{
	rm -rf "$dir/root"
	unit a.service <<-'END'
		[Service]
		ExecStart=/bin/true
		[Install]
		WantedBy=multi-user.target
		Alias=b.service
	END
	unit c.service <<-'END'
		[Service]
		ExecStart=/bin/true
	END
	unit t@.service <<-'END'
		[Service]
		ExecStart=/bin/echo %i
		[Install]
		WantedBy=multi-user.target
		DefaultInstance=x
	END
}

test_enable_and_disable()
{
	units
	run --root="$dir/root" is-enabled a
	exits 1
	prints '^disabled$'
	run --root="$dir/root" enable a
	exits 0
	prints 'multi-user.target.wants/a.service -> '
	[ -L "$etc/multi-user.target.wants/a.service" ] || fail 'no link'
	[ -L "$etc/b.service" ] || fail 'no alias'
	run --root="$dir/root" is-enabled a
	exits 0
	prints '^enabled$'
	run --root="$dir/root" enable a
	exits 0
	run --root="$dir/root" reenable -q a
	exits 0
	silent out
	run --root="$dir/root" disable a
	exits 0
	prints 'multi-user.target.wants/a.service removed$'
	[ ! -L "$etc/multi-user.target.wants/a.service" ] || fail 'the link is still there'
	run --root="$dir/root" --json enable t@y
	exits 0
	json '.changes | any(.[]; .link | endswith("multi-user.target.wants/t@y.service"))'
}

# Where systemd's tools put the links: they say as much as ours.
test_enabled_by_others()
{
	units
	for at in etc/systemd run/systemd; do
		wants=$dir/root/$at/system/multi-user.target.wants
		mkdir -p "$wants"
		ln -s /usr/lib/knell/system/a.service "$wants/a.service"
		run --root="$dir/root" is-enabled a
		exits 1
		run --root="$dir/root" --compat is-enabled a
		exits 0
		case $at in
		etc*) prints '^enabled$' ;;
		*) prints '^enabled-runtime$' ;;
		esac
		rm -r "$wants"
	done
}

test_what_cannot_be_enabled()
{
	units
	run --root="$dir/root" enable c
	exits 0
	complains 'no .Install. section'
	run --root="$dir/root" is-enabled c
	exits 0
	prints '^static$'
	run --root="$dir/root" enable nosuch
	[ $status -ne 0 ] || fail 'it did'
	run --root="$dir/root" is-enabled nosuch
	exits 4
	run --root="$dir/root" enable 'a/b' --now
	exits 2
	complains '\-\-now needs a knelld'
}

test_mask()
{
	units
	run --root="$dir/root" mask c
	exits 0
	[ "$(readlink "$etc/c.service")" = /dev/null ] || fail "$(ls -l "$etc")"
	run --root="$dir/root" is-enabled c
	exits 1
	prints '^masked$'
	run --root="$dir/root" unmask c
	exits 0
	[ ! -L "$etc/c.service" ] || fail 'still masked'
}

test_no_permission()
{
	[ "$(id -u)" -eq 0 ] || fail 'this test needs root'
	units
	chmod 755 "$dir"
	status=0
	setpriv --reuid=65534 --regid=65534 --clear-groups "$KNELLCTL" --socket="$sock" \
		--root="$dir/root" enable a >"$dir/out" 2>"$dir/err" || status=$?
	args='enable a'
	exits 4
}

test_cat()
{
	units
	mkdir -p "$etc/a.service.d"
	echo '[Service]' >"$etc/a.service.d/x.conf"
	printf 'Nice=5\nDescription=\033[31m\n' >>"$etc/a.service.d/x.conf"
	run --root="$dir/root" cat a
	exits 0
	prints '^# .*/usr/lib/knell/system/a.service$'
	prints '^ExecStart=/bin/true$'
	prints '^# .*/a.service.d/x.conf$'
	prints '^Nice=5$'
	prints "$(printf '^Description=\033\\[31m')"
	run --root="$dir/root" cat --json a
	json '.files | length == 2 and (.[1].text | contains("Nice=5"))'
	run --root="$dir/root" cat nosuch
	exits 5
	run_tty --root="$dir/root" cat a
	prints 'Description=.x1b.31m'
	prints_not "$(printf '\033\\[31m.$')"
}

test_verify()
{
	units
	run --root="$dir/root" verify a
	exits 0
	prints 'nothing is wrong'
	printf '[Service]\nExecStart=/bin/true\nNonsense=5\n' | unit warns.service
	printf '[Service]\nExecStart=relative"\n' | unit bad.service
	run --root="$dir/root" verify warns
	exits 1
	complains '/warns.service:3: warning: .*Nonsense'
	run --root="$dir/root" verify bad
	exits 2
	complains '/bad.service.*error: '
	prints '[1-9][0-9]* errors\?, '
	run --root="$dir/root" verify
	exits 2
	complains Nonsense
	run --root="$dir/root" verify --json
	exits 2
	json '.errors > 0 and .warnings > 0 and any(.problems[]; .severity == "error" and .line > 0)'
	silent err
	run verify "$dir/root/usr/lib/knell/system/warns.service"
	exits 1
	mkfifo "$dir/root/usr/lib/knell/system/fifo.service"
	ln -s /dev/zero "$dir/root/usr/lib/knell/system/zero.service"
	head -c 3000000 /dev/urandom >"$dir/root/usr/lib/knell/system/noise.service"
	run --root="$dir/root" verify
	exits 2
}

# One that runs is told of it, and says where units are.
test_a_server_is_told()
{
	units
	mkdir -p "$dir/units"
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n' >"$dir/units/good.service"
	serve "$here/answers.json"
	run --now enable good
	exits 0
	[ -L "$dir/units/x.target.wants/good.service" ] || fail 'not where the server has its units'
	called '.method == "Reload"'
	called '.method == "StartUnits" and .parameters.names == ["good.service"]'
	run status good
	prints 'Loaded: loaded (/etc/knell/system/good.service; enabled)'
	run --now disable good
	called '.method == "StopUnits"'
	serve "$here/answers.json"
	run --no-reload enable good
	! grep -q Reload "$dir/calls" || fail 'it was told'
	run --unit-dir="$dir/units" is-enabled good
	exits 0
	rm -r "$dir/units"
}

run_tests
