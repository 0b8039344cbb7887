# SPDX-License-Identifier: GPL-2.0-only
# imports.table as lines "SYMBOL CLASS ERRNO".

/^#/ || !NF { next }
/^[^ \t]/ { class = $1; errno = $2; next }
{
	for (i = 1; i <= NF; i++)
		print $i, class, class ~ /^(null|minus|counted|special)$/ ? errno : "-"
}
