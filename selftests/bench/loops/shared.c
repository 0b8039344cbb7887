// SPDX-License-Identifier: GPL-2.0-only
/* What the peers' tasks and children report to; see loops.h. */
#include "loops.h"

unsigned long ran, to_run;
void (*heard_exit)(unsigned int i, pid_t pid, int status);
