// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink family: malformed messages from a seeded mutator. The kernel may refuse them or not;
 * it must answer, complain of nothing and lose nothing. runner-limit: 1800
 *
 * KNELL_FUZZ_MESSAGES says how many, KNELL_FUZZ_SEED where to begin; a kernel puts into the
 * environment what it is told of these. See README.md for how a million are sent.
 */
#include "kselftest_harness.h"

#include "netlink_test.h"

#define MESSAGES	100000UL
#define SEED		0x6b6e656c6cUL
#define MEMBERS		5

/**
 * struct fuzz - a mutator and what it has to mutate
 * @nl: where to
 * @random: its state
 * @id: of a queue that is there
 * @tree: of that queue
 * @msg: what is sent
 * @len: of it
 * @answers: 0 done, 1 refused
 */
struct fuzz {
	struct nl nl;
	uint64_t random;
	uint64_t id;
	uint32_t tree;
	union {
		struct nl_request r;
		unsigned char bytes[1 << 15];
	} msg;
	size_t len;
	unsigned long answers[2];
};

static uint64_t pick(struct fuzz *f, uint64_t below)
{
	return next_random(&f->random) % below;
}

static uint64_t odd_number(struct fuzz *f)
{
	static const uint64_t odd[] = { 0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 63, ~0ULL };

	return pick(f, 4) ? odd[pick(f, sizeof(odd) / sizeof(odd[0]))] : next_random(&f->random);
}

/* A good request to begin with. */
static void make_request(struct fuzz *f)
{
	static const uint16_t flags[] = { 0, NLM_F_ACK, NLM_F_ACK, NLM_F_ACK, NLM_F_DUMP,
		NLM_F_DUMP, NLM_F_ECHO, 0xffff };
	uint8_t cmd = pick(f, 8) ? 1 + pick(f, KNELL_CMD_QUEUE_DROP) : odd_number(f);

	f->msg.r = nl_request(f->nl.family, cmd, flags[pick(f, 8)]);
	if (pick(f, 8))
		nl_put_u64(&f->msg.r, cmd == KNELL_CMD_QUEUE_GET || cmd == KNELL_CMD_QUEUE_DROP ?
			   KNELL_A_QUEUE_ID : KNELL_A_WATCH_QUEUE,
			   pick(f, 4) ? f->id : odd_number(f));
	if (cmd == KNELL_CMD_MEMBER_GET && pick(f, 8))
		nl_put_u32(&f->msg.r, KNELL_A_MEMBER_WATCH, pick(f, 4) ? f->tree : odd_number(f));
	f->len = f->msg.r.n.nlmsg_len;
}

static struct nlattr *attr_at(struct fuzz *f, size_t at)
{
	return (struct nlattr *)(f->msg.bytes + at);
}

/* An attribute that is not asked for, or is once more. */
static void add_attr(struct fuzz *f, size_t payload)
{
	size_t at = NLMSG_ALIGN(f->len);

	if (at + NLA_HDRLEN + NLA_ALIGN(payload) > sizeof(f->msg.bytes))
		return;
	attr_at(f, at)->nla_type = odd_number(f) | (pick(f, 4) ? 0 : NLA_F_NESTED);
	attr_at(f, at)->nla_len = pick(f, 8) ? NLA_HDRLEN + payload : odd_number(f);
	for (size_t i = 0; i < payload; i++)
		f->msg.bytes[at + NLA_HDRLEN + i] = i & 7 ? 0x20 : odd_number(f);
	f->len = at + NLA_HDRLEN + NLA_ALIGN(payload);
}

/* Nests in nests, of which each says that it is as long as it likes. */
static void add_nests(struct fuzz *f)
{
	size_t depth = 1 + pick(f, 200), at = NLMSG_ALIGN(f->len);

	for (size_t i = 0; i < depth && at + NLA_HDRLEN < sizeof(f->msg.bytes); i++) {
		attr_at(f, at)->nla_type = (1 + pick(f, 16)) | NLA_F_NESTED;
		attr_at(f, at)->nla_len = pick(f, 16) ? (depth - i) * NLA_HDRLEN : odd_number(f);
		at += NLA_HDRLEN;
	}
	f->len = at;
}

static void mutate(struct fuzz *f)
{
	switch (pick(f, 8)) {
	case 0:
		f->msg.bytes[pick(f, f->len)] = odd_number(f);
		break;
	case 1:
		f->msg.bytes[pick(f, f->len)] ^= 1 << pick(f, 8);
		break;
	case 2:
		f->len = 1 + pick(f, f->len);
		break;
	case 3:
		add_attr(f, pick(f, 16));
		break;
	case 4:
		if (!pick(f, 16))
			add_attr(f, pick(f, 1 << 14));
		break;
	case 5:
		add_nests(f);
		break;
	case 6:
		f->msg.r.g.reserved = odd_number(f);
		break;
	default:
		if (f->len > NLMSG_LENGTH(GENL_HDRLEN) + NLA_HDRLEN)
			attr_at(f, NLMSG_LENGTH(GENL_HDRLEN))->nla_len = odd_number(f);
	}
}

/* Its own length is mostly right, for the core takes no other; and nobody else is asked. */
static void address(struct fuzz *f)
{
	f->msg.r.n.nlmsg_len = pick(f, 16) ? f->len : odd_number(f);
	f->msg.r.n.nlmsg_type = f->nl.family;
	f->msg.r.n.nlmsg_flags |= NLM_F_REQUEST;
	if (f->len < sizeof(struct nlmsghdr))
		f->len = sizeof(struct nlmsghdr);
}

/* All that comes of it; a dump may have begun, or nothing. */
static void drain(struct fuzz *f)
{
	const struct nlmsghdr *n = (const void *)f->nl.buf;
	ssize_t len;

	while ((len = recv(f->nl.fd, f->nl.buf, f->nl.room, MSG_DONTWAIT)) > 0)
		for (n = (const void *)f->nl.buf; NLMSG_OK(n, len); n = NLMSG_NEXT(n, len))
			if (n->nlmsg_type == NLMSG_ERROR || n->nlmsg_type == NLMSG_DONE)
				f->answers[!!nl_error(&f->nl, n, n->nlmsg_len - NLMSG_HDRLEN)]++;
}

static bool send_one(struct fuzz *f)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	make_request(f);
	for (uint64_t n = pick(f, 4); n; n--)
		mutate(f);
	address(f);
	if (sendto(f->nl.fd, &f->msg, f->len, 0, (void *)&kernel, sizeof(kernel)) !=
	    (ssize_t)f->len)
		return SO(errno == ENOBUFS);
	drain(f);
	return true;
}

/* Begin anew, with a dump perhaps half told; the next ones come in parts, or in one. */
static bool reopen(struct fuzz *f)
{
	close(f->nl.fd);
	return SO(!nl_open_room(&f->nl, pick(f, 2) ? NL_LITTLE : sizeof(f->nl.buf)));
}

FIXTURE(netlink_fuzz) {
	struct fuzz *f;
	int fd;
	int gate;
};

FIXTURE_SETUP(netlink_fuzz)
{
	self->f = calloc(1, sizeof(*self->f));
	self->gate = new_gate();
	self->fd = knell_open(0);
	ASSERT_NE(NULL, self->f);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, nl_open(&self->f->nl));
	self->f->random = wanted("KNELL_FUZZ_SEED", SEED);
	self->f->id = queue_id(self->fd);
	self->f->tree = add_tree(self->fd, 0, 0);
	for (int i = 0; i < MEMBERS; i++)
		ASSERT_LT(0, spawn_member(self->fd, self->f->tree, wait_at_gate, &self->gate));
}

FIXTURE_TEARDOWN(netlink_fuzz)
{
	close(self->f->nl.fd);
	open_gate(self->gate, MEMBERS);
	reap_all();
	close(self->fd);
	EXPECT_EQ(0, module_refs_after_all(0));
}

TEST_F_TIMEOUT(netlink_fuzz, malformed_messages, 1700 * SLOW)
{
	unsigned long messages = wanted("KNELL_FUZZ_MESSAGES", MESSAGES);
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	struct seen_queue q = { };
	struct fuzz *f = self->f;

	for (unsigned long i = 0; i < messages; i++) {
		ASSERT_TRUE(send_one(f)) TH_LOG("message %lu", i);
		if (!pick(f, 1000))
			ASSERT_TRUE(reopen(f));
	}
	ASSERT_TRUE(reopen(f));
	/* It answers as if nothing had been. */
	ASSERT_EQ(0, nl_queue_get(&f->nl, f->id, see_queue, &q));
	EXPECT_EQ(f->id, q.id);
	EXPECT_EQ(1, q.watches);
	EXPECT_EQ(1, q.kinds[KNELL_A_KINDS_TREE]);
	EXPECT_LT(messages / 100, f->answers[0]);
	EXPECT_LT(messages / 4, f->answers[1]);
	TH_LOG("%lu messages, %lu done, %lu refused, %llu ms", messages, f->answers[0],
	       f->answers[1], (clock_ns(CLOCK_MONOTONIC) - begin) / NSEC_PER_MSEC);
}

TEST_HARNESS_MAIN
