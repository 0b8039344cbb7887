/* SPDX-License-Identifier: GPL-2.0-only */
/* Of the module's fault build: see fault.c. */
#ifndef _KNELL_FAULT_H
#define _KNELL_FAULT_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/types.h>

void knell_fault_count(int by);
bool knell_fault(const char *symbol, int err, unsigned long site);

/*
 * All that is wrapped takes no more than six arguments, each of which fits into a register, and so does
 * what it returns: to pass these on one need not know what they are.
 */
#define KNELL_WRAP(symbol, failure, err, counted)					\
long __real_##symbol(long a, long b, long c, long d, long e, long f);			\
long __wrap_##symbol(long a, long b, long c, long d, long e, long f);			\
long __wrap_##symbol(long a, long b, long c, long d, long e, long f)			\
{											\
	long ret;									\
											\
	if (knell_fault(#symbol, err, _RET_IP_))					\
		return failure;								\
	ret = __real_##symbol(a, b, c, d, e, f);					\
	if ((counted) && ret)								\
		knell_fault_count(1);							\
	return ret;									\
}

#endif /* _KNELL_FAULT_H */
