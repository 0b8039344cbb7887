// SPDX-License-Identifier: GPL-2.0-only
/* Asks the module by generic netlink, and listens to it on a socket of its own. */
#include <errno.h>
#include <linux/knell_netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "knellctl.h"
#include "netlink.h"

/* A dump of what never stops changing is taken as it is after so many. */
#define DUMPS_MAX	50
/* What may wait for us to be read: many thousands of events. */
#define ROOM		(4 << 20)

static struct nl_sock *asking;
static int family;

/* What came of one request. */
struct answer {
	json_t *list;
	int error;		/* of errno, 0 or more */
	bool ended, malformed;
	char words[256];	/* the kernel's own */
};

static int missing(int err)
{
	if (err == -NLE_OBJ_NOTFOUND)
		complain("the kernel has no netlink family \"" KNELL_FAMILY_NAME "\": the module "
			 "knell is not loaded, or this is not the initial network namespace");
	else
		complain("netlink: %s", nl_geterror(err));
	return err == -NLE_PERM || err == -NLE_NOACCESS ? EX_DENIED : EX_FAILED;
}

static int connected(struct nl_sock **sk)
{
	static const int on = 1;
	int err;

	*sk = nl_socket_alloc();
	if (!*sk)
		return -NLE_NOMEM;
	err = genl_connect(*sk);
	/* Without its words errors are but numbers. */
	if (!err)
		setsockopt(nl_socket_get_fd(*sk), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return err;
}

/* An exit status. */
static int open_once(void)
{
	int err = asking ? 0 : connected(&asking);

	if (!err && !family) {
		family = genl_ctrl_resolve(asking, KNELL_FAMILY_NAME);
		err = family < 0 ? family : 0;
	}
	return err ? missing(err) : EX_OK;
}

static void take_words(struct answer *a, const struct nlmsghdr *h)
{
	const char *words = netlink_words(h);

	if (words)
		snprintf(a->words, sizeof(a->words), "%s", words);
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;
	json_t *o = netlink_object(nlmsg_hdr(msg));

	a->malformed |= !o;
	if (o)
		json_array_append_new(a->list, o);
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	(void)msg;
	((struct answer *)arg)->ended = true;
	return NL_STOP;
}

/* The end of a dump may be an error, too. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	struct answer *a = arg;
	int err;

	a->ended = true;
	if (nlmsg_datalen(h) < (int)sizeof(err))
		return NL_STOP;
	memcpy(&err, nlmsg_data(h), sizeof(err));
	if (err < 0) {
		a->error = -err;
		take_words(a, h);
	}
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct answer *a = arg;

	(void)from;
	a->error = -e->error;
	a->ended = true;
	take_words(a, (const struct nlmsghdr *)(const void *)((const char *)e - NLMSG_HDRLEN));
	/* NL_STOP would have it once more, as a number of libnl's. */
	return NL_SKIP;
}

static struct nl_cb *callbacks(struct answer *a)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, a);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, a);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, a);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, a);
	return cb;
}

static int put_request(struct nl_msg *msg, uint8_t cmd, uint64_t id, uint32_t watch)
{
	switch (cmd) {
	case KNELL_CMD_QUEUE_GET:
	case KNELL_CMD_QUEUE_DROP:
		return id ? nla_put_u64(msg, KNELL_A_QUEUE_ID, id) : 0;
	case KNELL_CMD_WATCH_GET:
		return nla_put_u64(msg, KNELL_A_WATCH_QUEUE, id);
	default:
		return nla_put_u64(msg, KNELL_A_MEMBER_QUEUE, id) ? :
		       nla_put_u32(msg, KNELL_A_MEMBER_WATCH, watch);
	}
}

static int send_request(uint8_t cmd, int flags, uint64_t id, uint32_t watch)
{
	struct nl_msg *msg = nlmsg_alloc();
	int err = -NLE_NOMEM;

	if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, flags, cmd,
			       KNELL_FAMILY_VERSION))
		err = put_request(msg, cmd, id, watch);
	if (!err)
		err = nl_send_auto(asking, msg);
	nlmsg_free(msg);
	return err < 0 ? err : 0;
}

/* One request and all that comes of it: 0, or -NLE_*. a->list is the caller's in any case. */
static int exchange(struct answer *a, uint8_t cmd, int flags, uint64_t id, uint32_t watch)
{
	struct nl_cb *cb;
	bool torn = false;
	int err;

	*a = (struct answer){ .list = json_array() };
	cb = callbacks(a);
	err = cb ? send_request(cmd, flags, id, watch) : -NLE_NOMEM;
	while (!err && !a->ended) {
		err = nl_recvmsgs(asking, cb);
		/* The rest of the dump is read all the same. */
		torn |= err == -NLE_DUMP_INTR;
		if (err > 0 || err == -NLE_DUMP_INTR)
			err = 0;
	}
	if (cb)
		nl_cb_put(cb);
	return err ? err : torn ? -NLE_DUMP_INTR : 0;
}

/* An exit status: it went wrong like that. */
static int refused(const struct answer *a)
{
	complain("%s%s%s%s", *a->words ? a->words : strerror(a->error), *a->words ? " (" : "",
		 *a->words ? strerror(a->error) : "", *a->words ? ")" : "");
	return a->error == EPERM || a->error == EACCES ? EX_DENIED :
	       a->error == ENOENT ? EX_NO_UNIT : EX_FAILED;
}

/* Takes a->list over, or gives it to @list. */
static int settle(struct answer *a, int err, json_t **list)
{
	int status = EX_OK;

	if (err && err != -NLE_DUMP_INTR) {
		status = missing(err);
	} else if (a->error) {
		status = refused(a);
	} else if (a->malformed) {
		complain("the module knell says what is not understood here");
		status = EX_FAILED;
	}
	if (!status && err == -NLE_DUMP_INTR)
		complain("it never stops changing: some of what came or went may be missing");
	if (!status && list)
		*list = a->list;
	else
		json_decref(a->list);
	return status;
}

int netlink_dump(uint8_t cmd, uint64_t id, uint32_t watch, json_t **list)
{
	int status = open_once(), err;
	struct answer a;

	if (status)
		return status;
	for (int i = 1;; i++) {
		err = exchange(&a, cmd, NLM_F_DUMP, id, watch);
		if (err != -NLE_DUMP_INTR || a.error || i == DUMPS_MAX)
			return settle(&a, err, list);
		json_decref(a.list);
	}
}

int netlink_queue(uint64_t id, json_t **found)
{
	int status = open_once();
	json_t *list = NULL;
	struct answer a;

	if (!status)
		status = settle(&a, exchange(&a, KNELL_CMD_QUEUE_GET, 0, id, 0), &list);
	if (status)
		return status;
	*found = json_incref(json_array_get(list, 0));
	json_decref(list);
	return *found ? EX_OK : EX_NO_UNIT;
}

int netlink_drop(uint64_t id)
{
	int status = open_once();
	struct answer a;

	return status ? status : settle(&a, exchange(&a, KNELL_CMD_QUEUE_DROP, 0, id, 0), NULL);
}

struct hearing {
	const struct netlink_ears *ears;
	bool enough;
};

static int on_event(struct nl_msg *msg, void *arg)
{
	struct hearing *h = arg;
	json_t *e = netlink_object(nlmsg_hdr(msg));

	/* What a later module may say, too, is not for us. */
	if (e && !h->enough)
		h->enough = !h->ears->event(e);
	else
		json_decref(e);
	return NL_OK;
}

/* A socket that hears all that is said from now on; 0 or -NLE_*. */
static int join(struct nl_sock **sk, struct hearing *h)
{
	int group, err = connected(sk);

	if (err)
		return err;
	nl_socket_disable_seq_check(*sk);
	nl_socket_disable_auto_ack(*sk);
	nl_socket_modify_cb(*sk, NL_CB_VALID, NL_CB_CUSTOM, on_event, h);
	err = nl_socket_set_nonblocking(*sk) ? : nl_socket_set_buffer_size(*sk, ROOM, 0);
	if (err)
		return err;
	group = genl_ctrl_resolve_grp(asking, KNELL_FAMILY_NAME, KNELL_MCGRP_MONITOR);
	return group < 0 ? group : nl_socket_add_membership(*sk, group);
}

static int listen_on(struct nl_sock *sk, struct hearing *h)
{
	struct pollfd p = { .fd = nl_socket_get_fd(sk), .events = POLLIN };
	int status = EX_OK, err;

	while (!h->enough && !status) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return EX_FAILED;
		err = nl_recvmsgs_default(sk);
		if (err == -NLE_NOMEM)
			status = h->ears->lost();
		else if (err < 0 && err != -NLE_AGAIN && err != -NLE_INTR)
			status = missing(err);
	}
	return status;
}

int netlink_monitor(const struct netlink_ears *ears)
{
	struct hearing h = { .ears = ears };
	int status = open_once(), err;
	struct nl_sock *sk = NULL;

	if (status)
		return status;
	err = join(&sk, &h);
	if (err == -NLE_PERM) {
		complain("who listens to all of the machine's queues needs CAP_NET_ADMIN");
		status = EX_DENIED;
	} else {
		status = err ? missing(err) : ears->ready();
	}
	if (!status)
		status = listen_on(sk, &h);
	nl_socket_free(sk);
	return status;
}
