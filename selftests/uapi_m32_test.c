// SPDX-License-Identifier: GPL-2.0-only
/* uapi_test.c as a 32-bit program: the same bytes, through the kernel's compat entry. */
_Static_assert(sizeof(void *) == 4, "to be built for 32 bits");

#include "uapi_test.c"
