// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: who may ask for what, and what is done. What is
 * told of a queue is in nl_put.c, dumps are in nl_dump.c.
 *
 * What differs from what Documentation/netlink/specs/knell.yaml says of requests
 * is found by .ci/netlink.py.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <net/sock.h>

#include <linux/knell_netlink.h>

#include "compat.h"
#include "keep.h"
#include "monitor.h"
#include "netlink.h"
#include "queue.h"

/**
 * knell_asker_init() - who has asked?
 * @asker: filled in; refers to what current and the socket have
 * @skb: the request, in the call that sent it
 *
 * Neither who was given a socket nor who was made to write to one has the rights
 * of the other. (If he names the kernel as the receiver, netlink takes it that he
 * knows what he does; then his own capability will do.)
 */
void knell_asker_init(struct knell_asker *asker, struct sk_buff *skb)
{
	const struct cred *opener = NETLINK_CB(skb).sk->sk_socket->file->f_cred;

	asker->pid_ns = task_active_pid_ns(current);
	asker->user_ns = opener->user_ns;
	asker->uid = uid_eq(opener->euid, current_euid()) ? opener->euid : INVALID_UID;
	asker->admin = netlink_capable(skb, CAP_SYS_ADMIN);
}

/**
 * knell_asker_may_see() - may he know what it holds?
 * @asker: who
 * @queue: any
 */
bool knell_asker_may_see(const struct knell_asker *asker, const struct knell_queue *queue)
{
	return asker->admin || uid_eq(asker->uid, queue->cred->euid);
}

/* What asks for a queue has one number, whatever it is asked for. */
static_assert((int)KNELL_A_WATCH_QUEUE == KNELL_A_QUEUE_ID);
static_assert((int)KNELL_A_MEMBER_QUEUE == KNELL_A_QUEUE_ID);

/* Referenced, or an error that @extack explains. */
static struct knell_queue *knell_nl_get_queue(const struct nlattr *attr,
					      struct netlink_ext_ack *extack)
{
	struct knell_queue *queue;

	if (!attr) {
		NL_SET_ERR_MSG(extack, "expected the id of a queue");
		NL_SET_ERR_ATTR_MISS(extack, NULL, KNELL_A_QUEUE_ID);
		return ERR_PTR(-EINVAL);
	}
	queue = knell_queue_find(nla_get_u64(attr));
	if (queue)
		return queue;
	NL_SET_ERR_MSG_ATTR(extack, attr, "there is no queue of that id");
	return ERR_PTR(-ENOENT);
}

/**
 * knell_nl_find_queue() - the queue that a request is about
 * @asker: who has asked
 * @attr: its id, or NULL
 * @extack: told what is wrong
 *
 * Return: the queue, referenced; -EINVAL, -ENOENT, -EPERM
 */
struct knell_queue *knell_nl_find_queue(const struct knell_asker *asker,
					const struct nlattr *attr,
					struct netlink_ext_ack *extack)
{
	struct knell_queue *queue = knell_nl_get_queue(attr, extack);

	if (IS_ERR(queue) || knell_asker_may_see(asker, queue))
		return queue;
	knell_queue_put(queue);
	NL_SET_ERR_MSG_ATTR(extack, attr,
			    "another user's queue: expected its owner or CAP_SYS_ADMIN");
	return ERR_PTR(-EPERM);
}

static int knell_nl_reply(struct knell_queue *queue, struct genl_info *info,
			  const struct knell_asker *asker)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;
	int err;

	if (!skb) {
		NL_SET_ERR_MSG(info->extack, "out of memory");
		return -ENOMEM;
	}
	hdr = genlmsg_put_reply(skb, info, &knell_nl_family, 0, KNELL_CMD_QUEUE_GET);
	err = hdr ? knell_nl_put_queue(skb, queue, asker) : -EMSGSIZE;
	if (err) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[KNELL_A_QUEUE_ID],
				    "there is no queue of that id");
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

static int knell_nl_queue_get(struct sk_buff *skb, struct genl_info *info)
{
	struct knell_queue *queue;
	struct knell_asker asker;
	int err;

	knell_asker_init(&asker, skb);
	queue = knell_nl_find_queue(&asker, info->attrs[KNELL_A_QUEUE_ID], info->extack);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	err = knell_nl_reply(queue, info, &asker);
	knell_queue_put(queue);
	return err;
}

/* Whose it is, in the namespace in which he opened it, or who is over him. */
static bool knell_nl_may_drop(struct sk_buff *skb, const struct knell_queue *queue)
{
	const struct cred *cred = queue->cred;
	struct knell_asker asker;

	knell_asker_init(&asker, skb);
	if (uid_eq(asker.uid, cred->euid) && asker.user_ns == cred->user_ns &&
	    current_user_ns() == cred->user_ns)
		return true;
	return netlink_ns_capable(skb, cred->user_ns, CAP_SYS_ADMIN);
}

static int knell_nl_drop(struct sk_buff *skb, struct genl_info *info, struct knell_queue *queue)
{
	const struct nlattr *attr = info->attrs[KNELL_A_QUEUE_ID];
	int err;

	if (!knell_nl_may_drop(skb, queue)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "another user's queue: expected its owner or CAP_SYS_ADMIN");
		return -EPERM;
	}
	err = knell_keep_drop(queue);
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "not a kept queue: it ends with its last descriptor");
	else if (err)
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "the queue's holder lives: expected it to be dead");
	return err;
}

static int knell_nl_queue_drop(struct sk_buff *skb, struct genl_info *info)
{
	struct knell_queue *queue;
	int err;

	queue = knell_nl_get_queue(info->attrs[KNELL_A_QUEUE_ID], info->extack);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	err = knell_nl_drop(skb, info, queue);
	knell_queue_put(queue);
	return err;
}

/* The core would refuse it, too, but without a word. */
static int knell_nl_only_dump(struct sk_buff *skb, struct genl_info *info)
{
	NL_SET_ERR_MSG(info->extack, "only a dump: expected NLM_F_DUMP");
	return -EOPNOTSUPP;
}

static int knell_nl_no_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	NL_SET_ERR_MSG(cb->extack, "not a dump: expected no NLM_F_DUMP");
	return -EOPNOTSUPP;
}

static const struct nla_policy knell_nl_queue_policy[] = {
	[KNELL_A_QUEUE_ID] = NLA_POLICY_MIN(NLA_U64, 1),
};

static const struct nla_policy knell_nl_watch_policy[] = {
	[KNELL_A_WATCH_QUEUE] = NLA_POLICY_MIN(NLA_U64, 1),
};

static const struct nla_policy knell_nl_member_policy[] = {
	[KNELL_A_MEMBER_QUEUE] = NLA_POLICY_MIN(NLA_U64, 1),
	[KNELL_A_MEMBER_WATCH] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct genl_ops knell_nl_ops[] = {
	{
		.cmd = KNELL_CMD_QUEUE_GET,
		.doit = knell_nl_queue_get,
		.dumpit = knell_nl_dump_queues,
		.done = knell_nl_dump_done,
		.policy = knell_nl_queue_policy,
		.maxattr = ARRAY_SIZE(knell_nl_queue_policy) - 1,
	}, {
		.cmd = KNELL_CMD_WATCH_GET,
		.doit = knell_nl_only_dump,
		.dumpit = knell_nl_dump_watches,
		.done = knell_nl_dump_done,
		.policy = knell_nl_watch_policy,
		.maxattr = ARRAY_SIZE(knell_nl_watch_policy) - 1,
	}, {
		.cmd = KNELL_CMD_MEMBER_GET,
		.doit = knell_nl_only_dump,
		.dumpit = knell_nl_dump_members,
		.done = knell_nl_dump_done,
		.policy = knell_nl_member_policy,
		.maxattr = ARRAY_SIZE(knell_nl_member_policy) - 1,
	}, {
		.cmd = KNELL_CMD_QUEUE_DROP,
		.doit = knell_nl_queue_drop,
		.dumpit = knell_nl_no_dump,
		.policy = knell_nl_queue_policy,
		.maxattr = ARRAY_SIZE(knell_nl_queue_policy) - 1,
	},
};

static const struct genl_multicast_group knell_nl_groups[] = {
	KNELL_MCGRP_ADMIN(KNELL_MCGRP_MONITOR),
};

/*
 * In parallel: each request takes what locks it needs, and waits for a queue's
 * mutex without the lock that is all other families'.
 */
struct genl_family knell_nl_family __ro_after_init = {
	.name = KNELL_FAMILY_NAME,
	.version = KNELL_FAMILY_VERSION,
	.module = THIS_MODULE,
	.ops = knell_nl_ops,
	.n_ops = ARRAY_SIZE(knell_nl_ops),
	.mcgrps = knell_nl_groups,
	.n_mcgrps = KNELL_MCGRPS,
	KNELL_GENL_BIND(knell_monitor_bind)
	.parallel_ops = true,
};

int __init knell_netlink_init(void)
{
	int err = knell_monitor_start();

	if (err)
		return err;
	err = genl_register_family(&knell_nl_family);
	if (err)
		knell_monitor_stop();
	return err;
}

/*
 * There are no queues any more. Waits for requests under way; a dump holds the
 * module. Nothing may be sent once the group's number is another family's.
 */
void knell_netlink_exit(void)
{
	knell_monitor_stop();
	genl_unregister_family(&knell_nl_family);
}

MODULE_ALIAS_GENL_FAMILY(KNELL_FAMILY_NAME);
