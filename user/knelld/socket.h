/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket units, as the services that they start see them. */
#ifndef _KNELLD_SOCKET_H
#define _KNELLD_SOCKET_H

#include <stddef.h>

#include "unit_file.h"

struct unit;

/*
 * The @i-th descriptor that @u gets of its socket units, -1: there are no more. It stays the
 * socket's; @name as LISTEN_FDNAMES has it. An instance for one connection gets that.
 */
int socket_of(const struct unit *u, size_t i, const char **name);
/* REMOTE_ADDR and REMOTE_PORT of a connection. */
void socket_peer(const struct unit *u, struct strv *env);
/* The instance for a connection is down; nothing if it is none. */
void socket_connection_done(struct unit *u);

#endif
