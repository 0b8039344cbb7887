/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls that newer machines do not have: what the C library does there instead of them. */
#ifndef _KNELL_OLD_CALLS_H
#define _KNELL_OLD_CALLS_H

#include <sys/syscall.h>

#ifndef SYS_poll
#define SYS_poll SYS_ppoll
#endif
#ifndef SYS_epoll_wait
#define SYS_epoll_wait SYS_epoll_pwait
#endif
/* By clone(2), which has flags that tell what is asked for. */
#ifndef SYS_fork
#define SYS_fork (-1)
#endif

#endif
