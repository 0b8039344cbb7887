#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Units are enabled, disabled, masked ... in one tree by systemctl --root and in another one by us:
# the same links have to be there after every step, and is-enabled has to say the same. Prints TAP.
#
# usage: install_diff.sh INSTALL_HELPER STEPS SEED
set -u

helper=$1 steps=$2
RANDOM=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v systemctl >/dev/null || {
	echo "# there is no systemctl"
	exit 1
}

units=$work/tree/usr/lib/systemd/system
mkdir -p "$units" "$work/tree/etc/systemd/system" "$work/tree/run/systemd/system" "$work/tree/opt"

# unit NAME INSTALL-LINE...
unit()
{
	name=$1
	shift
	{
		printf '[Service]\nExecStart=/bin/true\n'
		[ $# -eq 0 ] || printf '[Install]\n'
		printf '%s\n' "$@"
	} >"$units/$name"
}

unit plain.service WantedBy=multi-user.target
unit two.service 'WantedBy=multi-user.target graphical.target' RequiredBy=need.service
unit static.service
unit aliased.service Alias=other.service WantedBy=multi-user.target
unit also.service Also=plain.service WantedBy=multi-user.target
unit onlyalso.service Also=aliased.service
unit getty@.service WantedBy=getty.target DefaultInstance=tty1
unit nodefault@.service WantedBy=multi-user.target
unit talias@.service Alias=tother@.service DefaultInstance=x
unit spec@.service 'WantedBy=w-%i.target'
unit spec.service 'WantedBy=%p.target' 'Alias=%N-alias.service'
unit dropped.service
mkdir "$units/dropped.service.d"
printf '[Install]\nWantedBy=multi-user.target\n' >"$units/dropped.service.d/a.conf"
ln -s plain.service "$units/vendor-alias.service"
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
	>"$work/tree/opt/linked.service"
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
	>"$work/tree/etc/systemd/system/local.service"
mkdir "$units/multi-user.target.wants"
ln -s ../static.service "$units/multi-user.target.wants/static.service"
for target in multi-user graphical getty spec w-a; do
	echo '[Unit]' >"$units/$target.target"
done

names=(plain.service two.service static.service aliased.service also.service onlyalso.service
	getty@.service getty@tty5.service nodefault@.service nodefault@a.service talias@.service
	talias@y.service spec@a.service spec.service dropped.service local.service other.service
	tother@z.service missing.service)

# Of what is missing systemctl says nothing, and nothing of what comes after it.
present=(vendor-alias.service)
for name in "${names[@]}"; do
	case $name in
	missing.service | other.service | tother@*) ;;
	*) present+=("$name") ;;
	esac
done

cp -a "$work/tree" "$work/theirs"
cp -a "$work/tree" "$work/ours"

theirs()
{
	systemctl --root="$work/theirs" "$@" >"$work/out.theirs" 2>"$work/err.theirs"
}

ours()
{
	"$helper" "$work/ours" "$@" >"$work/out.ours" 2>"$work/err.ours"
}

links()
{
	(cd "$1" && find etc run -type l -printf '%p -> %l\n' -o -type d -name '*.*' -print |
		sed "s|$1||" | sort)
}

state()
{
	"$1" is-enabled "${present[@]}"
	paste <(printf '%s\n' "${present[@]}") "$work/out.$1"
	for name in linked.service other.service tother@z.service; do
		"$1" is-enabled "$name"
		out=$(cat "$work/out.$1")
		echo "$name ${out:-not-found}"
	done
}

bad=0 refused=0
compare()
{
	links "$work/theirs" >"$work/links.theirs"
	links "$work/ours" >"$work/links.ours"
	state theirs >"$work/state.theirs"
	state ours >"$work/state.ours"
	diff "$work/links.theirs" "$work/links.ours" >"$work/diff" &&
		diff "$work/state.theirs" "$work/state.ours" >>"$work/diff" && return 0
	sed 's/^/# /' "$work/diff"
	return 1
}

check()
{
	theirs "$@"
	a=$?
	# Which it does not count as a failure.
	! grep -q 'does not exist\.$' "$work/err.theirs" || a=1
	ours "${@/#\/opt/\/opt}"
	b=$?
	# A sanitizer's, a signal's.
	[ $b -le 1 ] || { echo "# we died:" && sed 's/^/# /' "$work/err.ours"; bad=1; return 1; }
	[ $a -eq 0 ] || refused=$((refused + 1))
	if [ $((a != 0)) -ne $((b != 0)) ]; then
		echo "# $*: systemctl gave $a, we $b"
		sed 's/^/# theirs: /' "$work/err.theirs"
		sed 's/^/# ours: /' "$work/err.ours"
		bad=1
		return 1
	fi
	compare || { echo "# after $*"; bad=1; return 1; }
}

commands=(enable enable enable disable disable reenable mask unmask)
compare || bad=1
for ((i = 0; i < steps && !bad; i++)); do
	command=${commands[RANDOM % ${#commands[@]}]}
	name=${names[RANDOM % ${#names[@]}]}
	flags=()
	[ $((RANDOM % 6)) -ne 0 ] || flags+=(--runtime)
	[ $((RANDOM % 6)) -ne 0 ] || flags+=(--force)
	if [ $((RANDOM % 12)) -eq 0 ] && [ "$command" = enable ]; then
		name=/opt/linked.service
	elif [ $((RANDOM % 12)) -eq 0 ] && [ "$command" != enable ]; then
		name=linked.service
	fi
	# It would enable the template in the place of the instance.
	case $command$name in
	reenable*@?*.service) continue ;;
	# And disabling the template would take away the mask of an instance.
	mask*@?*.service) continue ;;
	esac
	[ -z "${VERBOSE-}" ] || echo "# $command ${flags[*]} $name"
	check "${flags[@]}" "$command" "$name"
done
echo "# $i steps, $refused refused by both"
if [ $bad -eq 0 ]; then
	echo "ok 1 - systemctl makes the same links as we do"
else
	echo "not ok 1 - systemctl makes the same links as we do"
fi
echo 1..1
exit $bad
