// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of the netlink family that are in use while the module comes and goes. For
 * netlink_module_test.sh.
 *
 * usage: netlink_helper resolve	look the family up, which may load the module
 *	  netlink_helper listen		join the group, say so, stay
 *	  netlink_helper dump		begin a dump and read a part of it, say so, stay
 *	  netlink_helper storm		all that again and again, whatever comes of it
 */
#include <stdio.h>
#include <stdlib.h>

#include "netlink_test.h"

#define WATCHES		300

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

static int join_group(struct nl *nl)
{
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group,
			  sizeof(nl->group)) ? -errno : 0;
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

int main(int argc, char **argv)
{
	struct nl nl;
	int err;

	if (argc != 2)
		return 2;
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
