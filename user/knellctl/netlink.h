/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The family "knell" of generic netlink (Documentation/netlink/specs/knell.yaml): what the module
 * tells of queues to those who look on. knelld has no part in it.
 *
 * What comes from there is made JSON of at once, of which knellctl prints and picks: an attribute
 * that is absent is one that the object has not.
 */
#ifndef _KNELLCTL_NETLINK_H
#define _KNELLCTL_NETLINK_H

#include <jansson.h>
#include <linux/netlink.h>
#include <stdint.h>

/*
 * messages.c: a queue, watch, member or event; NULL if it is none, or its attributes are not as
 * they should be. The caller has seen to it that nlmsg_len bytes are there.
 */
json_t *netlink_object(const struct nlmsghdr *h);
/* What the kernel says of a refusal or of a dump's end beside the number; NULL: nothing. */
const char *netlink_words(const struct nlmsghdr *h);

/*
 * netlink.c: all return an exit status, and have said what went wrong. @id and @watch are 0 where
 * the command has none.
 */
int netlink_dump(uint8_t cmd, uint64_t id, uint32_t watch, json_t **list);
int netlink_queue(uint64_t id, json_t **queue);
int netlink_drop(uint64_t id);

/**
 * struct netlink_ears - who listens
 * @ready: from now on nothing is missed; an exit status
 * @event: takes @e over; false: that was enough
 * @lost: what came was more than could be read; an exit status
 */
struct netlink_ears {
	int (*ready)(void);
	bool (*event)(json_t *e);
	int (*lost)(void);
};

/* Until the ears have heard enough. */
int netlink_monitor(const struct netlink_ears *ears);

#endif /* _KNELLCTL_NETLINK_H */
