#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the programs know, their help, their manuals and the shells' completions have the same options
# and commands, the interface says what each of its parts is, the examples are without fault, and README
# names all that is installed.
# Prints what is not so. (Keys of unit files: ../unit/manual.sh; libknell's functions: .ci/lint.)
#
# usage: check.sh KNELLD KNELLCTL	(the programs)
set -u
shopt -s extglob
export LC_ALL=C

knelld=$(realpath "$1") knellctl=$(realpath "$2")
cd "$(dirname "$0")/../.." || exit 1
man=Documentation/man completion=user/knellctl/completion
interface=user/control/io.knell.Manager.varlink
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

complain()
{
	echo "$*"
	wrong=$((wrong + 1))
}

# same WHAT FILE WHAT FILE: two lists, a line each; they are not empty
same()
{
	sort -u "$2" >"$work/a"
	sort -u "$4" >"$work/b"
	[[ -s $work/a && -s $work/b ]] || complain "$1, $3: nothing was found"
	while read -r word; do
		complain "$word: $1 has it, $3 does not"
	done < <(comm -23 "$work/a" "$work/b")
	while read -r word; do
		complain "$word: $3 has it, $1 does not"
	done < <(comm -13 "$work/a" "$work/b")
}

# The lines of the manual that begin an item, those that go on in the next ones as one.
items()
{
	awk '
		/^\.It Xo/ { item = $0; next }
		item != "" && /^\.Xc/ { print item; item = ""; next }
		item != "" { item = item " " $0; next }
		/^\.It / || /^\.Op / { print }
	' "$1"
}

# "--NAME" or "--NAME=" by what parse_options() of knelld takes
knelld_table()
{
	sed -n 's/^\t\t{ "\([a-z-]*\)", required_argument.*/--\1=/p
		s/^\t\t{ "\([a-z-]*\)", no_argument.*/--\1/p' user/knelld/main.c
}

knelld_options()
{
	knelld_table >"$work/table"
	"$knelld" --help | sed -n 's/^  \(--[a-z-]*\) [A-Z][A-Z]* .*/\1=/p
		s/^  \(--[a-z-]*\)  .*/\1/p' >"$work/help"
	sed -n 's/^\.It Fl Fl \([a-z-]*\) Ar .*/--\1=/p; s/^\.It Fl Fl \([a-z-]*\)$/--\1/p' \
		$man/knelld.8 >"$work/manual"
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' $man/knelld.8 |
		grep -o 'Fl Fl [a-z-]*\( Ar\)\?' | sed 's/Fl Fl /--/; s/ Ar/=/' >"$work/synopsis"
	same 'the table of knelld' "$work/table" 'knelld --help' "$work/help"
	same 'the table of knelld' "$work/table" knelld.8 "$work/manual"
	same 'the table of knelld' "$work/table" "knelld.8's synopsis" "$work/synopsis"
}

# The words behind Cm of items that are no options, without what is a value
manual_commands()
{
	items $man/knellctl.1 | grep '^\.It \(Xo \)\?Cm' | sed 's/\.Op.*//; s/ O[op] .*//; s/ Ar .*//' |
		tr -s ' ,' '\n' | grep -v -x '\.It\|Xo\|Cm'
	# named in the text of another one
	grep -A 1 '^\.Cm \(list-units\|list-timers\)$' $man/knellctl.1 | sed -n 's/^\.Cm //p'
}

knellctl_commands()
{
	"$knellctl" help --plain >"$work/commands"
	manual_commands >"$work/manual"
	same knellctl "$work/commands" knellctl.1 "$work/manual"
}

# Options as the manual has them, with the letters for those that are written so.
knellctl_options()
{
	while read -r command; do
		"$knellctl" help --plain "$command"
	done <"$work/commands" >"$work/options"
	while read -r command; do
		"$knellctl" help "$command"
	done <"$work/commands" | sed -n 's/^  -\(.\), \(--[a-z-]*\).*/\1 \2/p' | sort -u >"$work/letters"
	sed 's/=$//' "$work/options" | sort -u >"$work/names"
	{
		grep -v '^\.\(Dl\|Nm\)' $man/knellctl.1 | grep -o 'Fl Fl [a-z-]*' | sed 's/Fl Fl /--/'
		items $man/knellctl.1 | grep -o 'Fl [a-zA-Z]\>' | sed 's/Fl //' | sort -u |
			join - "$work/letters" | cut -d ' ' -f 2
	} >"$work/manual"
	same knellctl "$work/names" knellctl.1 "$work/manual"
}

# One command's options, where the manual has the command in an item of its own
knellctl_options_of_commands()
{
	"$knellctl" help --plain help | grep -v -x -e --plain >"$work/always"
	items $man/knellctl.1 | grep '^\.It \(Xo \)\?Cm' >"$work/items"
	while read -r command; do
		item=$(grep -w -e "$command" "$work/items" | grep -E "Cm ([a-z-]+ , )*$command( |\$)" | head -n 1)
		[ -n "$item" ] || continue
		for option in $(grep -o 'Fl Fl [a-z-]*' <<<"$item" | sed 's/Fl Fl /--/') \
			$(grep -o 'Fl [a-zA-Z]\>' <<<"$item" | sed 's/Fl //' | sort -u |
			join - "$work/letters" | cut -d ' ' -f 2); do
			"$knellctl" help --plain "$command" | sed 's/=$//' | grep -q -x -e "$option" ||
				complain "$command $option: knellctl.1 has it, knellctl does not"
		done
	done <"$work/commands"
}

# in_case FILE: the patterns of what is offered for commands, a line each
in_case()
{
	# shellcheck disable=SC2016 # as it stands there
	awk '/case \$command in/ { on = 1; next } /^\tesac/ { on = 0 } on' "$1" |
		sed -n "s/^\t\([^() ]*\)).*/\1/p" | tr '|' '\n' | grep -v -x -e "''" -e '\*'
}

completes()
{
	local file=$1 pattern command arguments found

	in_case "$file" >"$work/patterns"
	[ -s "$work/patterns" ] || complain "$file: no commands were found"
	while read -r pattern; do
		found=
		while read -r command; do
			# shellcheck disable=SC2254 # a pattern
			case $command in $pattern) found=1 ;; esac
		done < <("$knellctl" help --plain)
		[ -n "$found" ] || complain "$pattern: $file has it, knellctl does not"
	done <"$work/patterns"
	while IFS=$'\t' read -r command arguments; do
		[[ $arguments == *@(UNIT|FILE|PATTERN|JOB|COMMAND)* ]] || continue
		found=
		while read -r pattern; do
			# shellcheck disable=SC2254 # a pattern
			case $command in $pattern) found=1 ;; esac
		done <"$work/patterns"
		[ -n "$found" ] || complain "$command $arguments: $file offers nothing"
	done < <("$knellctl" help --json | jq -r '.commands[] | [.command, .arguments] | @tsv')
}

# Which options have the next word as their argument; "-[tnsp]" are letters of some.
completes_options()
{
	sed -n '/^\t\t--socket|--unit-dir|/,/)$/p' "$1" | tr -d ')\\ \t' | tr -s '|' '\n' |
		sed 's/^-\[\(.*\)\]$/\1/' | while read -r word; do
		case $word in
		--*) echo "$word" ;;
		*) fold -w 1 <<<"$word" ;;
		esac
	done >"$work/taking"
	grep -e '=$' "$work/options" | tr -d = | sort -u >"$work/names"
	{
		cat "$work/names"
		grep -w -F -f "$work/names" "$work/letters" | cut -d ' ' -f 1
	} >"$work/with"
	same knellctl "$work/with" "$1" "$work/taking"
}

# Each method, each error, each type and each of the fields that have a line of their own
interface_is_explained()
{
	awk '
		/^[\t ]*#/ { said = 1; next }
		/^(type|method|error|interface) / && !said { print FILENAME ":" NR ": " $0 ": what is it?" }
		/^\t[a-zA-Z_]+: / && !said { print FILENAME ":" NR ": " $0 ": what is it?" }
		{ said = 0 }
	' "$interface" >"$work/bare"
	while read -r line; do
		complain "$line"
	done <"$work/bare"
	grep -q '^method ' "$interface" || complain "$interface: no methods"
}

# What is installed or unpacked for a make is in README's table.
packages_are_named()
{
	sed -n '/<<-.END/,/^END/s/^\t\([a-z0-9][a-z0-9.+-]*\)[\t ]*\(#.*\)\?$/\1/p' \
		selftests/qemu/deps.sh >"$work/packages"
	sed -n "s/^packages='\(.*\)'$/\1/p" demo/fetch.sh | tr ' ' '\n' >>"$work/packages"
	[ "$(wc -l <"$work/packages")" -gt 20 ] || complain 'deps.sh: no packages were found'
	while read -r package; do
		grep -q "^|.*\`$package\`" README.md || complain "$package: README.md does not say what for"
	done <"$work/packages"
}

knelld_is_small()
{
	local lines

	lines=$(cat user/knelld/*.[ch] | wc -l)
	[ "$lines" -lt 6000 ] || complain "user/knelld has $lines lines"
}

# README tells how large each room is, about.
rooms_are_told()
{
	local room told lines

	# shellcheck disable=SC2016 # Markdown
	sed -n 's/^| `user\/\([a-z0-9]*\)` | \([0-9,]*\) |.*/\1 \2/p' README.md | tr -d , >"$work/rooms"
	cut -d ' ' -f 1 "$work/rooms" >"$work/told"
	find user -mindepth 1 -maxdepth 1 -type d -printf '%f\n' >"$work/are"
	same 'the tree' "$work/are" README.md "$work/told"
	while read -r room told; do
		lines=$(cat "user/$room"/*.[ch] | wc -l)
		[ $(((lines - told) ** 2)) -le $(((told / 10 + 100) ** 2)) ] ||
			complain "user/$room has $lines lines, README.md says $told"
	done <"$work/rooms"
}

# Of programs that are not installed here it can say nothing.
examples_are_fine()
{
	"$knellctl" verify --unit-dir Documentation/examples/units >"$work/said" 2>&1
	grep -v -e ': there is no program ' -e '^[0-9]* errors\?[.,]' "$work/said" >"$work/left" &&
		complain "$(cat "$work/left")"
	[ -n "$(ls Documentation/examples/units)" ] || complain 'there are no examples'
}

knelld_options
knellctl_commands
knellctl_options
knellctl_options_of_commands
for shell in knellctl.bash _knellctl; do
	completes $completion/$shell
	completes_options $completion/$shell
done
interface_is_explained
examples_are_fine
packages_are_named
rooms_are_told
knelld_is_small
[ $wrong -eq 0 ]
