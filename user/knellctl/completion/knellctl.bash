# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Completion of knellctl for bash. What there is to choose from is asked of knellctl itself, so that
# it is never out of date.

# Those of the words that begin as $current does; names of units may have a backslash.
__knellctl_offer()
{
	local word

	COMPREPLY=()
	while IFS= read -r word; do
		[[ $word == "${current-}"* ]] || continue
		COMPREPLY+=("$(printf %q "$word")")
	done
}

# The options that say where to ask have to be those of the command line.
__knellctl_ask()
{
	local i where=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--user|--socket=*) where+=("${COMP_WORDS[i]}") ;;
		--socket)
			# "--socket=PATH" is three words here
			if [[ ${COMP_WORDS[i + 1]-} == = ]]; then
				where+=(--socket "${COMP_WORDS[i + 2]-}")
			else
				where+=(--socket "${COMP_WORDS[i + 1]-}")
			fi ;;
		esac
	done
	"${COMP_WORDS[0]}" "${where[@]}" "$@" 2>/dev/null
}

__knellctl_units()
{
	__knellctl_ask list --plain "$@" | sed 's/[[:space:]].*//'
}

# Numbers, and the names of those that are kept.
__knellctl_queues()
{
	__knellctl_ask queues --json | grep -o '"id":[0-9]*\|"name":"\([^"\\]\|\\.\)*"' |
		sed 's/^"id"://; s/^"name":"\(.*\)"$/\1/; s/\\\(["\\/]\)/\1/g'
}

# The first word that is no option and not the argument of one.
__knellctl_command()
{
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket|--unit-dir|--root|--type|--state|--mode|--signal|--kill-whom|--lines|--property|--cpu|\
		--status|--queue|-[tnsp])
			[[ ${COMP_WORDS[i + 1]-} == = ]] && ((i++))
			((i++)) ;;
		-*|=) ;;
		*)
			echo "${COMP_WORDS[i]}"
			return ;;
		esac
	done
}

_knellctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command

	command=$(__knellctl_command)
	[[ $previous == = ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
	[[ $current == = ]] && { previous=${COMP_WORDS[COMP_CWORD - 1]}; current=; }
	case $previous in
	--type|-t) __knellctl_offer < <(printf '%s\n' service target timer socket); return ;;
	--state) __knellctl_offer < <(printf '%s\n' active activating deactivating failed inactive \
		reloading loaded not-found bad masked); return ;;
	--mode) __knellctl_offer < <(printf '%s\n' replace fail isolate ignore-dependencies flush)
		return ;;
	--kill-whom) __knellctl_offer < <(printf '%s\n' main control all); return ;;
	--signal|-s) __knellctl_offer < <(kill -l | grep -o 'SIG[A-Z0-9+-]*'); return ;;
	--cpu) __knellctl_offer < <(printf '%s\n' on off); return ;;
	--queue) __knellctl_offer < <(__knellctl_queues); return ;;
	--socket|--root|--unit-dir) compopt -o default; COMPREPLY=(); return ;;
	esac
	if [[ $current == -* ]]; then
		compopt -o nospace
		__knellctl_offer < <(__knellctl_ask help --plain ${command:+"$command"})
		return
	fi
	case $command in
	'') __knellctl_offer < <(__knellctl_ask help --plain) ;;
	help) __knellctl_offer < <(__knellctl_ask help --plain) ;;
	start|status|why|show|cat|list-dependencies|history|events|is-*|list|list-units) ;&
	enable|disable|reenable|mask|unmask) __knellctl_offer < <(__knellctl_units --all) ;;
	stop|restart|try-restart|reload|reload-or-restart|kill|tree)
		__knellctl_offer < <(__knellctl_units) ;;
	reset-failed) __knellctl_offer < <(__knellctl_units --failed) ;;
	isolate) __knellctl_offer < <(__knellctl_units --all --type=target) ;;
	timers|list-timers) __knellctl_offer < <(__knellctl_units --all --type=timer) ;;
	cancel) __knellctl_offer < <(__knellctl_ask list-jobs --plain | sed 's/^ *//; s/ .*//') ;;
	watches|members|drop) __knellctl_offer < <(__knellctl_queues) ;;
	blackbox)
		compopt -o default
		COMPREPLY=() ;;
	verify)
		compopt -o default
		__knellctl_offer < <(__knellctl_units --all) ;;
	*) COMPREPLY=() ;;
	esac
}

complete -F _knellctl knellctl
