// SPDX-License-Identifier: GPL-2.0-only
/*
 * What knellctl makes of messages of the family "knell", of which it believes nothing; prints TAP.
 *
 * usage: messages [NR [SEED]]	(so many messages that were changed at random)
 */
#include <errno.h>
#include <linux/knell.h>
#include <linux/knell_netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/tap.h"
#undef ARRAY_SIZE
#include "knellctl.h"
#include "netlink.h"

struct opts opt;		/* of main.c */

static struct nl_msg *message(uint8_t cmd)
{
	struct nl_msg *msg = nlmsg_alloc_size(8192);

	if (!msg || !genlmsg_put(msg, 0, 0, 32, 0, 0, cmd, KNELL_FAMILY_VERSION))
		exit(1);
	return msg;
}

/* What is made of it is @expected, or nothing at all. */
static void is(struct nl_msg *msg, const char *expected)
{
	json_t *o = netlink_object(nlmsg_hdr(msg));
	json_t *e = expected ? json_loads(expected, 0, NULL) : NULL;
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	if (expected ? !e || !json_equal(o, e) : !!o)
		bad("not %s: %s", expected ? expected : "nothing", text ? text : "nothing");
	free(text);
	json_decref(o);
	json_decref(e);
	nlmsg_free(msg);
}

static struct nl_msg *queue_message(void)
{
	struct nl_msg *msg = message(KNELL_CMD_QUEUE_GET);
	struct nlattr *kinds;

	nla_put_u64(msg, KNELL_A_QUEUE_ID, 3);
	nla_put_string(msg, KNELL_A_QUEUE_NAME, "knelld");
	nla_put_u32(msg, KNELL_A_QUEUE_UID, 0);
	nla_put_u32(msg, KNELL_A_QUEUE_PID, 1);
	nla_put_string(msg, KNELL_A_QUEUE_COMM, "init");
	nla_put_flag(msg, KNELL_A_QUEUE_ORPHAN);
	nla_put_u32(msg, KNELL_A_QUEUE_WATCHES, 12);
	kinds = nla_nest_start(msg, KNELL_A_QUEUE_KINDS);
	nla_put_u32(msg, KNELL_A_KINDS_TREE, 3);
	nla_put_u32(msg, KNELL_A_KINDS_TIMER, 9);
	nla_nest_end(msg, kinds);
	nla_put_u32(msg, KNELL_A_QUEUE_PENDING, 4000000000);
	nla_put_u64(msg, KNELL_A_QUEUE_DELIVERED, 1ULL << 40);
	return msg;
}

static struct nl_msg *watch_message(void)
{
	struct nl_msg *msg = message(KNELL_CMD_WATCH_GET);

	nla_put_u64(msg, KNELL_A_WATCH_QUEUE, 3);
	nla_put_u32(msg, KNELL_A_WATCH_HANDLE, 7);
	nla_put_u32(msg, KNELL_A_WATCH_KIND, KNELL_TREE);
	nla_put_u32(msg, KNELL_A_WATCH_STATE, 1);
	nla_put_u32(msg, KNELL_A_WATCH_FLAGS, KNELL_OPF_NEXT | KNELL_OPF_ACK | 1U << 31);
	nla_put_u64(msg, KNELL_A_WATCH_TOKEN, UINT64_MAX);
	nla_put_string(msg, KNELL_A_WATCH_LABEL, "a.service");
	nla_put_u64(msg, KNELL_A_WATCH_EXPIRES_NS, 1500000);
	return msg;
}

static struct nl_msg *exit_message(uint32_t status, uint32_t flags)
{
	struct nl_msg *msg = message(KNELL_CMD_EXIT);

	nla_put_u64(msg, KNELL_A_EVENT_QUEUE, 3);
	nla_put_u32(msg, KNELL_A_EVENT_PID, 1234);
	nla_put_string(msg, KNELL_A_EVENT_COMM, "prog");
	nla_put_u32(msg, KNELL_A_EVENT_FLAGS, flags);
	nla_put_u32(msg, KNELL_A_EVENT_STATUS, status);
	nla_put_u64(msg, KNELL_A_EVENT_CPU_NS, 2000);
	return msg;
}

static void good_messages(void)
{
	struct nl_msg *msg;

	is(queue_message(), "{\"id\":3,\"name\":\"knelld\",\"uid\":0,\"pid\":1,\"comm\":\"init\","
	   "\"orphan\":true,\"watches\":12,\"kinds\":{\"tree\":3,\"timer\":9},"
	   "\"pending\":4000000000,\"delivered\":1099511627776}");
	is(watch_message(), "{\"queue\":3,\"handle\":7,\"kind\":\"tree\",\"state\":\"armed\","
	   "\"flags\":[\"next\",\"ack\",\"31\"],\"token\":\"0xffffffffffffffff\","
	   "\"label\":\"a.service\",\"expiresUsec\":1500}");
	is(exit_message(SIGSEGV | 0x80, KNELL_EVF_MAIN), "{\"kind\":\"exit\",\"queue\":3,"
	   "\"pid\":1234,\"comm\":\"prog\",\"flags\":[\"main\"],\"signal\":\"SIGSEGV\","
	   "\"coreDumped\":true,\"failure\":true,\"cpuUsec\":2}");
	is(exit_message(7 << 8, KNELL_EVF_OOM), "{\"kind\":\"exit\",\"queue\":3,\"pid\":1234,"
	   "\"comm\":\"prog\",\"flags\":[\"oom\"],\"oom\":true,\"status\":7,\"failure\":true,"
	   "\"cpuUsec\":2}");
	is(exit_message(0, KNELL_EVF_NOSTATUS), "{\"kind\":\"exit\",\"queue\":3,\"pid\":1234,"
	   "\"comm\":\"prog\",\"flags\":[\"nostatus\"],\"statusLost\":true,\"cpuUsec\":2}");
	msg = message(KNELL_CMD_MEMBER_GET);
	nla_put_u32(msg, KNELL_A_MEMBER_PID, 5);
	nla_put_u32(msg, KNELL_A_MEMBER_PPID, 1);
	nla_put_flag(msg, KNELL_A_MEMBER_MAIN);
	nla_put_u64(msg, KNELL_A_MEMBER_RSS_BYTES, 4096);
	is(msg, "{\"pid\":5,\"ppid\":1,\"main\":true,\"rssKiB\":4}");
	msg = message(KNELL_CMD_LOST);
	nla_put_u32(msg, KNELL_A_EVENT_LOST, 9);
	is(msg, "{\"kind\":\"lost\",\"lost\":9}");
	tap("good messages");
}

static void what_is_absent(void)
{
	struct nl_msg *msg;

	is(message(KNELL_CMD_QUEUE_GET), "{}");
	is(message(KNELL_CMD_WATCH_GET), "{}");
	is(message(KNELL_CMD_MEMBER_GET), "{}");
	is(message(KNELL_CMD_KEEP), "{\"kind\":\"keep\"}");
	is(message(KNELL_CMD_EXIT), "{\"kind\":\"exit\",\"statusLost\":true}");
	/* What a later module says beside it is passed over. */
	msg = message(KNELL_CMD_LOST);
	nla_put_u32(msg, 31, 1);
	nla_put_u32(msg, 1000, 1);
	is(msg, "{\"kind\":\"lost\"}");
	is(message(KNELL_CMD_QUEUE_DROP), NULL);
	is(message(0), NULL);
	is(message(255), NULL);
	tap("what is absent, and what is not known");
}

static void what_is_wrong(void)
{
	struct nl_msg *msg = message(KNELL_CMD_QUEUE_GET);
	struct nlattr *kinds;

	nla_put_u32(msg, KNELL_A_QUEUE_ID, 3);
	is(msg, NULL);
	msg = message(KNELL_CMD_QUEUE_GET);
	nla_put(msg, KNELL_A_QUEUE_NAME, 3, "abc");
	is(msg, NULL);
	msg = message(KNELL_CMD_QUEUE_GET);
	nla_put(msg, KNELL_A_QUEUE_NAME, 0, "");
	is(msg, NULL);
	msg = message(KNELL_CMD_QUEUE_GET);
	kinds = nla_nest_start(msg, KNELL_A_QUEUE_KINDS);
	nla_put_flag(msg, KNELL_A_KINDS_TREE);
	nla_nest_end(msg, kinds);
	is(msg, NULL);
	msg = message(KNELL_CMD_QUEUE_GET);
	nlmsg_hdr(msg)->nlmsg_len = NLMSG_HDRLEN + 2;
	is(msg, NULL);
	/* No UTF-8: shown as what it is made of. */
	msg = message(KNELL_CMD_QUEUE_GET);
	nla_put_string(msg, KNELL_A_QUEUE_COMM, "a\xff\033");
	is(msg, "{\"comm\":\"a\\\\xff\\\\x1b\"}");
	tap("what is wrong");
}

/* An error as the kernel sends it: the request, whole or not, and its words. */
static struct nl_msg *refusal(const char *words, size_t request, bool capped)
{
	struct nlmsgerr e = { .error = -EPERM, .msg.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + request) };
	struct nl_msg *msg = nlmsg_alloc_simple(NLMSG_ERROR, NLM_F_ACK_TLVS |
						(capped ? NLM_F_CAPPED : 0));
	static const char zeros[256];

	if (!msg)
		exit(1);
	nlmsg_append(msg, &e, sizeof(e), NLMSG_ALIGNTO);
	if (request && !capped)
		nlmsg_append(msg, (void *)(uintptr_t)zeros, request, NLMSG_ALIGNTO);
	nla_put_u32(msg, NLMSGERR_ATTR_OFFS, 20);
	nla_put_string(msg, NLMSGERR_ATTR_MSG, words);
	return msg;
}

static void says(struct nl_msg *msg, const char *expected)
{
	const char *words = netlink_words(nlmsg_hdr(msg));

	if (expected ? !words || strcmp(words, expected) : !!words)
		bad("not %s: %s", expected ? expected : "nothing", words ? words : "nothing");
	nlmsg_free(msg);
}

static void the_kernels_words(void)
{
	struct nl_msg *msg;
	int err = -ENOENT;

	says(refusal("not yours", 0, false), "not yours");
	says(refusal("not yours", 20, false), "not yours");
	says(refusal("not yours", 20, true), "not yours");
	/* A request that is said to be longer than the message. */
	msg = refusal("not yours", 20, false);
	((struct nlmsgerr *)nlmsg_data(nlmsg_hdr(msg)))->msg.nlmsg_len = 100000;
	says(msg, NULL);
	msg = refusal("not yours", 20, false);
	((struct nlmsgerr *)nlmsg_data(nlmsg_hdr(msg)))->msg.nlmsg_len = UINT32_MAX;
	says(msg, NULL);
	msg = refusal("not yours", 0, false);
	nlmsg_hdr(msg)->nlmsg_flags = 0;
	says(msg, NULL);
	msg = refusal("not yours", 0, false);
	nlmsg_hdr(msg)->nlmsg_len -= 4;
	says(msg, NULL);
	msg = nlmsg_alloc_simple(NLMSG_DONE, NLM_F_ACK_TLVS);
	nlmsg_append(msg, &err, sizeof(err), NLMSG_ALIGNTO);
	nla_put_string(msg, NLMSGERR_ATTR_MSG, "no such queue");
	says(msg, "no such queue");
	tap("the kernel's words");
}

/* Reads a copy that has nothing behind it, so that ASan sees a byte too many. */
static void look(const struct nlmsghdr *h, size_t len)
{
	struct nlmsghdr *exact = malloc(len);

	if (!exact)
		exit(1);
	memcpy(exact, h, len);
	exact->nlmsg_len = (uint32_t)len;
	json_decref(netlink_object(exact));
	netlink_words(exact);
	free(exact);
}

/* The header's length is libnl's to check, and in order here. */
static void changed_at_random(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		struct nl_msg *msg = below(4) == 0 ? queue_message() : below(3) == 0 ?
			watch_message() : below(2) ? exit_message(below(0xffffffff), below(64)) :
			refusal("not yours", below(64), below(2));
		struct nlmsghdr *h = nlmsg_hdr(msg);
		unsigned char *bytes = (unsigned char *)h;
		size_t len = h->nlmsg_len;

		for (uint32_t n = 1 + below(4); n; n--)
			bytes[below((uint32_t)len)] = (unsigned char)below(256);
		if (below(2))
			len = NLMSG_HDRLEN + below((uint32_t)(len - NLMSG_HDRLEN) + 1);
		look(h, len);
		nlmsg_free(msg);
	}
	tap("messages changed at random");
}

int main(int argc, char **argv)
{
	if (argc > 2)
		random_state ^= strtoul(argv[2], NULL, 0) * 0x9e3779b97f4a7c15;
	good_messages();
	what_is_absent();
	what_is_wrong();
	the_kernels_words();
	changed_at_random(argc > 1 ? strtoul(argv[1], NULL, 0) : 50000);
	return tap_done();
}
