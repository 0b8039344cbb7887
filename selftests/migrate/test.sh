#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One of Documentation/examples/migrate: what is in "before" is run by the supervisor that it is for,
# what is in "after" by knelld, each in namespaces and with an /etc of its own, and the services have
# to tell of the same life. systemd and DragonReach are not run: there knelld has both. Then the commands
# of the guide, Documentation/migrate/NAME.rst, are typed.
#
# usage: test.sh NAME
#	test.sh typed		only tells what is typed of all guides, a line each
#	in the environment KNELLD, KNELLCTL and SERVICE (service.c); PEERS: where the other supervisor's
#	packages are unpacked, DINIT: where dinit and dinitctl are. Without one that is needed only
#	knelld's half is done
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/qemu/report.sh
. "$here/../qemu/report.sh"
examples=$(cd "$here/../../Documentation/examples/migrate" && pwd)
# Where the guides' readers have them is not where every caller looks.
export LC_ALL=C.UTF-8 TZ=UTC PATH="/usr/local/bin:$PATH"

fail()
{
	echo "$*"
	for f in "$work/log" /var/log/*.log /var/log/*/current; do
		[ ! -e "$f" ] || sed "s|^|${f##*/}: |" "$f"
	done
	exit 1
}

# within WHAT COMMAND [ARG...]: until it succeeds
within()
{
	what=$1 tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || fail "$what"
		sleep 0.1
	done
}

#
# Who runs them: each starts both services and has a ctl VERB NAME
#

# The same words as knellctl's users.
by_knelld()
{
	"$KNELLCTL" "$@" verify >"$work/verify" 2>&1
	if grep -q Install "$units/web.service"; then
		"$KNELLCTL" "$@" enable --no-reload store web >/dev/null || fail 'enable'
	fi
	"$KNELLD" --backend=pidfd --no-keep --control=/run/control "$@" >"$work/log" 2>&1 &
	ctl()
	{
		"$KNELLCTL" --socket=/run/control "$1" "$2" && return
		# DragonReach has no reload.
		[ "$1" = reload ] && "$KNELLCTL" --socket=/run/control kill -s HUP "$2"
	}
}

# The store first: what web says while it waits for that would depend on who is faster.
by_runit()
{
	export SVWAIT=60
	mkdir /etc/service
	runsvdir -P /etc/service >"$work/log" 2>&1 &
	ln -s /etc/sv/store /etc/service
	within 'the store is not ready' is_new store 0
	ln -s /etc/sv/web /etc/service
	ctl() { sv "$(echo "$1" | sed 's/reload/hup/')" "$2"; }
}

by_s6()
{
	mkdir /run/service
	cp -r /etc/s6/sv/store /run/service
	s6-svscan /run/service >"$work/log" 2>&1 &
	within 'the store is not ready' is_new store 0
	cp -r /etc/s6/sv/web /run/service
	s6-svscanctl -a /run/service
	ctl()
	{
		case $1 in
		reload) s6-svc -h "/run/service/$2" ;;
		stop) s6-svc -wD -d "/run/service/$2" ;;
		start) s6-svc -wu -u "/run/service/$2" ;;
		esac
	}
}

by_dinit()
{
	export DINIT_SOCKET_PATH=/run/dinitctl
	"$DINIT/dinit" --container -d /etc/dinit.d -p /run/dinitctl >"$work/log" 2>&1 &
	ctl()
	{
		if [ "$1" = reload ]; then
			"$DINIT/dinitctl" signal HUP "$2"
		else
			"$DINIT/dinitctl" "$1" "$2"
		fi
	}
}

#
# What they are seen to do
#

# is_new NAME PID: is another process of that service ready?
is_new()
{
	now=$(cat "/run/$1/pid" 2>/dev/null) && [ "$now" != "$2" ]
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# What a service has written, to where its supervisor was told, without the time before each line.
said()
{
	if [ -e "/var/log/$1/current" ]; then
		sed 's/^[^ ]* //' "/var/log/$1/current"
	elif [ -e "/var/log/$1.log" ]; then
		cat "/var/log/$1.log"
	else
		grep "^$1: " "$work/log"
	fi
}

has_said()
{
	[ "$(said "$1" | grep -c -e "$2")" -eq "$3" ]
}

# web is killed, told to read its settings, stopped and started.
live()
{
	within 'the store is not ready' is_new store 0
	within 'web is not ready' is_new web 0
	first=$(cat /run/web/pid)
	kill -KILL "$first"
	within 'web is not started again' is_new web "$first"
	second=$(cat /run/web/pid)
	ctl reload web >/dev/null 2>&1 || fail 'reload'
	within 'web does not read its settings' has_said web 'reads its settings' 1
	ctl stop web >/dev/null 2>&1 || fail 'stop'
	within 'web is not stopped' is_gone "$second"
	within 'web was not let end' has_said web ': ends' 1
	ctl start web >/dev/null 2>&1 || fail 'start'
	within 'web is not started' is_new web "$second"
	within 'web is not heard' has_said web ': uid' 3
	said store
	said web
}

# The console blocks of a page: "# COMMAND", and what it prints, where "..." is anything.
blocks()
{
	awk '
		/^\.\. code-block:: console$/ { on = 1; next }
		on && /^[^ ]/ { on = 0 }
		on && NF { sub(/^ +/, ""); print }' "$1"
}

# typed COMMAND EXPECTED
typed()
{
	case $1 in
	*'&')
		eval "$1"
		within "$1" knellctl list
		;;
	*) eval "$1" >"$work/typed" 2>&1 </dev/null ;;
	esac
	[ -e "$work/typed" ] || : >"$work/typed"
	printf '%s' "$2${2:+$newline}" >"$work/expected"
	awk -f "$here/../qemu/same.awk" "$work/expected" "$work/typed" || fail "$1
$(cat "$work/typed")
instead of
$2"
	echo "typed: $1"
	rm "$work/typed"
}

# What the guide says is typed, by one who has copied the example's files.
by_hand()
{
	printf '#!/bin/sh\nexec "%s" --backend=pidfd --no-keep "$@"\n' "$KNELLD" >/usr/local/bin/knelld
	chmod 755 /usr/local/bin/knelld
	ln -s "$KNELLCTL" /usr/local/bin/knellctl
	blocks "$examples/../../migrate/$name.rst" >"$work/blocks"
	command='' expected='' newline='
'
	while read -r line; do
		case $line in
		'# '*)
			[ -z "$command" ] || typed "$command" "$expected"
			command=${line#??} expected=''
			;;
		*) expected=$expected${expected:+$newline}$line ;;
		esac
	done <"$work/blocks"
	[ -n "$command" ] || fail 'the guide says nothing to type'
	typed "$command" "$expected"
}

# An /etc that has the example's in it, and a /usr that has the other supervisor's programs.
furnish()
{
	mount -t tmpfs tmpfs "$work" && mkdir "$work/etc" "$work/work" || exit
	mount -t overlay -o "lowerdir=/etc,upperdir=$work/etc,workdir=$work/work" overlay /etc || exit
	if [ -n "${PEERS:-}" ]; then
		mount -t overlay -o "lowerdir=$PEERS/usr:/usr" overlay /usr || exit
	fi
	# A machine that is not systemd's has no units of that.
	for place in /run /var/log /usr/local/bin /etc/systemd /usr/lib/systemd/system; do
		[ ! -d "$place" ] || mount -t tmpfs -o mode=755 tmpfs "$place" || exit
	done
	cp -r --preserve=mode "$examples/$name/$half/etc/." /etc
	cp "$SERVICE" /usr/local/bin/store
	cp "$SERVICE" /usr/local/bin/web
}

# inside NAME HALF WORK BY [OPTION...]: the first process of the namespaces
inside()
{
	name=$1 half=$2 work=$3 by=$4
	shift 4
	case $name-$half in
	systemd-before) units=/etc/systemd/system ;;
	dragonreach-before) units=/etc/reach/system ;;
	*) units=/etc/knell/system ;;
	esac
	furnish
	"by_$by" "$@"
	[ "$by" = hand ] || live
	[ ! -e "$work/verify" ] || sed 's/^/verify: /' "$work/verify"
	exit 0
}

if [ "$1" = inside ]; then
	shift
	inside "$@"
fi

#
# Outside
#

if [ "$1" = typed ]; then
	for name in "$examples"/*; do
		blocks "$examples/../../migrate/${name##*/}.rst" | sed -n 's/^# //p'
	done
	exit 0
fi

name=$1 nr=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/knell-migrate.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/work"

# lives HALF BY [OPTION...]: in $dir/HALF is what they have said
lives()
{
	half=$1
	shift
	timeout -k 5 280 unshare --mount --pid --net --fork --kill-child --mount-proc "$0" inside \
		"$name" "$half" "$dir/work" "$@" >"$dir/$half" 2>&1 && return
	cat "$dir/$half"
	return 1
}

# That both have the same life, but for what a guide says of them.
same()
{
	for half in before after; do
		grep -v '^verify: ' "$dir/$half" | sed "${1:-}" >"$dir/$half.life"
	done
	grep -q '^web: ends' "$dir/after.life" &&
		diff -u "$dir/before.life" "$dir/after.life"
}

# The other half's result stays.
typed_in()
{
	mv "$dir/after" "$dir/life"
	lives after hand
	status=$?
	mv "$dir/life" "$dir/after"
	return $status
}

silent()
{
	[ "$(tee /dev/stderr <"$dir/$1" | grep '^verify: ')" = 'verify: 2 units: nothing is wrong.' ]
}

# Every time that it was started.
waits_for_the_store()
{
	[ "$(grep -c '^web: uid 33.*, port 8080, /run/store/pid is there$' "$dir/after")" -eq 3 ] || {
		cat "$dir/after"
		return 1
	}
}

warned_of()
{
	[ "$(sed -n 's/^verify: .* warning: \([A-Za-z]*\)=:.*/\1/p' "$dir/before" | tr '\n' ' ')" = "$1" ] &&
		! grep '^verify: .* error: ' "$dir/before"
}

echo 'TAP version 13'
report "knelld has the services that $name had" lives after knelld
report 'knellctl verify has nothing to say' silent after
report 'web is behind the store' waits_for_the_store
report 'what the guide says can be typed' typed_in
case $name in
runit|s6)
	report "$name has its own" lives before "$name"
	report 'both have the same life' same
	;;
dinit)
	if [ -n "${DINIT:-}" ]; then
		report "$name has its own" lives before dinit
		report 'both have the same life' same
	fi
	;;
systemd)
	report 'knelld has the files as they were' lives before knelld --unit-dir /etc/systemd/system
	report 'and warns of what it does not do' \
		warned_of 'ProtectSystem PrivateTmp MemoryMax SyslogIdentifier '
	report 'both have the same life' same
	;;
dragonreach)
	report 'knelld --compat has the files as they were' lives before knelld --compat
	report 'and has nothing to say of them' silent before
	# What the new ones have besides: a user, and web waits for the store.
	report 'both have the same life' same 's/ uid.*files//; s/, [^,]* is there$//'
	;;
esac
echo "1..$nr"
