/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of the netlink family share: a client of a few lines, on a bare socket. */
#ifndef _NETLINK_TEST_H
#define _NETLINK_TEST_H

#include <linux/genetlink.h>
#include <linux/knell_netlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "keep_test.h"
#include "tree_test.h"

#define NL_ATTRS	32	/* more than any set of ours has */

/**
 * struct nl - a socket that speaks with the family
 * @fd: the socket
 * @family: its number, today
 * @group: monitor's
 * @seq: of the latest request
 * @room: that is given to the kernel for a part of an answer
 * @text: what the latest answer said of its error, or ""
 * @offset: of the attribute that it is about, in the request, 0: of none
 * @missing: the attribute that is missing, 0: none
 * @flags: of the answer's messages, ORed
 * @buf: the answer
 */
struct nl {
	int fd;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	size_t room;
	char text[128];
	uint32_t offset;
	uint32_t missing;
	uint16_t flags;
	char buf[1 << 16];
};

struct nl_request {
	struct nlmsghdr n;
	struct genlmsghdr g;
	char attrs[1024];
};

/* Of a message: attributes by number, NULL where there is none. */
struct nl_message {
	uint8_t cmd;
	const struct nlattr *attr[NL_ATTRS];
};

typedef void (*nl_told)(const struct nl_message *m, void *arg);

static inline struct nl_request nl_request(uint16_t type, uint8_t cmd, uint16_t flags)
{
	return (struct nl_request){
		.n = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.g = { .cmd = cmd, .version = 1 },
	};
}

static inline void nl_put(struct nl_request *r, uint16_t type, const void *data, size_t len)
{
	struct nlattr *attr = (void *)((char *)&r->n + NLMSG_ALIGN(r->n.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	r->n.nlmsg_len = NLMSG_ALIGN(r->n.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

static inline void nl_put_u64(struct nl_request *r, uint16_t type, uint64_t value)
{
	nl_put(r, type, &value, sizeof(value));
}

static inline void nl_put_u32(struct nl_request *r, uint16_t type, uint32_t value)
{
	nl_put(r, type, &value, sizeof(value));
}

/* What lies in @len bytes; whether all of it is attributes. */
static inline bool nl_parse(const char *at, size_t len, const struct nlattr **attr)
{
	memset(attr, 0, NL_ATTRS * sizeof(*attr));
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)at;
		size_t size = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return false;
		if ((a->nla_type & NLA_TYPE_MASK) < NL_ATTRS)
			attr[a->nla_type & NLA_TYPE_MASK] = a;
		at += size < len ? size : len;
		len -= size < len ? size : len;
	}
	return !len;
}

static inline const void *nl_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}

static inline uint64_t nl_u64(const struct nl_message *m, int type)
{
	uint64_t value = ~0ULL;

	if (m->attr[type] && m->attr[type]->nla_len == NLA_HDRLEN + sizeof(value))
		memcpy(&value, nl_data(m->attr[type]), sizeof(value));
	return value;
}

static inline uint32_t nl_u32(const struct nl_message *m, int type)
{
	uint32_t value = ~0U;

	if (m->attr[type] && m->attr[type]->nla_len == NLA_HDRLEN + sizeof(value))
		memcpy(&value, nl_data(m->attr[type]), sizeof(value));
	return value;
}

/* Absent: "-". */
static inline const char *nl_string(const struct nl_message *m, int type)
{
	return m->attr[type] ? nl_data(m->attr[type]) : "-";
}

static inline uint32_t nl_told_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (attr && attr->nla_len == NLA_HDRLEN + sizeof(value))
		memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

/* The error in a message, and in @nl what follows it at @used. */
static inline int nl_error(struct nl *nl, const struct nlmsghdr *n, size_t used)
{
	const struct nlattr *attr[NL_ATTRS];
	const char *payload = (const char *)n + NLMSG_HDRLEN;
	int err;

	memcpy(&err, payload, sizeof(err));
	nl->text[0] = 0;
	nl->offset = 0;
	nl->missing = 0;
	if (!(n->nlmsg_flags & NLM_F_ACK_TLVS))
		return err;
	if (!nl_parse(payload + used, n->nlmsg_len - NLMSG_HDRLEN - used, attr))
		return -EBADMSG;
	if (attr[NLMSGERR_ATTR_MSG])
		snprintf(nl->text, sizeof(nl->text), "%s",
			 (const char *)nl_data(attr[NLMSGERR_ATTR_MSG]));
	nl->offset = nl_told_u32(attr[NLMSGERR_ATTR_OFFS]);
	nl->missing = nl_told_u32(attr[NLMSGERR_ATTR_MISS_TYPE]);
	return err;
}

static inline void nl_tell(const struct nlmsghdr *n, nl_told told, void *arg)
{
	const struct genlmsghdr *g = (const void *)((const char *)n + NLMSG_HDRLEN);
	struct nl_message m = { .cmd = g->cmd };

	if (!nl_parse((const char *)g + GENL_HDRLEN, n->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN),
		      m.attr))
		fprintf(stderr, "# a message of command %u is no attributes\n", g->cmd);
	if (told)
		told(&m, arg);
}

/* One datagram of an answer: 1 if it was the end, whose error is in @err; 0; -errno. */
static inline int nl_receive(struct nl *nl, nl_told told, void *arg, int *err)
{
	ssize_t len = recv(nl->fd, nl->buf, nl->room, 0);
	const struct nlmsghdr *n = (const void *)nl->buf;

	if (len < 0)
		return -errno;
	for (; NLMSG_OK(n, len); n = NLMSG_NEXT(n, len)) {
		nl->flags |= n->nlmsg_flags;
		if (n->nlmsg_type == NLMSG_ERROR) {
			*err = nl_error(nl, n, sizeof(struct nlmsgerr));
			return 1;
		}
		if (n->nlmsg_type == NLMSG_DONE) {
			*err = nl_error(nl, n, NLMSG_ALIGN(sizeof(int)));
			return 1;
		}
		nl_tell(n, told, arg);
	}
	return 0;
}

/*
 * As write(2) would, to the kernel, where netlink sockets begin: who names it is taken for one who
 * knows what he does, and then the rights of the socket's opener do not matter.
 */
static inline int nl_send(struct nl *nl, struct nl_request *r)
{
	r->n.nlmsg_seq = ++nl->seq;
	return send(nl->fd, r, r->n.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* The rest of an answer: 0 or -errno, why is in nl->text. */
static inline int nl_hear(struct nl *nl, nl_told told, void *arg)
{
	int err = 0, end;

	do {
		end = nl_receive(nl, told, arg, &err);
	} while (!end);
	return end < 0 ? end : err;
}

static inline int nl_talk(struct nl *nl, struct nl_request *r, nl_told told, void *arg)
{
	int err;

	nl->flags = 0;
	nl->text[0] = 0;
	err = nl_send(nl, r);
	return err ? err : nl_hear(nl, told, arg);
}

static inline void nl_found(const struct nl_message *m, void *arg)
{
	const struct nlattr *group[NL_ATTRS], *each[NL_ATTRS];
	const struct nlattr *groups = m->attr[CTRL_ATTR_MCAST_GROUPS];
	struct nl *nl = arg;

	if (m->attr[CTRL_ATTR_FAMILY_ID])
		memcpy(&nl->family, nl_data(m->attr[CTRL_ATTR_FAMILY_ID]), sizeof(nl->family));
	if (!groups || !nl_parse(nl_data(groups), groups->nla_len - NLA_HDRLEN, group) || !group[1])
		return;
	nl_parse(nl_data(group[1]), group[1]->nla_len - NLA_HDRLEN, each);
	if (each[CTRL_ATTR_MCAST_GRP_ID])
		memcpy(&nl->group, nl_data(each[CTRL_ATTR_MCAST_GRP_ID]), sizeof(nl->group));
}

/* Looks the family up; the kernel loads the module for it if it can. */
static inline int nl_resolve(struct nl *nl)
{
	struct nl_request r = nl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);

	nl_put(&r, CTRL_ATTR_FAMILY_NAME, KNELL_FAMILY_NAME, sizeof(KNELL_FAMILY_NAME));
	return nl_talk(nl, &r, nl_found, nl);
}

/* The least that the kernel has for a part of a dump. */
#define NL_LITTLE	4096

/* 0 or -errno; nl->fd is closed then. */
static inline int nl_open_room(struct nl *nl, size_t room)
{
	int one = 1, err;

	memset(nl, 0, sizeof(*nl));
	nl->room = room;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl->fd < 0)
		return -errno;
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	err = nl_resolve(nl);
	if (!err)
		return 0;
	close(nl->fd);
	return err;
}

static inline int nl_open(struct nl *nl)
{
	return nl_open_room(nl, sizeof(nl->buf));
}

/* The monitor's: 0 or -errno. */
static inline int join_group(struct nl *nl)
{
	struct timeval patience = { .tv_sec = PATIENCE / NSEC_PER_SEC };

	if (setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return -errno;
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group,
			  sizeof(nl->group)) ? -errno : 0;
}

/* --- what the family is asked */

static inline int nl_queue_get(struct nl *nl, uint64_t id, nl_told told, void *arg)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_QUEUE_GET, NLM_F_ACK);

	nl_put_u64(&r, KNELL_A_QUEUE_ID, id);
	return nl_talk(nl, &r, told, arg);
}

static inline int nl_queue_drop(struct nl *nl, uint64_t id)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_QUEUE_DROP, NLM_F_ACK);

	nl_put_u64(&r, KNELL_A_QUEUE_ID, id);
	return nl_talk(nl, &r, NULL, NULL);
}

static inline int nl_queues(struct nl *nl, nl_told told, void *arg)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_QUEUE_GET, NLM_F_DUMP);

	return nl_talk(nl, &r, told, arg);
}

static inline int nl_watches(struct nl *nl, uint64_t id, nl_told told, void *arg)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_WATCH_GET, NLM_F_DUMP);

	nl_put_u64(&r, KNELL_A_WATCH_QUEUE, id);
	return nl_talk(nl, &r, told, arg);
}

static inline int nl_members(struct nl *nl, uint64_t id, uint32_t tree, nl_told told, void *arg)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_MEMBER_GET, NLM_F_DUMP);

	nl_put_u64(&r, KNELL_A_MEMBER_QUEUE, id);
	nl_put_u32(&r, KNELL_A_MEMBER_WATCH, tree);
	return nl_talk(nl, &r, told, arg);
}

/* The id of a queue that one has. */
static inline uint64_t queue_id(int fd)
{
	struct knell_info info;

	return ioctl(fd, KNELL_IOC_INFO, &info) ? 0 : info.id;
}

/**
 * struct seen_queue - what was told of a queue
 * @id: to be looked for in a dump; else the latest
 * @nr: how often that was told of
 * @others: told of, of other ids
 * @bad: out of order
 * @last: id of the latest
 * @uid: and the rest as the attributes
 */
struct seen_queue {
	uint64_t id;
	unsigned int nr;
	unsigned int others;
	unsigned int bad;
	uint64_t last;
	uint32_t uid;
	uint32_t pid;
	uint32_t watches;
	uint32_t kinds[KNELL_A_KINDS_MAX + 1];
	uint32_t pending;
	uint32_t high_water;
	uint32_t unacked;
	uint64_t delivered;
	uint64_t lost;
	uint64_t bytes;
	bool orphan;
	char name[64];
	char comm[16];
};

static inline void see_kinds(struct seen_queue *q, const struct nl_message *m)
{
	const struct nlattr *nest = m->attr[KNELL_A_QUEUE_KINDS];
	struct nl_message kinds = { };

	if (!nest || !nl_parse(nl_data(nest), nest->nla_len - NLA_HDRLEN, kinds.attr)) {
		q->bad++;
		return;
	}
	for (int i = 1; i <= KNELL_A_KINDS_MAX; i++)
		q->kinds[i] = nl_u32(&kinds, i);
}

static inline void see_queue(const struct nl_message *m, void *arg)
{
	uint64_t id = nl_u64(m, KNELL_A_QUEUE_ID);
	struct seen_queue *q = arg;

	q->bad += m->cmd != KNELL_CMD_QUEUE_GET || id <= q->last;
	q->last = id;
	if (q->id && id != q->id) {
		q->others++;
		return;
	}
	q->id = id;
	q->nr++;
	q->uid = nl_u32(m, KNELL_A_QUEUE_UID);
	q->pid = nl_u32(m, KNELL_A_QUEUE_PID);
	q->watches = nl_u32(m, KNELL_A_QUEUE_WATCHES);
	q->pending = nl_u32(m, KNELL_A_QUEUE_PENDING);
	q->high_water = nl_u32(m, KNELL_A_QUEUE_HIGH_WATER);
	q->unacked = nl_u32(m, KNELL_A_QUEUE_UNACKED);
	q->delivered = nl_u64(m, KNELL_A_QUEUE_DELIVERED);
	q->lost = nl_u64(m, KNELL_A_QUEUE_LOST);
	q->bytes = nl_u64(m, KNELL_A_QUEUE_BYTES);
	q->orphan = m->attr[KNELL_A_QUEUE_ORPHAN];
	snprintf(q->name, sizeof(q->name), "%s", nl_string(m, KNELL_A_QUEUE_NAME));
	snprintf(q->comm, sizeof(q->comm), "%s", nl_string(m, KNELL_A_QUEUE_COMM));
	see_kinds(q, m);
}

#endif /* _NETLINK_TEST_H */
