/* SPDX-License-Identifier: GPL-2.0-only */
/* The addresses of socket units: what they mean, and descriptors that listen there. */
#ifndef _KNELLD_LISTEN_H
#define _KNELLD_LISTEN_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <linux/vm_sockets.h>

#include "unit_file.h"

union address {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_vm vm;
};

#define ADDRESS_TEXT_MAX	160

int address_parse(const char *text, union address *a, socklen_t *len);
const char *address_text(const union address *a, socklen_t len, char *buf);

struct owner {
	uid_t uid;
	gid_t gid;		/* (uid_t)-1, (gid_t)-1: as it is */
};

int listen_open(const char *who, const struct socket *c, const struct listen *l,
		struct owner owner);
void listen_remove(const struct socket *c);
int listen_link(const struct socket *c, const char **which);
bool listen_accepts(const struct listen *l);
void listen_flush(const struct listen *l, int fd);

#endif
