// SPDX-License-Identifier: GPL-2.0-only
/*
 * quagga_nbrd: a daemon as one writes it for Quagga: its headers, its names, its main loop. Neighbours
 * connect by TCP, are kept by hold timers and tell of routes, which a work queue installs. Built
 * with -I user/libknell/quagga it runs on libknell; one line below says where that shows.
 *
 * usage: quagga_nbrd [PORT [HOLD]]	port of 127.0.0.1, 0: any, which it prints; hold time in ms
 *
 * A line is a command:
 *	hello NAME	the neighbour is up: from now on it has to send lines within the hold time
 *			and gets "keepalive" three times in it
 *	keepalive	nothing but a line
 *	route PREFIX	to be installed; "rib N" follows when the work is done
 *	hold		whole seconds and microseconds until it expires
 *	events N	so many, which answer in their order
 *	cancel N	so many, which are cancelled at once
 *	execute N	answered by a function that runs as a thread of its own
 *	walk, walk off	look at all routes again and again, in the background
 *	show neighbors, show routes, show thread cpu [FILTER]	end with a line "."
 *	clear thread cpu
 *	quit
 */
#include <zebra.h>

#include "thread.h"
#include "sigevent.h"
#include "workqueue.h"

struct route {
	struct route *next;
	char prefix[64];
	unsigned int neighbor;
	unsigned int tries;
};

struct neighbor {
	struct neighbor *next;
	unsigned int id;
	int fd;
	int closing;
	char name[32];
	char ibuf[256];
	size_t ilen;
	char *obuf;
	size_t olen;
	unsigned long walked;
	unsigned int slices;
	struct thread *t_read, *t_write, *t_hold, *t_keepalive, *t_walk;
};

static struct thread_master *master;
static struct neighbor *neighbors;
static struct route *rib;
static unsigned int rib_count, last_id;
static struct work_queue *rib_queue;
static struct thread *t_accept;
static int accept_fd = -1;
static long hold_ms = 180000;

/*
 * Neighbours
 */

static int nbr_write(struct thread *thread);

static void __attribute__((format(printf, 2, 3)))
nbr_out(struct neighbor *nbr, const char *fmt, ...)
{
	char *line, *buf;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	buf = realloc(nbr->obuf, nbr->olen + len + 1);
	if (buf) {
		memcpy(buf + nbr->olen, line, len);
		nbr->obuf = buf;
		nbr->olen += len;
		THREAD_WRITE_ON(master, nbr->t_write, nbr_write, nbr, nbr->fd);
	}
	free(line);
}

static struct neighbor *nbr_lookup(unsigned int id)
{
	struct neighbor *nbr;

	for (nbr = neighbors; nbr && nbr->id != id; nbr = nbr->next)
		;
	return nbr;
}

static void nbr_free(struct neighbor *nbr)
{
	struct neighbor **at;

	THREAD_READ_OFF(nbr->t_read);
	THREAD_WRITE_OFF(nbr->t_write);
	THREAD_TIMER_OFF(nbr->t_hold);
	THREAD_TIMER_OFF(nbr->t_keepalive);
	THREAD_OFF(nbr->t_walk);
	thread_cancel_event(master, nbr);
	for (at = &neighbors; *at != nbr; at = &(*at)->next)
		;
	*at = nbr->next;
	close(nbr->fd);
	free(nbr->obuf);
	free(nbr);
}

/* What was written is sent before the end. */
static void nbr_close(struct neighbor *nbr)
{
	nbr->closing = 1;
	THREAD_READ_OFF(nbr->t_read);
	THREAD_TIMER_OFF(nbr->t_hold);
	THREAD_TIMER_OFF(nbr->t_keepalive);
	THREAD_WRITE_ON(master, nbr->t_write, nbr_write, nbr, nbr->fd);
}

static int nbr_write(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);
	ssize_t n = 0;

	nbr->t_write = NULL;
	if (nbr->olen)
		n = write(THREAD_FD(thread), nbr->obuf, nbr->olen);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		nbr_free(nbr);
		return -1;
	}
	if (n > 0) {
		nbr->olen -= n;
		memmove(nbr->obuf, nbr->obuf + n, nbr->olen);
	}
	if (nbr->olen)
		THREAD_WRITE_ON(master, nbr->t_write, nbr_write, nbr, nbr->fd);
	else if (nbr->closing)
		nbr_free(nbr);
	return 0;
}

static int nbr_hold_expired(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);

	nbr->t_hold = NULL;
	nbr_out(nbr, "hold timer expired\n");
	nbr_close(nbr);
	return 0;
}

static void nbr_hold_restart(struct neighbor *nbr)
{
	THREAD_TIMER_OFF(nbr->t_hold);
	THREAD_TIMER_MSEC_ON(master, nbr->t_hold, nbr_hold_expired, nbr, hold_ms);
}

static int nbr_keepalive(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);

	nbr->t_keepalive = NULL;
	nbr_out(nbr, "keepalive\n");
	THREAD_TIMER_MSEC_ON(master, nbr->t_keepalive, nbr_keepalive, nbr, hold_ms / 3);
	return 0;
}

/*
 * Routes
 */

static int rib_changed(struct thread *thread)
{
	struct neighbor *nbr;

	for (nbr = neighbors; nbr; nbr = nbr->next)
		if (nbr->name[0])
			nbr_out(nbr, "rib %d\n", THREAD_VAL(thread));
	return 0;
}

/* "busy" is tried twice, "bad" is refused, "late" waits until it is the last one. */
static wq_item_status rib_process(struct work_queue *wq, void *data)
{
	struct route *route = data, *copy;
	struct neighbor *nbr = nbr_lookup(route->neighbor);

	(void)wq;
	route->tries++;
	if (!strncmp(route->prefix, "bad", 3))
		return WQ_ERROR;
	if (!strncmp(route->prefix, "busy", 4) && route->tries < 2)
		return WQ_RETRY_LATER;
	if (!strncmp(route->prefix, "late", 4) && route->tries < 2)
		return WQ_REQUEUE;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return WQ_RETRY_LATER;
	*copy = *route;
	copy->next = rib;
	rib = copy;
	rib_count++;
	if (nbr)
		nbr_out(nbr, "installed %s %u\n", route->prefix, route->tries);
	return WQ_SUCCESS;
}

static void rib_error(struct work_queue *wq, struct work_queue_item *item)
{
	struct route *route = item->data;
	struct neighbor *nbr = nbr_lookup(route->neighbor);

	(void)wq;
	if (nbr)
		nbr_out(nbr, "refused %s\n", route->prefix);
}

static void rib_item_free(struct work_queue *wq, void *data)
{
	(void)wq;
	free(data);
}

static void rib_complete(struct work_queue *wq)
{
	thread_add_event(wq->master, rib_changed, NULL, rib_count);
}

static void rib_add(struct neighbor *nbr, const char *prefix)
{
	struct route *route = calloc(1, sizeof(*route));

	if (!route)
		return;
	route->neighbor = nbr->id;
	snprintf(route->prefix, sizeof(route->prefix), "%s", prefix);
	work_queue_add(rib_queue, route);
}

static void rib_flush(void)
{
	struct route *route;

	while ((route = rib)) {
		rib = route->next;
		free(route);
	}
	rib_count = 0;
}

/* Never done; takes its 10 ms, and goes on when all others have had their turn. */
static int rib_walk(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);
	struct route *route;

	nbr->t_walk = NULL;
	while (!thread_should_yield(thread))
		for (route = rib; route; route = route->next)
			nbr->walked += strlen(route->prefix);
	nbr->slices++;
	nbr->t_walk = thread_add_background(master, rib_walk, nbr, 0);
	return 0;
}

/*
 * Commands
 */

static int cmd_event(struct thread *thread)
{
	nbr_out(THREAD_ARG(thread), "event %d\n", THREAD_VAL(thread));
	return 0;
}

static int cmd_executed(struct thread *thread)
{
	nbr_out(THREAD_ARG(thread), "executed %d\n", THREAD_VAL(thread));
	return 0;
}

static int cmd_quit(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);

	nbr_out(nbr, "bye\n");
	nbr_close(nbr);
	return 0;
}

/* The one thing that a Quagga daemon does not do itself, but has its "vty" do. */
static void show_thread_cpu(struct neighbor *nbr, const char *filter)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	if (knell_stats_show(knell_quagga_loop(master), f, filter, KNELL_TEXT))
		fprintf(f, "Invalid filter \"%s\" specified, must contain at least one of 'RWTEXB'\n",
			filter);
	fclose(f);
	nbr_out(nbr, "%s.\n", text);
	free(text);
}

static void cmd_show(struct neighbor *nbr, const char *what)
{
	struct neighbor *n;
	struct route *route;

	if (!strncmp(what, "thread cpu", 10)) {
		show_thread_cpu(nbr, what[10] ? what + 11 : NULL);
		return;
	}
	if (!strcmp(what, "neighbors"))
		for (n = neighbors; n; n = n->next)
			nbr_out(nbr, "%s\n", n->name[0] ? n->name : "-");
	else if (!strcmp(what, "routes"))
		for (route = rib; route; route = route->next)
			nbr_out(nbr, "%s\n", route->prefix);
	nbr_out(nbr, ".\n");
}

static void cmd_hello(struct neighbor *nbr, const char *name)
{
	snprintf(nbr->name, sizeof(nbr->name), "%s", name);
	nbr_out(nbr, "hello %s\n", nbr->name);
	THREAD_TIMER_MSEC_ON(master, nbr->t_keepalive, nbr_keepalive, nbr, hold_ms / 3);
	nbr_hold_restart(nbr);
}

static void cmd_hold(struct neighbor *nbr)
{
	struct timeval left = { 0, 0 };

	if (!nbr->t_hold) {
		nbr_out(nbr, "hold off\n");
		return;
	}
	left = thread_timer_remain(nbr->t_hold);
	nbr_out(nbr, "hold %lu %06ld\n", thread_timer_remain_second(nbr->t_hold),
		(long)left.tv_usec);
}

static void cmd_events(struct neighbor *nbr, int nr, int cancel)
{
	int i;

	for (i = 0; i < nr; i++)
		thread_add_event(master, cmd_event, nbr, i);
	if (cancel)
		nbr_out(nbr, "cancelled %u\n", thread_cancel_event(master, nbr));
}

static void cmd_walk(struct neighbor *nbr, int on)
{
	if (on && !nbr->t_walk)
		nbr->t_walk = thread_add_background(master, rib_walk, nbr, 0);
	if (!on) {
		THREAD_OFF(nbr->t_walk);
		nbr_out(nbr, "walked %u\n", nbr->slices);
	}
}

static void nbr_command(struct neighbor *nbr, const char *line)
{
	if (!strncmp(line, "hello ", 6))
		cmd_hello(nbr, line + 6);
	else if (!strncmp(line, "route ", 6))
		rib_add(nbr, line + 6);
	else if (!strcmp(line, "hold"))
		cmd_hold(nbr);
	else if (!strncmp(line, "events ", 7))
		cmd_events(nbr, atoi(line + 7), 0);
	else if (!strncmp(line, "cancel ", 7))
		cmd_events(nbr, atoi(line + 7), 1);
	else if (!strncmp(line, "execute ", 8))
		thread_execute(master, cmd_executed, nbr, atoi(line + 8));
	else if (!strncmp(line, "walk", 4))
		cmd_walk(nbr, strcmp(line, "walk off"));
	else if (!strncmp(line, "show ", 5))
		cmd_show(nbr, line + 5);
	else if (!strcmp(line, "clear thread cpu"))
		knell_stats_clear(knell_quagga_loop(master), NULL);
	else if (!strcmp(line, "quit"))
		thread_add_event(master, cmd_quit, nbr, 0);
	else if (strcmp(line, "keepalive"))
		nbr_out(nbr, "unknown command\n");
}

static int nbr_read(struct thread *thread)
{
	struct neighbor *nbr = THREAD_ARG(thread);
	char *end;
	ssize_t n;

	nbr->t_read = NULL;
	n = read(THREAD_FD(thread), nbr->ibuf + nbr->ilen, sizeof(nbr->ibuf) - nbr->ilen);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		nbr_free(nbr);
		return 0;
	}
	if (n > 0)
		nbr->ilen += n;
	while ((end = memchr(nbr->ibuf, '\n', nbr->ilen))) {
		*end++ = '\0';
		nbr_command(nbr, nbr->ibuf);
		nbr->ilen -= end - nbr->ibuf;
		memmove(nbr->ibuf, end, nbr->ilen);
	}
	if (nbr->t_hold)
		nbr_hold_restart(nbr);
	if (nbr->ilen == sizeof(nbr->ibuf))
		nbr_close(nbr);
	else
		THREAD_READ_ON(master, nbr->t_read, nbr_read, nbr, nbr->fd);
	return 0;
}

static int nbr_accept(struct thread *thread)
{
	struct neighbor *nbr;
	int fd;

	t_accept = thread_add_read(master, nbr_accept, NULL, THREAD_FD(thread));
	fd = accept4(THREAD_FD(thread), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -1;
	nbr = calloc(1, sizeof(*nbr));
	if (!nbr) {
		close(fd);
		return -1;
	}
	nbr->fd = fd;
	nbr->id = ++last_id;
	nbr->next = neighbors;
	neighbors = nbr;
	THREAD_READ_ON(master, nbr->t_read, nbr_read, nbr, fd);
	return 0;
}

/*
 * The daemon
 */

static void terminate(void)
{
	THREAD_READ_OFF(t_accept);
	while (neighbors)
		nbr_free(neighbors);
	work_queue_free(rib_queue);
	rib_flush();
	close(accept_fd);
	thread_master_free(master);
}

static void sighup(void)
{
	rib_flush();
	thread_add_event(master, rib_changed, NULL, 0);
}

static void sigint(void)
{
	terminate();
	exit(0);
}

/* Returns, and with it thread_fetch(). */
static void sigterm(void)
{
	terminate();
}

static struct quagga_signal_t signals[] = {
	{ .signal = SIGHUP, .handler = sighup },
	{ .signal = SIGINT, .handler = sigint },
	{ .signal = SIGTERM, .handler = sigterm },
};

static int listen_on(in_port_t port)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);
	int on = 1;

	accept_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (accept_fd < 0)
		return -1;
	setsockopt(accept_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(accept_fd, (struct sockaddr *)&sin, len) || listen(accept_fd, 16) ||
	    getsockname(accept_fd, (struct sockaddr *)&sin, &len))
		return -1;
	printf("nbrd: port %u\n", ntohs(sin.sin_port));
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct thread thread;

	if (argc > 2)
		hold_ms = atol(argv[2]);
	master = thread_master_create();
	if (!master || listen_on(argc > 1 ? atoi(argv[1]) : 2605)) {
		perror("nbrd");
		return 1;
	}
	signal_init(master, array_size(signals), signals);
	rib_queue = work_queue_new(master, "rib");
	if (!rib_queue)
		return 1;
	rib_queue->spec.workfunc = rib_process;
	rib_queue->spec.errorfunc = rib_error;
	rib_queue->spec.del_item_data = rib_item_free;
	rib_queue->spec.completion_func = rib_complete;
	rib_queue->spec.max_retries = 3;
	rib_queue->spec.hold = 1;
	t_accept = thread_add_read(master, nbr_accept, NULL, accept_fd);

	while (thread_fetch(master, &thread))
		thread_call(&thread);
	return 0;
}
