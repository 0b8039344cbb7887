// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of the netlink family that are in use while the module comes and goes, for
 * netlink_module_test.sh; queues that change while they are looked at, for knellctl_netlink_test.sh.
 *
 * usage: netlink_helper resolve	look the family up, which may load the module
 *	  netlink_helper listen		join the group, say so, stay
 *	  netlink_helper dump		begin a dump and read a part of it, say so, stay
 *	  netlink_helper storm		all that again and again, whatever comes of it
 *	  netlink_helper burst		more deaths at once than can be told of
 *	  netlink_helper churn NAME DUMPS
 *					keep a queue of 1000 watches, say so; for ever: dump them so
 *					often, add one more, delete it
 */
#include <stdio.h>
#include <stdlib.h>

#include "burst_test.h"
#include "netlink_test.h"

#define WATCHES		300
#define STEADY		1000

static int fail(const char *what, int err)
{
	fprintf(stderr, "# netlink_helper: %s: %s\n", what, strerror(-err));
	return 1;
}

static void __attribute__((noreturn)) stay(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

/* Of a queue that is closed by then: only the dump knows it any more. */
static int begin_dump(struct nl *nl)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_WATCH_GET, NLM_F_DUMP);
	int fd = knell_open(0), err, end = 0;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < WATCHES; i++)
		if (add_watch(fd, op_add(KNELL_USER, 0, 0)) < 0)
			return -ENOSPC;
	nl_put_u64(&r, KNELL_A_WATCH_QUEUE, queue_id(fd));
	err = nl_send(nl, &r);
	if (!err)
		err = nl_receive(nl, NULL, NULL, &end);
	close(fd);
	return err;
}

static void __attribute__((noreturn)) storm(void)
{
	struct nl nl;

	for (;;) {
		if (nl_open_room(&nl, NL_LITTLE))
			continue;
		join_group(&nl);
		nl_queues(&nl, NULL, NULL);
		begin_dump(&nl);
		close(nl.fd);
	}
}

/* As often as others can dump it, and slower where all is slower. */
static int churn(const char *name, int dumps)
{
	int fd = knell_open(0), err = fd < 0 ? -errno : keep_queue(fd, name);
	struct nl nl;

	for (int i = 0; !err && i < STEADY; i++)
		err = add_watch(fd, op_add(KNELL_USER, 0, i)) < 0 ? -ENOSPC : 0;
	if (!err)
		err = nl_open(&nl);
	if (err)
		return fail(name, err);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int64_t watch;

		for (int i = 0; i < dumps; i++)
			if (nl_watches(&nl, queue_id(fd), NULL, NULL))
				return 1;
		watch = add_watch(fd, op_add(KNELL_USER, 0, STEADY));
		if (watch < 0 || del_watch(fd, watch))
			return 1;
	}
}

int main(int argc, char **argv)
{
	struct nl nl;
	int err;

	if (argc == 4 && !strcmp(argv[1], "churn"))
		return churn(argv[2], atoi(argv[3]));
	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "burst"))
		return burst(knell_open(0));
	if (!strcmp(argv[1], "storm"))
		storm();
	err = nl_open_room(&nl, NL_LITTLE);
	if (err)
		return fail("the family", err);
	if (!strcmp(argv[1], "resolve"))
		return 0;
	err = strcmp(argv[1], "dump") ? join_group(&nl) : begin_dump(&nl);
	if (err)
		return fail(argv[1], err);
	stay();
}
