# SPDX-License-Identifier: GPL-2.0-only
# From where the fault build calls its wrappers, by "objdump -d -r": "FUNCTION+0xOFFSET SYMBOL", as the
# kernel writes the address to which the call returns. A relocation is of a call's last four bytes.

function hex(text, value, i)
{
	for (i = 1; i <= length(text); i++)
		value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return value
}

# knell_init() has two names.
/^[0-9a-f]+ <.*>:$/ {
	start = hex($1)
	name = substr($2, 2, length($2) - 3)
	sub(/^init_module$/, "knell_init", name)
}
$2 ~ /^R_/ && $3 ~ /^__wrap_/ {
	symbol = $3
	sub(/^__wrap_/, "", symbol)
	sub(/[-+].*/, "", symbol)
	if (!(symbol in free))
		printf "%s+0x%x %s\n", name, hex(substr($1, 1, length($1) - 1)) + 4 - start, symbol
}
BEGIN { free["kfree"]; free["kvfree"]; free["kvfree_call_rcu"]; free["free_pages"]; free["__sanitizer_cov_trace_pc"] }
