// SPDX-License-Identifier: GPL-2.0-only
/* Messages of the family "knell" as JSON. */
#include <linux/knell.h>
#include <linux/knell_netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <time.h>

#include "knellctl.h"
#include "netlink.h"

enum form {
	NUMBER,			/* u32 or u64 */
	TOKEN,			/* u64 that means something to its owner: hexadecimal */
	USEC, KIB,		/* u64 of ns, of bytes */
	TEXT, YES,
	KIND, STATE, OPTIONS_OF, MARKS,
	STATUS,			/* of wait(2) */
	INSTANT,		/* u64 of CLOCK_MONOTONIC, ns */
	NESTED,
};

struct field {
	const char *key;
	enum form form;
	uint16_t type;		/* NLA_*; 0: there is no such attribute */
	const struct field *nested;
};

#define ATTRS_MAX	32

static const struct field kinds[ATTRS_MAX] = {
	[KNELL_A_KINDS_PROCESS] = { "process", NUMBER, NLA_U32, NULL },
	[KNELL_A_KINDS_TIMER] = { "timer", NUMBER, NLA_U32, NULL },
	[KNELL_A_KINDS_USER] = { "user", NUMBER, NLA_U32, NULL },
	[KNELL_A_KINDS_FD] = { "fd", NUMBER, NLA_U32, NULL },
	[KNELL_A_KINDS_TREE] = { "tree", NUMBER, NLA_U32, NULL },
	[KNELL_A_KINDS_CHILDREN] = { "children", NUMBER, NLA_U32, NULL },
};

static const struct field queue[ATTRS_MAX] = {
	[KNELL_A_QUEUE_ID] = { "id", NUMBER, NLA_U64, NULL },
	[KNELL_A_QUEUE_NAME] = { "name", TEXT, NLA_STRING, NULL },
	[KNELL_A_QUEUE_UID] = { "uid", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_PID] = { "pid", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_COMM] = { "comm", TEXT, NLA_STRING, NULL },
	[KNELL_A_QUEUE_ORPHAN] = { "orphan", YES, NLA_FLAG, NULL },
	[KNELL_A_QUEUE_WATCHES] = { "watches", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_KINDS] = { "kinds", NESTED, NLA_NESTED, kinds },
	[KNELL_A_QUEUE_PENDING] = { "pending", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_HIGH_WATER] = { "highWater", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_DELIVERED] = { "delivered", NUMBER, NLA_U64, NULL },
	[KNELL_A_QUEUE_UNACKED] = { "unacked", NUMBER, NLA_U32, NULL },
	[KNELL_A_QUEUE_LOST] = { "lost", NUMBER, NLA_U64, NULL },
	[KNELL_A_QUEUE_BYTES] = { "bytes", NUMBER, NLA_U64, NULL },
};

static const struct field watch[ATTRS_MAX] = {
	[KNELL_A_WATCH_QUEUE] = { "queue", NUMBER, NLA_U64, NULL },
	[KNELL_A_WATCH_HANDLE] = { "handle", NUMBER, NLA_U32, NULL },
	[KNELL_A_WATCH_KIND] = { "kind", KIND, NLA_U32, NULL },
	[KNELL_A_WATCH_STATE] = { "state", STATE, NLA_U32, NULL },
	[KNELL_A_WATCH_FLAGS] = { "flags", OPTIONS_OF, NLA_U32, NULL },
	[KNELL_A_WATCH_TOKEN] = { "token", TOKEN, NLA_U64, NULL },
	[KNELL_A_WATCH_PID] = { "pid", NUMBER, NLA_U32, NULL },
	[KNELL_A_WATCH_COMM] = { "comm", TEXT, NLA_STRING, NULL },
	[KNELL_A_WATCH_LABEL] = { "label", TEXT, NLA_STRING, NULL },
	[KNELL_A_WATCH_MEMBERS] = { "members", NUMBER, NLA_U32, NULL },
	[KNELL_A_WATCH_EXPIRES_NS] = { "expiresUsec", USEC, NLA_U64, NULL },
	[KNELL_A_WATCH_COUNT] = { "count", NUMBER, NLA_U64, NULL },
};

static const struct field member[ATTRS_MAX] = {
	[KNELL_A_MEMBER_QUEUE] = { "queue", NUMBER, NLA_U64, NULL },
	[KNELL_A_MEMBER_WATCH] = { "watch", NUMBER, NLA_U32, NULL },
	[KNELL_A_MEMBER_PID] = { "pid", NUMBER, NLA_U32, NULL },
	[KNELL_A_MEMBER_PPID] = { "ppid", NUMBER, NLA_U32, NULL },
	[KNELL_A_MEMBER_COMM] = { "comm", TEXT, NLA_STRING, NULL },
	[KNELL_A_MEMBER_UID] = { "uid", NUMBER, NLA_U32, NULL },
	[KNELL_A_MEMBER_MAIN] = { "main", YES, NLA_FLAG, NULL },
	[KNELL_A_MEMBER_CPU_NS] = { "cpuUsec", USEC, NLA_U64, NULL },
	[KNELL_A_MEMBER_RSS_BYTES] = { "rssKiB", KIB, NLA_U64, NULL },
};

static const struct field event[ATTRS_MAX] = {
	[KNELL_A_EVENT_QUEUE] = { "queue", NUMBER, NLA_U64, NULL },
	[KNELL_A_EVENT_NAME] = { "name", TEXT, NLA_STRING, NULL },
	[KNELL_A_EVENT_WATCH] = { "watch", NUMBER, NLA_U32, NULL },
	[KNELL_A_EVENT_KIND] = { "watchKind", KIND, NLA_U32, NULL },
	[KNELL_A_EVENT_LABEL] = { "label", TEXT, NLA_STRING, NULL },
	[KNELL_A_EVENT_TOKEN] = { "token", TOKEN, NLA_U64, NULL },
	[KNELL_A_EVENT_PID] = { "pid", NUMBER, NLA_U32, NULL },
	[KNELL_A_EVENT_COMM] = { "comm", TEXT, NLA_STRING, NULL },
	[KNELL_A_EVENT_UID] = { "uid", NUMBER, NLA_U32, NULL },
	[KNELL_A_EVENT_FLAGS] = { "flags", MARKS, NLA_U32, NULL },
	[KNELL_A_EVENT_STATUS] = { "status", STATUS, NLA_U32, NULL },
	[KNELL_A_EVENT_CPU_NS] = { "cpuUsec", USEC, NLA_U64, NULL },
	[KNELL_A_EVENT_MEMBERS] = { "members", NUMBER, NLA_U32, NULL },
	[KNELL_A_EVENT_TIME_NS] = { "time", INSTANT, NLA_U64, NULL },
	[KNELL_A_EVENT_LOST] = { "lost", NUMBER, NLA_U32, NULL },
};

/* What each command brings; events are told apart by their kind. */
static const struct {
	const struct field *fields;
	const char *kind;
} commands[] = {
	[KNELL_CMD_QUEUE_GET] = { queue, NULL },
	[KNELL_CMD_WATCH_GET] = { watch, NULL },
	[KNELL_CMD_MEMBER_GET] = { member, NULL },
	[KNELL_CMD_EXIT] = { event, "exit" },
	[KNELL_CMD_EMPTY] = { event, "empty" },
	[KNELL_CMD_KEEP] = { event, "keep" },
	[KNELL_CMD_ATTACH] = { event, "attach" },
	[KNELL_CMD_LOST] = { event, "lost" },
};

/* By their numbers, those of flags by their bits. */
static const char *const kind_names[] = {
	[KNELL_PROCESS] = "process", [KNELL_TIMER] = "timer", [KNELL_USER] = "user",
	[KNELL_FD] = "fd", [KNELL_TREE] = "tree", [KNELL_CHILDREN] = "children",
};
static const char *const state_names[] = { "disarmed", "armed", "pending", "delivered" };
static const char *const option_names[] = {
	"next", "self", "pidfd", "abs", "oneshot", "edge", "ack", "report-fork", "report-exit",
	"kill-on-close", "wakeup",
};
static const char *const mark_names[] = {
	"nostatus", "main", "redelivered", "inexact", "killer", "oom",
};

static json_t *name_of(const char *const *names, size_t nr, uint64_t n)
{
	if (n < nr && names[n])
		return json_string(names[n]);
	return json_sprintf("%llu", (unsigned long long)n);
}

static json_t *names_of_bits(const char *const *names, size_t nr, uint64_t bits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < 64; i++)
		if (bits >> i & 1)
			json_array_append_new(list, name_of(names, nr, i));
	return list;
}

/* With the time of day that belongs to it, as far as the clock was not set since. */
static json_t *instant(uint64_t ns)
{
	struct timespec real, mono;
	int64_t then = (int64_t)(ns / 1000), ago;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	ago = mono.tv_sec * INT64_C(1000000) + mono.tv_nsec / 1000 - then;
	return json_pack("{s:I, s:I}", "monotonicUsec", (json_int_t)then, "realtimeUsec",
			 (json_int_t)(real.tv_sec * INT64_C(1000000) + real.tv_nsec / 1000 - ago));
}

static json_t *object_of(const struct field *fields, struct nlattr *const *tb);

static json_t *nested(const struct field *f, struct nlattr *a)
{
	struct nla_policy policy[ATTRS_MAX] = { 0 };
	struct nlattr *tb[ATTRS_MAX];

	for (size_t i = 0; i < ATTRS_MAX; i++)
		policy[i].type = f->nested[i].type;
	if (nla_parse_nested(tb, ATTRS_MAX - 1, a, policy) < 0)
		return NULL;
	return object_of(f->nested, tb);
}

static json_t *value_of(const struct field *f, struct nlattr *a)
{
	uint64_t n = f->type == NLA_U32 ? nla_get_u32(a) : f->type == NLA_U64 ? nla_get_u64(a) : 0;

	switch (f->form) {
	case NUMBER: return json_integer((json_int_t)n);
	case TOKEN: return json_sprintf("0x%llx", (unsigned long long)n);
	case USEC: return json_integer((json_int_t)(n / 1000));
	case KIB: return json_integer((json_int_t)(n / 1024));
	case TEXT: return json_harmless(nla_get_string(a));
	case YES: return json_true();
	case KIND: return name_of(kind_names, ARRAY_SIZE(kind_names), n);
	case STATE: return name_of(state_names, ARRAY_SIZE(state_names), n);
	case OPTIONS_OF: return names_of_bits(option_names, ARRAY_SIZE(option_names), n);
	case MARKS: return names_of_bits(mark_names, ARRAY_SIZE(mark_names), n);
	case INSTANT: return instant(n);
	case NESTED: return nested(f, a);
	case STATUS: break;
	}
	return NULL;
}

/* @tb: ATTRS_MAX of them. NULL if one is not as it should be. */
static json_t *object_of(const struct field *fields, struct nlattr *const *tb)
{
	json_t *o = json_object(), *value;

	for (size_t i = 0; i < ATTRS_MAX; i++) {
		if (!tb[i] || !fields[i].type || fields[i].form == STATUS)
			continue;
		value = value_of(&fields[i], tb[i]);
		if (!value) {
			json_decref(o);
			return NULL;
		}
		json_object_set_new(o, fields[i].key, value);
	}
	return o;
}

/* How it has ended, where that may be known. */
static void put_exit(json_t *e, struct nlattr *const *tb)
{
	uint32_t flags = tb[KNELL_A_EVENT_FLAGS] ? nla_get_u32(tb[KNELL_A_EVENT_FLAGS]) : 0;

	if (!tb[KNELL_A_EVENT_STATUS] || flags & KNELL_EVF_NOSTATUS)
		json_object_set_new(e, "statusLost", json_true());
	else
		put_status(e, (int)nla_get_u32(tb[KNELL_A_EVENT_STATUS]));
	if (flags & KNELL_EVF_OOM)
		json_object_set_new(e, "oom", json_true());
}

json_t *netlink_object(const struct nlmsghdr *h)
{
	struct nlmsghdr *msg = (struct nlmsghdr *)(uintptr_t)h;	/* libnl's do not say const */
	struct nla_policy policy[ATTRS_MAX] = { 0 };
	struct nlattr *tb[ATTRS_MAX];
	const struct field *fields;
	json_t *o;
	uint8_t cmd;

	if (!genlmsg_valid_hdr(msg, 0))
		return NULL;
	cmd = genlmsg_hdr(msg)->cmd;
	fields = cmd < ARRAY_SIZE(commands) ? commands[cmd].fields : NULL;
	if (!fields)
		return NULL;
	for (size_t i = 0; i < ATTRS_MAX; i++)
		policy[i].type = fields[i].type;
	if (genlmsg_parse(msg, 0, tb, ATTRS_MAX - 1, policy) < 0)
		return NULL;
	o = object_of(fields, tb);
	if (o && commands[cmd].kind)
		json_object_set_new(o, "kind", json_string(commands[cmd].kind));
	if (o && cmd == KNELL_CMD_EXIT)
		put_exit(o, tb);
	return o;
}

/* Behind an error's copy of the request, or the number of a dump's end. */
const char *netlink_words(const struct nlmsghdr *h)
{
	size_t skip = sizeof(int), len = h->nlmsg_len;
	const struct nlmsgerr *e = nlmsg_data(h);
	struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (h->nlmsg_type == NLMSG_ERROR) {
		if (len < NLMSG_HDRLEN + sizeof(*e))
			return NULL;
		skip = sizeof(*e);
		if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > NLMSG_HDRLEN)
			skip += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	if (skip > len || len - skip < NLMSG_HDRLEN + NLA_HDRLEN)
		return NULL;
	a = nla_find((struct nlattr *)((char *)(uintptr_t)h + NLMSG_HDRLEN + skip),
		     (int)(len - NLMSG_HDRLEN - skip), NLMSGERR_ATTR_MSG);
	if (!a || nla_len(a) < 2 || ((const char *)nla_data(a))[nla_len(a) - 1])
		return NULL;
	return nla_data(a);
}
