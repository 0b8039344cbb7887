/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's harness beside knelld's own header. */
#ifndef _HOST_TEST_H
#define _HOST_TEST_H

#pragma GCC diagnostic ignored "-Wmissing-prototypes"	/* of fixtures */
#include "kselftest_harness.h"
#undef ARRAY_SIZE
#include "knelld.h"

#endif
