/* SPDX-License-Identifier: GPL-2.0-only */
/* Generic netlink: what there is, for those who look on. */
#ifndef _KNELL_NETLINK_H
#define _KNELL_NETLINK_H

#include <linux/types.h>
#include <linux/uidgid.h>
#include <net/genetlink.h>

struct knell_queue;
struct knell_watch;
struct pid;
struct pid_namespace;
struct user_namespace;

/**
 * struct knell_asker - who has asked, and in which terms he is answered
 * @pid_ns: his
 * @user_ns: of who opened the socket
 * @uid: effective, of him and of who opened the socket; invalid if they differ
 * @admin: both have CAP_SYS_ADMIN in the initial user namespace
 */
struct knell_asker {
	struct pid_namespace *pid_ns;
	struct user_namespace *user_ns;
	kuid_t uid;
	bool admin;
};

extern struct genl_family knell_nl_family;

/* netlink.c */
void knell_asker_init(struct knell_asker *asker, struct sk_buff *skb);
bool knell_asker_may_see(const struct knell_asker *asker, const struct knell_queue *queue);
struct knell_queue *knell_nl_find_queue(const struct knell_asker *asker,
					const struct nlattr *attr,
					struct netlink_ext_ack *extack);
int knell_netlink_init(void);
void knell_netlink_exit(void);

/* nl_put.c: these return 0, -EMSGSIZE, -ENOENT if there is nothing to tell of any more */
int knell_nl_put_queue(struct sk_buff *skb, struct knell_queue *queue,
		       const struct knell_asker *asker);
int knell_nl_put_watch(struct sk_buff *skb, struct knell_queue *queue, u32 handle,
		       const struct knell_asker *asker, u32 *generation);
int knell_nl_put_member(struct sk_buff *skb, struct pid *pid, struct pid *main,
			const struct knell_asker *asker);

/* nl_dump.c */
int knell_nl_dump_queues(struct sk_buff *skb, struct netlink_callback *cb);
int knell_nl_dump_watches(struct sk_buff *skb, struct netlink_callback *cb);
int knell_nl_dump_members(struct sk_buff *skb, struct netlink_callback *cb);
int knell_nl_dump_done(struct netlink_callback *cb);

#endif /* _KNELL_NETLINK_H */
