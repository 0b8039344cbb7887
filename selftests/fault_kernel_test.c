// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_test.c does, but it is the kernel's own allocations and copies that fail, all those that a
 * task makes on its way through knell: ENOMEM, or EFAULT from a copy. That takes a kernel with FAILSLAB
 * and FAULT_INJECTION_DEBUG_FS, as "make check-debug" has it.
 *
 * runner-limit: 900
 */
#define FAULT_OF_KERNEL
#include "fault_test.c"
