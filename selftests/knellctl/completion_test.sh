#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The completions: what they offer is what there is.

# shellcheck source=selftests/knellctl/lib.sh
. "$(dirname "$0")/lib.sh"

completion=$here/../../user/knellctl/completion

# What bash would offer for that line, the last word being the one to complete; sorted, in out.
offers()
{
	cat >"$dir/ask" <<-'END'
		source "$1"
		compopt() { :; }
		shift
		# bash takes "=" for a word of its own
		COMP_WORDS=()
		for word in "$@"; do
			if [[ $word == --*=* ]]; then
				COMP_WORDS+=("${word%%=*}" = "${word#*=}")
			else
				COMP_WORDS+=("$word")
			fi
		done
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		[[ ${COMP_WORDS[COMP_CWORD]} != "" || ${COMP_WORDS[COMP_CWORD - 1]} != = ]] ||
			unset "COMP_WORDS[COMP_CWORD--]"
		_knellctl
		printf '%s\n' "${COMPREPLY[@]}"
	END
	bash -u "$dir/ask" "$completion/knellctl.bash" "$KNELLCTL" --socket="$sock" "$@" \
		>"$dir/unsorted" 2>"$dir/err" || fail "bash: $(cat "$dir/err")"
	sort "$dir/unsorted" >"$dir/out"
	silent err
}

are()
{
	printf '%s\n' "$@" | sort >"$dir/expected"
	cmp -s "$dir/out" "$dir/expected" || fail "not $*: $(cat "$dir/out")"
}

test_bash_offers_commands_and_options()
{
	offers ''
	"$KNELLCTL" help --plain | sort >"$dir/expected"
	cmp -s "$dir/out" "$dir/expected" || fail "$(cat "$dir/out")"
	offers lis
	are list list-units list-timers list-jobs list-dependencies
	offers list --
	"$KNELLCTL" help --plain list | sort >"$dir/expected"
	cmp -s "$dir/out" "$dir/expected" || fail "$(cat "$dir/out")"
	offers list --st
	are --state=
	offers kill --kill-whom=
	are main control all
	offers list --type=ti
	are timer
	offers kill -s SIGKI
	are SIGKILL
}

test_bash_offers_units()
{
	serve "$here/answers.json"
	offers start s
	are slow.service
	offers stop ''
	are app.target bad.service good.service slow.service tick.timer
	offers status ''
	are app.target bad.service dep.service good.service lost.service slow.service tick.timer
	offers --socket "$sock" -n 5 status g
	are good.service
	offers reset-failed ''
	are bad.service
	offers isolate ''
	are app.target
	offers timers ''
	are tick.timer
	offers cancel ''
	are 7 8
	offers poweroff ''
	are ''
}

test_bash_without_a_server()
{
	offers start ''
	are ''
}

# There is no module here, so what the kernel has is told by a program in knellctl's place.
have_queues()
{
	cat >"$dir/queues.json" <<-'END'
		{"queues":[{"id":3,"name":"knelld","uid":0,"pid":1,"comm":"knelld","orphan":true,"watches":12,"kinds":{"tree":3,"timer":9},"bytes":4096},{"id":17,"uid":0,"pid":60,"comm":"id\"name\":","watches":0},{"id":29,"name":"a, b's \"queue\"","uid":0,"pid":0}]}
	END
	cat >"$dir/knellctl" <<-END
		#!/bin/sh
		case " \$* " in
		*' queues --json '*) exec cat "$dir/queues.json" ;;
		esac
		exec "$KNELLCTL" "\$@"
	END
	chmod +x "$dir/knellctl"
	KNELLCTL=$dir/knellctl
}

test_bash_offers_queues()
{
	have_queues
	for command in watches members drop; do
		offers "$command" ''
		are 3 knelld 17 29 "$(bash -c 'printf %q "$1"' _ "a, b's \"queue\"")"
	done
	offers drop kn
	are knelld
	offers watches 1
	are 17
	offers tree --queue=kn
	are knelld
	offers --queue knelld tree --queue=2
	are 29
}

# A zsh on a terminal of its own is given that line and a tab, until it shows the other text.
zsh_makes()
{
	cat >"$dir/zsh" <<-'END'
		zmodload zsh/zpty
		zpty z zsh -f -i
		zpty -w z "fpath=($1 \$fpath); autoload -U compinit; compinit -u -D
			function knellctl { $2 \"\$@\" }
			PS1=RE''ADY"
		zpty -r -m z log '*READY*'
		zpty -w -n z "$3"$'\t'
		zpty -r -m z log "*$4*"
		zpty -d z
	END
	TERM=dumb timeout 60 zsh -f "$dir/zsh" "$completion" "$KNELLCTL" "$@" \
		>"$dir/out" 2>"$dir/err" </dev/null || fail "zsh: $*: $(cat "$dir/err")"
	silent err
}

test_zsh_offers_them_too()
{
	serve "$here/answers.json"
	command -v zsh >/dev/null || fail 'zsh is not installed'
	zsh_makes "knellctl --socket=$sock start sl" 'start slow.service'
	zsh_makes "knellctl --socket=$sock status " 'dep.service*lost.service*tick.timer'
	zsh_makes 'knellctl reset-fa' 'reset-failed'
	zsh_makes 'knellctl list --type=' 'service*socket*target*timer'
	zsh_makes 'knellctl list --st' '--state='
	zsh_makes 'knellctl kill -s SIGKI' 'SIGKILL'
}

test_zsh_offers_queues_too()
{
	have_queues
	zsh_makes 'knellctl watches kne' 'watches knelld'
	# In columns; a name is quoted.
	zsh_makes 'knellctl drop ' '17*3*knelld*29*queue'
	zsh_makes 'knellctl tree --queue=kne' '--queue=knelld'
}

run_tests
