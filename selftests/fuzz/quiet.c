// SPDX-License-Identifier: GPL-2.0-only
/* A log that nobody reads: lines are made, so that a bad argument shows, and forgotten. */
#include <stdarg.h>

#include "fuzz.h"

void __wrap_log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void __wrap_log_line(const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}
