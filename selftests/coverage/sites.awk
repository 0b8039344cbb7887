# SPDX-License-Identifier: GPL-2.0-only
# The edges of the coverage build, by "objdump -d -r -j .text": "OFFSET ADDRESS FUNCTION", how far the place
# to which the call returns is from the module's init, and where in .text that is. A relocation is of
# a call's last four bytes.

function hex(text, value, i)
{
	for (i = 1; i <= length(text); i++)
		value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return value
}

/^[0-9a-f]+ <.*>:$/ {
	name = substr($2, 2, length($2) - 3)
	if (name == "init_module") {
		init = hex($1)
		name = "knell_init"
	}
}
$2 ~ /^R_/ && $3 ~ /^__wrap___sanitizer_cov_trace_pc/ {
	address[++nr] = hex(substr($1, 1, length($1) - 1)) + 4
	in_function[nr] = name
}
END {
	for (i = 1; i <= nr; i++)
		print address[i] - init, address[i], in_function[i]
}
