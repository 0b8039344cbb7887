// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process connector: netlink tells root of every fork and exit of the machine; the status is in the
 * message. Since Linux 6.6 one may ask for exits alone. What does not fit its buffer is lost, so that is
 * made larger than anybody needs.
 */
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "exits.h"

#define BUFFER		(64 << 20)
#define EVENT_EXIT	0x80000000U	/* the headers here may be older */

struct message {
	struct nlmsghdr nl;
	struct cn_msg cn;
	union {
		struct proc_event event;
		struct {
			uint32_t op, events;
		} ask;
	};
} __attribute__((packed));

static struct mmsghdr *headers;
static struct iovec *vectors;
static struct message *messages;

static void listen_for(uint32_t op, uint32_t size)
{
	struct message m = {
		.nl = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct cn_msg) + size), .nlmsg_type = NLMSG_DONE },
		.cn = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = (uint16_t)size },
		.ask = { op, EVENT_EXIT },
	};

	must("send", sys(SYS_sendto, queue_fd, (long)&m, m.nl.nlmsg_len, 0, 0));
}

static void enrol(unsigned int n)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC };
	const int size = BUFFER;

	(void)n;
	queue_fd = (int)must("socket", sys(SYS_socket, AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
					   NETLINK_CONNECTOR, 0, 0));
	must("SO_RCVBUFFORCE", sys(SYS_setsockopt, queue_fd, SOL_SOCKET, SO_RCVBUFFORCE, (long)&size,
				   sizeof(size)));
	must("bind", sys(SYS_bind, queue_fd, (long)&address, sizeof(address), 0, 0));
	/* An older kernel wants no more than the word, and tells of everything. */
	listen_for(PROC_CN_MCAST_LISTEN, sizeof(uint32_t));
	listen_for(PROC_CN_MCAST_LISTEN, 2 * sizeof(uint32_t));
}

/* Another thread's end is told of, too, and others' processes. */
static unsigned int is_ours(const struct message *m)
{
	const struct proc_event e = m->event;
	const pid_t pid = e.event_data.exit.process_pid;
	unsigned int i;

	if ((uint32_t)e.what != EVENT_EXIT || pid != e.event_data.exit.process_tgid)
		return 0;
	i = child_of_pid[pid];
	if (children[i].pid != pid)
		return 0;
	heard(i, (int)e.event_data.exit.exit_code);
	return 1;
}

static void consume(unsigned int n)
{
	long i, got;

	while (n) {
		got = must("recvmmsg", sys(SYS_recvmmsg, queue_fd, (long)headers, BATCH, MSG_WAITFORONE, 0));
		nr_reads++;
		for (i = 0; i < got; i++)
			n -= is_ours(&messages[i]);
	}
}

static const char *missing(void)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);
	unsigned int i;

	if (fd < 0)
		return "the kernel has no connector";
	close(fd);
	headers = own_memory(BATCH * sizeof(*headers));
	vectors = own_memory(BATCH * sizeof(*vectors));
	messages = own_memory(BATCH * sizeof(*messages));
	for (i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){ &messages[i], sizeof(messages[i]) };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i], .msg_iovlen = 1 };
	}
	return NULL;
}

const struct way proc_connector = {
	.name = "proc_connector", .nocldwait = true, .calls = &nr_calls, .missing = missing,
	.enrol = enrol, .consume = consume, .finish = queue_close,
};
