/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a module written for Quagga includes first: the system's headers, and a few words. */
#ifndef KNELL_ZEBRA_H
#define KNELL_ZEBRA_H

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifndef array_size
#define array_size(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#endif /* KNELL_ZEBRA_H */
