#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Lets SPIN search all states of a model: for some sizes nothing may be found, and with each fault
# built in, something must. Prints TAP.
#
# usage: model.sh MODEL.pml DIR
set -eu

model=$1
dir=$2
nr=0
failed=0

# Prints "ok STATES" if all was searched and is right, "wrong" if something is not, or what else came.
search()
{
	rm -rf "$dir"
	mkdir -p "$dir"
	(
		cd "$dir"
		spin -a "$@" "$model"
		# pan.c is not ours to mend: -w. Without COLLAPSE it needs gigabytes.
		gcc -O2 -w -DSAFETY -DNOFAIR -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c
		./pan -m100000 -w22
	) >"$dir.log" 2>&1 || true
	awk '
		/errors: [0-9]+/ { errors = $NF }
		/states, stored/ { states = $1 }
		/max search depth too small|out of memory|aborting|search not completed/ { cut = $0 }
		END {
			if (errors > 0)
				print "wrong"
			else if (errors == "" || cut)
				print cut ? cut : "no answer"
			else
				print "ok", states
		}' "$dir.log"
}

result()
{
	nr=$((nr + 1))
	# shellcheck disable=SC2254 # a pattern
	case $2 in
	$3) echo "ok $nr - $1" ;;
	*)
		echo "not ok $nr - $1: $2"
		sed 's/^/# /' "$dir.log"
		failed=1
		;;
	esac
}

holds()
{
	name=$1
	shift
	said=$(search "$@")
	echo "# $name: $said states"
	result "$name" "$said" 'ok *'
}

finds()
{
	name=$1
	shift
	result "a model with that fault is wrong: $name" "$(search "$@")" wrong
}

echo TAP version 13
holds 'hooks, bells, DELs and a reader' -DRINGS=2 -DDELS=2
holds 'two readers, one of which leaves' -DREADERS=2 -DSIGNALS=1 -DRINGS=1 -DDELS=0
holds 'two readers and a DEL' -DREADERS=2 -DRINGS=1 -DDELS=1
holds 'a successor, acknowledgements' -DTAKEOVER=1 -DRINGS=0 -DDELS=1
holds 'a successor and a bell' -DTAKEOVER=1 -DRINGS=1 -DDELS=0
finds 'a sleeper looks before it is on the list' -DRINGS=0 -DDELS=0 -DFAULT_LOOK
finds 'what was not copied goes to the end' -DRINGS=1 -DDELS=0 -DFAULT_REST
finds 'DEL leaves the record' -DRINGS=1 -DFAULT_DEL
finds 'a bell that rings during the copy is forgotten' -DRINGS=2 -DDELS=0 -DFAULT_AGAIN
finds 'who leaves passes nothing on' -DREADERS=2 -DSIGNALS=1 -DRINGS=0 -DDELS=0 -DFAULT_PASS_ON
finds 'a revoked reader takes' -DTAKEOVER=1 -DRINGS=0 -DDELS=0 -DFAULT_REVOKED
finds 'what was read and not acknowledged does not come again' -DTAKEOVER=1 -DRINGS=0 -DDELS=0 -DFAULT_ACK
finds 'nobody is woken when the gate opens' -DTAKEOVER=1 -DRINGS=0 -DDELS=0 -DFAULT_GATE
echo "1..$nr"
exit $failed
