/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors that go on with the next program: listening sockets, connections, what is stored,
 * where services speak. A knelld that is killed leaves none of them.
 */
#ifndef _KNELLD_HANDOVER_H
#define _KNELLD_HANDOVER_H

#include <stdbool.h>

struct unit;

/* What a descriptor is, and who gives and takes it: give() calls handover_put() for each. */
enum handed {
	HAND_NOTIFY = 'n',	/* talk.c: NOTIFY_SOCKET's other end */
	HAND_LINE = 'r',	/* talk.c: where a newline is waited for */
	HAND_STORED = 's',	/* talk.c; @rest: "POLL NAME" */
	HAND_LISTEN = 'l',	/* socket.c; @rest: its number */
	HAND_CONNECTION = 'c',	/* socket.c; @rest: "PLACE SOCKET" */
};

/* Before the exec, and if that could not be done. What cannot be handed over is lost. */
void handover_give(void);
void handover_undo(void);
void handover_put(enum handed what, const struct unit *u, int fd, const char *rest);

/* After it, when the units and their files are there; if it is not @known what they do, all go. */
void handover_take(bool known);

/* By kind of unit. False: it is none of this unit's, and is closed */
void talk_give(const struct unit *u);
bool talk_take(struct unit *u, enum handed what, int fd, const char *rest);
void socket_give(const struct unit *u);
bool socket_take(struct unit *u, enum handed what, int fd, const char *rest);

#endif
