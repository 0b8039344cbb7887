/* SPDX-License-Identifier: GPL-2.0-only */
/* A strict reader of Varlink's interface descriptions. */
#ifndef _VARLINK_IDL_H
#define _VARLINK_IDL_H

#include <stddef.h>

#include <varlink.h>

/*
 * Whether @text describes an interface, uses no type that it does not define, defines none twice.
 * With @i, whether that interface's tables say the same: its name, methods, and their parameters,
 * in any order. 0, or -1 with the line and the reason in @why.
 */
int idl_check(const char *text, const struct varlink_interface *i, char *why, size_t size);

#endif /* _VARLINK_IDL_H */
