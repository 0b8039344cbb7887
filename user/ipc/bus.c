// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the message bus that can do one thing: tell whether somebody has a name. The bus's
 * libraries do not link statically, and this is all that is wanted of them.
 *
 * It never waits: all that is to be said is put behind each other, from the first byte of the
 * authentication on, and answers come when they come. A signal, whatever it says and whoever sent
 * it, makes it ask again, one question for a name at a time; what is asked is the bus itself.
 * Without a bus, or when it goes, a watch stays silent; the next one that is made connects, for
 * all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "knell.h"
#include "bus.h"

enum { CALL = 1, RETURN, FAILURE, SIGNAL };	/* types of messages */
enum { PATH = 1, INTERFACE, MEMBER, REPLY_SERIAL = 5, DESTINATION, SIGNATURE = 8 };	/* fields */

#define HEAD		16		/* bytes of a message before its fields */

struct bus_watch {
	struct bus_watch *next;
	char *name;
	bus_cb *cb;
	void *arg;
	uint32_t asked;			/* serial of the question that is open, 0: none */
	bool again;			/* it is to be asked once more */
	int8_t told;			/* what @cb was told last, -1: nothing yet */
};

static struct {
	struct knell_loop *loop;
	int fd;				/* -1: none */
	bool begun;			/* the bus has said OK: messages come */
	knell_task reading, writing;
	char in[2048];			/* an answer has some hundred bytes */
	size_t in_len, skip;		/* @skip: to come of a message that is too long to be one */
	char *out;
	size_t out_len;
	uint32_t serial;
	struct bus_watch *watches;
} bus = { .fd = -1 };

static void append(const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bus.out = xgrow(bus.out, bus.out_len, 1);
		bus.out[bus.out_len++] = ((const char *)p)[i];
	}
}

/* Within a message that begins at @start of what is to be sent. */
static void align(size_t start, size_t to)
{
	while ((bus.out_len - start) % to)
		append("", 1);
}

static void put_u32(size_t start, uint32_t v)
{
	align(start, 4);
	append(&v, sizeof(v));
}

static void put_string(size_t start, const char *s)
{
	put_u32(start, strlen(s));
	append(s, strlen(s) + 1);
}

static void put_field(size_t start, char field, char type, const char *value)
{
	const char head[] = { field, 1, type, '\0' };

	align(start, 8);
	append(head, sizeof(head));
	if (type == 'g')
		append("\1s", 3);
	else
		put_string(start, value);
}

/* Calls a method of the bus itself, with one string or none; its serial. */
static uint32_t call(const char *method, const char *arg)
{
	const char head[] = {
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B', CALL, 0, 1,
	};
	const size_t start = bus.out_len;
	uint32_t fields;

	append(head, sizeof(head));
	put_u32(start, arg ? strlen(arg) + 5 : 0);
	put_u32(start, ++bus.serial);
	put_u32(start, 0);
	put_field(start, PATH, 'o', "/org/freedesktop/DBus");
	put_field(start, DESTINATION, 's', "org.freedesktop.DBus");
	put_field(start, INTERFACE, 's', "org.freedesktop.DBus");
	put_field(start, MEMBER, 's', method);
	if (arg)
		put_field(start, SIGNATURE, 'g', NULL);
	fields = bus.out_len - start - HEAD;
	memcpy(bus.out + start + HEAD - sizeof(fields), &fields, sizeof(fields));
	align(start, 8);
	if (arg)
		put_string(start, arg);
	return bus.serial;
}

static void call_match(const char *method, const struct bus_watch *w)
{
	char *rule = xasprintf("type='signal',sender='org.freedesktop.DBus',"
			       "member='NameOwnerChanged',arg0='%s'", w->name);

	call(method, rule);
	free(rule);
}

/* In this order: no change is missed. */
static void introduce(struct bus_watch *w)
{
	call_match("AddMatch", w);
	w->again = false;
	w->asked = call("NameHasOwner", w->name);
}

static void disconnect(const char *why)
{
	if (bus.fd < 0)
		return;
	knell_cancel(bus.loop, bus.reading);
	knell_cancel(bus.loop, bus.writing);
	close(bus.fd);
	free(bus.out);
	bus.out = NULL;
	bus.in_len = bus.out_len = bus.skip = 0;
	bus.fd = -1;
	if (why)
		log_line("the message bus is gone: %s", why);
}

static void flush(struct knell_loop *l, const struct knell_call *io, void *arg)
{
	ssize_t n = bus.fd < 0 || !bus.out_len ? 0 :
		    send(bus.fd, bus.out, bus.out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)io;
	(void)arg;
	if (n < 0 && errno != EAGAIN) {
		disconnect(strerror(errno));
	} else if (n < (ssize_t)bus.out_len) {
		n = n < 0 ? 0 : n;
		memmove(bus.out, bus.out + n, bus.out_len -= n);
		if (!knell_pending(l, bus.writing))
			bus.writing = knell_add_write(l, flush, NULL, bus.fd);
	} else {
		free(bus.out);
		bus.out = NULL;
		bus.out_len = 0;
	}
}

static uint32_t u32_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The serial that a message of @len bytes is the answer to, as its fields say; 0: they do not. */
static uint32_t reply_serial(const char *p, size_t len)
{
	const size_t end = HEAD + u32_at(p + 12);
	size_t at = HEAD;

	while (at + 8 <= end && end <= len) {
		const char *f = p + at;

		if (f[0] == REPLY_SERIAL && f[2] == 'u')
			return u32_at(f + 4);
		/* One letter of a signature, a number, or a string with its length and a NUL. */
		if (f[2] == 'g')
			at += 4 + 1 + (unsigned char)f[4] + 1;
		else
			at += 8 + (f[2] == 'u' ? 0 : (size_t)u32_at(f + 4) + 1);
		at = (at + 7) & ~(size_t)7;
	}
	return 0;
}

static void answered(uint32_t serial, bool owned)
{
	struct bus_watch *w = bus.watches;

	while (w && (!w->asked || w->asked != serial))
		w = w->next;
	if (!w)
		return;
	w->asked = w->again ? call("NameHasOwner", w->name) : 0;
	w->again = false;
	if (w->told == owned)
		return;
	w->told = owned;
	w->cb(owned, w->arg);
}

static void ask_again(void)
{
	for (struct bus_watch *w = bus.watches; w; w = w->next) {
		w->again = w->asked;
		if (!w->asked)
			w->asked = call("NameHasOwner", w->name);
	}
}

static void consume(size_t n)
{
	memmove(bus.in, bus.in + n, bus.in_len -= n);
}

/* One message of those that are there in whole: false if there is none. */
static bool take_message(void)
{
	const char *p = bus.in;
	char type = p[1];
	uint32_t body, fields, serial, value = 0;
	size_t len;

	if (bus.in_len < HEAD)
		return false;
	body = u32_at(p + 4);
	fields = u32_at(p + 12);
	len = HEAD + (((size_t)fields + 7) & ~(size_t)7) + body;
	if (len > sizeof(bus.in)) {
		bus.skip = len - bus.in_len;
		bus.in_len = 0;
		return false;
	}
	if (bus.in_len < len)
		return false;
	serial = reply_serial(p, len);
	if (body == sizeof(value))
		value = u32_at(p + len - body);
	/* From here on it is not looked at: what follows may even close the connection. */
	consume(len);
	if (type == SIGNAL)
		ask_again();
	else if (type == RETURN || type == FAILURE)
		answered(serial, type == RETURN && value);
	return bus.fd >= 0;
}

/* "OK GUID\r\n", and nothing else opens the door. */
static bool take_welcome(void)
{
	const char *end = memchr(bus.in, '\n', bus.in_len);

	if (end && !strncmp(bus.in, "OK", 2)) {
		bus.begun = true;
		consume(end + 1 - bus.in);
		return true;
	}
	if (end || bus.in_len == sizeof(bus.in))
		disconnect("it does not let us in");
	return false;
}

static void on_readable(struct knell_loop *l, const struct knell_call *io, void *arg)
{
	ssize_t n = recv(bus.fd, bus.in + bus.in_len, sizeof(bus.in) - bus.in_len, MSG_DONTWAIT);
	size_t skip;

	(void)io;
	(void)arg;
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		disconnect(n ? strerror(errno) : "it has closed the connection");
		return;
	}
	bus.reading = knell_add_read(l, on_readable, NULL, bus.fd);
	bus.in_len += n > 0 ? n : 0;
	skip = bus.skip < bus.in_len ? bus.skip : bus.in_len;
	bus.skip -= skip;
	consume(skip);
	while (bus.begun ? take_message() : take_welcome())
		;
	flush(l, NULL, NULL);
}

/* The first "unix:path=" or "unix:abstract=" of a list of addresses. */
static int connect_to(const char *address)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const char *path = strstr(address, "unix:path="), *name = strstr(address, "unix:abstract=");
	const char *from = path ? path + 10 : name ? name + 14 : "";
	size_t len = strcspn(from, ",;");
	int fd, err;

	if (!len || len > sizeof(a.sun_path) - 2)
		return -EINVAL;
	memcpy(a.sun_path + !path, from, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + len + 1))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int begin(struct knell_loop *l, const char *address)
{
	char uid[16], hex[3];
	int fd = connect_to(address);

	if (fd < 0)
		return fd;
	bus.loop = l;
	bus.fd = fd;
	bus.begun = false;
	bus.reading = knell_add_read(l, on_readable, NULL, fd);
	snprintf(uid, sizeof(uid), "%u", geteuid());
	append("\0AUTH EXTERNAL ", 15);
	for (const char *s = uid; *s; s++)
		append(hex, snprintf(hex, sizeof(hex), "%02x", *s));
	append("\r\nBEGIN\r\n", 9);
	/* A message is aligned by its own beginning. */
	call("Hello", NULL);
	for (struct bus_watch *w = bus.watches; w; w = w->next)
		introduce(w);
	return 0;
}

/**
 * bus_watch - hear of a name's owner
 * @address: of the bus, as DBUS_SYSTEM_BUS_ADDRESS has it
 * @name: a bus name, well-formed; copied
 * @cb: from the loop, never from in here: when it is known first, and when it changes
 *
 * Return: NULL and errno: there is no bus
 */
struct bus_watch *bus_watch(struct knell_loop *l, const char *address, const char *name,
			    bus_cb *cb, void *arg)
{
	struct bus_watch *w;
	int err = bus.fd < 0 ? begin(l, address) : 0;

	if (err) {
		errno = -err;
		return NULL;
	}
	w = xcalloc(1, sizeof(*w));
	*w = (struct bus_watch){
		.next = bus.watches, .name = xstrdup(name), .cb = cb, .arg = arg, .told = -1,
	};
	bus.watches = w;
	introduce(w);
	flush(l, NULL, NULL);
	return w;
}

/* It is gone, and somebody wants to hear of it yet. */
bool bus_is_missed(void)
{
	return bus.fd < 0 && bus.watches;
}

/* There is one again: who asked before hears what has become of the name on this one. */
void bus_again(const char *address)
{
	if (bus_is_missed() && !begin(bus.loop, address))
		flush(bus.loop, NULL, NULL);
}

/* NULL is fine; from its callback, too. */
void bus_unwatch(struct bus_watch *w)
{
	struct bus_watch **p = &bus.watches;

	if (!w)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (bus.fd >= 0) {
		call_match("RemoveMatch", w);
		flush(bus.loop, NULL, NULL);
	}
	free(w->name);
	free(w);
}

void bus_close(void)
{
	disconnect(NULL);
}
