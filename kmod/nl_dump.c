// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps. Each goes on where it was by what it told last, an id or a handle, or by
 * a list that was made when it began; between two parts no lock is held. Who came
 * or went meanwhile moves a generation, and the reader is told of that by
 * NLM_F_DUMP_INTR; nothing is told twice.
 *
 * A request is refused when the first part is made, in the call that sends it:
 * older kernels take no text from where dumps start. So the refusal is the end of
 * the dump, NLMSG_DONE with the error and the text.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include <linux/knell_netlink.h>

#include "compat.h"
#include "file.h"
#include "member.h"
#include "netlink.h"
#include "queue.h"
#include "tree.h"

/**
 * struct knell_dump - a dump under way
 * @asker: his namespaces are referenced
 * @id: of the queue that was told of last
 * @queue: whose watches or members, referenced
 * @watch: whose members
 * @main: of that tree, referenced; may be NULL
 * @generation: of what is listed, when it was
 * @nr: in the list
 * @pos: in the list, what is next
 * @handles: the list of watches
 * @pids: the list of members, each referenced
 */
struct knell_dump {
	struct knell_asker asker;
	u64 id;
	struct knell_queue *queue;
	u32 watch;
	struct pid *main;
	u32 generation;
	u32 nr;
	u32 pos;
	u32 *handles;
	struct pid **pids;
};

static struct knell_dump *knell_dump_of(struct netlink_callback *cb)
{
	return (struct knell_dump *)cb->args[0];
}

/* In the first part; knell_nl_dump_done() frees it. */
static struct knell_dump *knell_dump_new(struct netlink_callback *cb)
{
	struct knell_dump *dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);

	if (!dump) {
		NL_SET_ERR_MSG(cb->extack, "out of memory");
		return NULL;
	}
	knell_asker_init(&dump->asker, cb->skb);
	get_pid_ns(dump->asker.pid_ns);
	get_user_ns(dump->asker.user_ns);
	cb->args[0] = (long)dump;
	return dump;
}

/**
 * knell_nl_dump_done() - a dump ends, told or not. May sleep
 * @cb: the dump; it may not even have begun
 *
 * Return: 0
 */
int knell_nl_dump_done(struct netlink_callback *cb)
{
	struct knell_dump *dump = knell_dump_of(cb);
	u32 i;

	if (!dump)
		return 0;
	for (i = 0; dump->pids && i < dump->nr; i++)
		put_pid(dump->pids[i]);
	kvfree(dump->pids);
	kvfree(dump->handles);
	put_pid(dump->main);
	if (dump->queue)
		knell_queue_put(dump->queue);
	put_pid_ns(dump->asker.pid_ns);
	put_user_ns(dump->asker.user_ns);
	kfree(dump);
	cb->args[0] = 0;
	return 0;
}

static void *knell_dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &knell_nl_family, NLM_F_MULTI, cmd);
}

/* A message did not fit: it is for the next part, unless it has had all of this one. */
static int knell_dump_part(struct sk_buff *skb)
{
	return skb->len ?: -EMSGSIZE;
}

/* A message is whole, or it was never begun: then 0 if it is not needed, else @err. */
static int knell_dump_end(struct sk_buff *skb, struct netlink_callback *cb, void *hdr, int err)
{
	if (err) {
		genlmsg_cancel(skb, hdr);
		return err == -ENOENT ? 0 : err;
	}
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

static int knell_dump_queue(struct sk_buff *skb, struct netlink_callback *cb,
			    struct knell_queue *queue, const struct knell_asker *asker)
{
	void *hdr;

	if (!knell_asker_may_see(asker, queue))
		return 0;
	hdr = knell_dump_put(skb, cb, KNELL_CMD_QUEUE_GET);
	if (!hdr)
		return -EMSGSIZE;
	return knell_dump_end(skb, cb, hdr, knell_nl_put_queue(skb, queue, asker));
}

static int knell_dump_queues_begin(struct netlink_callback *cb)
{
	struct nlattr *attr = knell_dump_attrs(cb)[KNELL_A_QUEUE_ID];

	if (attr) {
		NL_SET_ERR_MSG_ATTR(cb->extack, attr, "a dump is of all queues: expected no id");
		return -EINVAL;
	}
	return knell_dump_new(cb) ? 0 : -ENOMEM;
}

/**
 * knell_nl_dump_queues() - queue-get, a part of the dump. May sleep
 * @skb: to be filled
 * @cb: the dump
 *
 * Return: more than 0 if there is more to tell; 0; -EINVAL, -EMSGSIZE, -ENOMEM
 */
int knell_nl_dump_queues(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct knell_dump *dump = knell_dump_of(cb);
	struct knell_queue *queue;
	int err;
	u64 id;

	err = dump ? 0 : knell_dump_queues_begin(cb);
	if (err)
		return err;
	dump = knell_dump_of(cb);
	id = dump->id;
	while ((queue = knell_queue_next(&id, &cb->seq))) {
		err = knell_dump_queue(skb, cb, queue, &dump->asker);
		knell_queue_put(queue);
		if (err)
			return knell_dump_part(skb);
		dump->id = id;
		cond_resched();
	}
	return 0;
}

/* A dump that is about one queue, which is referenced by it. */
static int knell_dump_begin(struct netlink_callback *cb, struct nlattr *attr)
{
	struct knell_dump *dump = knell_dump_new(cb);
	struct knell_queue *queue;

	if (!dump)
		return -ENOMEM;
	queue = knell_nl_find_queue(&dump->asker, attr, cb->extack);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	dump->queue = queue;
	return 0;
}

/* What moves the generation from here on is seen by the first message. */
static void knell_dump_listed(struct knell_dump *dump, struct netlink_callback *cb)
{
	cb->prev_seq = dump->generation;
	cb->seq = dump->generation;
}

static int knell_dump_watches_begin(struct netlink_callback *cb)
{
	int err = knell_dump_begin(cb, knell_dump_attrs(cb)[KNELL_A_WATCH_QUEUE]);
	struct knell_dump *dump;
	long nr;

	if (err)
		return err;
	dump = knell_dump_of(cb);
	mutex_lock(&dump->queue->mutex);
	dump->generation = dump->queue->table.generation;
	nr = knell_list_handles(dump->queue, 0, &dump->handles);
	mutex_unlock(&dump->queue->mutex);
	if (nr < 0) {
		NL_SET_ERR_MSG(cb->extack, "out of memory");
		return nr;
	}
	dump->nr = nr;
	knell_dump_listed(dump, cb);
	return 0;
}

/**
 * knell_nl_dump_watches() - watch-get, a part of the dump. May sleep
 * @skb: to be filled
 * @cb: the dump
 *
 * Return: more than 0 if there is more to tell; 0; -EINVAL, -EMSGSIZE, -ENOENT, -EPERM, -ENOMEM
 */
int knell_nl_dump_watches(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct knell_dump *dump = knell_dump_of(cb);
	void *hdr;
	int err;

	err = dump ? 0 : knell_dump_watches_begin(cb);
	if (err)
		return err;
	for (dump = knell_dump_of(cb); dump->pos < dump->nr; dump->pos++) {
		hdr = knell_dump_put(skb, cb, KNELL_CMD_WATCH_GET);
		if (!hdr)
			return knell_dump_part(skb);
		err = knell_nl_put_watch(skb, dump->queue, dump->handles[dump->pos],
					 &dump->asker, &cb->seq);
		if (knell_dump_end(skb, cb, hdr, err))
			return knell_dump_part(skb);
		cond_resched();
	}
	return 0;
}

/* As many as there are by then; others may join meanwhile. */
static int knell_dump_list_members(struct knell_dump *dump, struct knell_tree *tree)
{
	u32 room = 64, nr;

	lockdep_assert_held(&dump->queue->mutex);
	for (;;) {
		dump->pids = kvcalloc(room, sizeof(*dump->pids), GFP_KERNEL_ACCOUNT);
		if (!dump->pids)
			return -ENOMEM;
		dump->generation = knell_member_generation(tree);
		nr = knell_member_pids(tree, dump->pids, room);
		dump->nr = min(nr, room);
		if (nr <= room)
			break;
		while (dump->nr)
			put_pid(dump->pids[--dump->nr]);
		kvfree(dump->pids);
		room = 2 * nr;
	}
	dump->main = get_pid(READ_ONCE(tree->main));
	return 0;
}

static struct knell_tree *knell_dump_tree(struct knell_dump *dump)
{
	struct knell_watch *watch;

	lockdep_assert_held(&dump->queue->mutex);
	watch = knell_watch_find(dump->queue, dump->watch);
	return watch ? knell_tree_of(watch) ?: ERR_PTR(-EINVAL) : ERR_PTR(-ENOENT);
}

static int knell_dump_members_begin(struct netlink_callback *cb)
{
	struct nlattr **attrs = knell_dump_attrs(cb);
	struct nlattr *attr = attrs[KNELL_A_MEMBER_WATCH];
	struct knell_dump *dump;
	struct knell_tree *tree;
	int err;

	if (!attr) {
		NL_SET_ERR_MSG(cb->extack, "expected the handle of a watch");
		NL_SET_ERR_ATTR_MISS(cb->extack, NULL, KNELL_A_MEMBER_WATCH);
		return -EINVAL;
	}
	err = knell_dump_begin(cb, attrs[KNELL_A_MEMBER_QUEUE]);
	if (err)
		return err;
	dump = knell_dump_of(cb);
	dump->watch = nla_get_u32(attr);
	mutex_lock(&dump->queue->mutex);
	tree = knell_dump_tree(dump);
	err = IS_ERR(tree) ? PTR_ERR(tree) : knell_dump_list_members(dump, tree);
	mutex_unlock(&dump->queue->mutex);
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR(cb->extack, attr, "the queue has no watch of that handle");
	else if (err == -EINVAL)
		NL_SET_ERR_MSG_ATTR(cb->extack, attr, "not a tree: expected a TREE's handle");
	else if (err)
		NL_SET_ERR_MSG(cb->extack, "out of memory");
	else
		knell_dump_listed(dump, cb);
	return err;
}

/* Another one, that nobody has been told of, once the tree is gone. */
static u32 knell_dump_members_now(struct knell_dump *dump)
{
	struct knell_tree *tree;
	u32 generation;

	mutex_lock(&dump->queue->mutex);
	tree = knell_dump_tree(dump);
	generation = IS_ERR(tree) ? dump->generation + 2 : knell_member_generation(tree);
	mutex_unlock(&dump->queue->mutex);
	return generation;
}

static int knell_dump_member(struct sk_buff *skb, struct netlink_callback *cb,
			     struct knell_dump *dump)
{
	void *hdr = knell_dump_put(skb, cb, KNELL_CMD_MEMBER_GET);
	int err;

	if (!hdr)
		return -EMSGSIZE;
	err = nla_put_u64_64bit(skb, KNELL_A_MEMBER_QUEUE, dump->queue->id,
				KNELL_A_MEMBER_PAD) ?:
	      nla_put_u32(skb, KNELL_A_MEMBER_WATCH, dump->watch) ?:
	      knell_nl_put_member(skb, dump->pids[dump->pos], dump->main, &dump->asker);
	return knell_dump_end(skb, cb, hdr, err);
}

/**
 * knell_nl_dump_members() - member-get, a part of the dump. May sleep
 * @skb: to be filled
 * @cb: the dump
 *
 * Return: more than 0 if there is more to tell; 0; -EINVAL, -EMSGSIZE, -ENOENT, -EPERM, -ENOMEM
 */
int knell_nl_dump_members(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct knell_dump *dump = knell_dump_of(cb);
	int err;

	err = dump ? 0 : knell_dump_members_begin(cb);
	if (err)
		return err;
	for (dump = knell_dump_of(cb); dump->pos < dump->nr; dump->pos++) {
		if (knell_dump_member(skb, cb, dump))
			return knell_dump_part(skb);
		cb->seq = knell_dump_members_now(dump);
		cond_resched();
	}
	return 0;
}
