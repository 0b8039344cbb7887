// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the message bus that can do two things: tell whether somebody has a name, and start
 * what the bus asks the manager of services for, by the name that this has for it since systemd.
 * The bus's libraries do not link statically, and this is all that is wanted of them.
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
/* fields */
enum {
	PATH = 1, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE,
};

#define HEAD		16		/* bytes of a message before its fields */
#define NO_REPLY	1		/* a flag of messages */
#define BUS		"org.freedesktop.DBus"
#define BUS_PATH	"/org/freedesktop/DBus"
#define MANAGER		"org.freedesktop.systemd1"
#define ACTIVATOR	MANAGER ".Activator"
#define DO_NOT_QUEUE	4		/* of RequestName: if it is another's it stays so */

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
	bus_start_cb *start;		/* of bus_serve() */
	uint32_t requested;		/* serial of the question for the name, 0: none is open */
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
	const uint8_t len = strlen(value);

	align(start, 8);
	append(head, sizeof(head));
	if (type == 'g') {
		append(&len, sizeof(len));
		append(value, len + 1);
	} else {
		put_string(start, value);
	}
}

/* A message, its fields, its body: begun, filled and ended one after the other. */
static size_t begin_message(char type, char flags)
{
	const char head[] = {
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B', type, flags, 1,
	};
	const size_t start = bus.out_len;

	append(head, sizeof(head));
	put_u32(start, 0);
	put_u32(start, ++bus.serial);
	put_u32(start, 0);
	return start;
}

static size_t begin_body(size_t start)
{
	uint32_t fields = bus.out_len - start - HEAD;

	memcpy(bus.out + start + HEAD - sizeof(fields), &fields, sizeof(fields));
	align(start, 8);
	return bus.out_len;
}

static void end_message(size_t start, size_t body)
{
	uint32_t len = bus.out_len - body;

	memcpy(bus.out + start + 4, &len, sizeof(len));
}

static size_t begin_call(const char *method, const char *signature)
{
	const size_t start = begin_message(CALL, 0);

	put_field(start, PATH, 'o', BUS_PATH);
	put_field(start, DESTINATION, 's', BUS);
	put_field(start, INTERFACE, 's', BUS);
	put_field(start, MEMBER, 's', method);
	if (signature)
		put_field(start, SIGNATURE, 'g', signature);
	return start;
}

/* Calls a method of the bus itself, with one string or none; its serial. */
static uint32_t call(const char *method, const char *arg)
{
	const size_t start = begin_call(method, arg ? "s" : NULL), body = begin_body(start);

	if (arg)
		put_string(start, arg);
	end_message(start, body);
	return bus.serial;
}

static void request_manager_name(void)
{
	const size_t start = begin_call("RequestName", "su"), body = begin_body(start);

	put_string(start, MANAGER);
	put_u32(start, DO_NOT_QUEUE);
	end_message(start, body);
	bus.requested = bus.serial;
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

/*
 * The value of a field of a message of which @len bytes are there; NULL: it has none, or another
 * type than @type. A string ends within them.
 */
static const char *field_of(const char *p, size_t len, char field, char type)
{
	const size_t end = HEAD + (size_t)u32_at(p + 12);
	size_t at = HEAD;

	while (at + 8 <= end && end <= len) {
		const char *f = p + at;
		/* One letter of a signature, a number, or a string with its length and a NUL. */
		size_t size = f[2] == 'g' ? 4 + 1 + (size_t)(unsigned char)f[4] + 1 :
			      f[2] == 'u' ? 8 : 8 + (size_t)u32_at(f + 4) + 1;

		if (at + size > end)
			return NULL;
		if (f[0] == field && f[2] == type)
			return type == 'u' ? f + 4 : f[size - 1] ? NULL : f + 8;
		at = (at + size + 7) & ~(size_t)7;
	}
	return NULL;
}

static bool has_field(const char *p, size_t len, char field, const char *wanted)
{
	const char *is = field_of(p, len, field, 's');

	return is && !strcmp(is, wanted);
}

static void answered(uint32_t serial, bool owned)
{
	struct bus_watch *w = bus.watches;

	if (serial && serial == bus.requested) {
		bus.requested = 0;
		if (!owned)
			log_line("the message bus does not give us the name " MANAGER
				 ": what it is to start it has to start itself");
	}
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

void bus_start_failed(const char *unit, const char *why)
{
	size_t start, body;

	if (bus.fd < 0)
		return;
	start = begin_message(SIGNAL, NO_REPLY);
	put_field(start, PATH, 'o', "/org/freedesktop/systemd1");
	put_field(start, INTERFACE, 's', ACTIVATOR);
	put_field(start, MEMBER, 's', "ActivationFailure");
	put_field(start, DESTINATION, 's', BUS);
	put_field(start, SIGNATURE, 'g', "sss");
	body = begin_body(start);
	put_string(start, unit);
	put_string(start, MANAGER ".ActivationFailed");
	put_string(start, why);
	end_message(start, body);
	flush(bus.loop, NULL, NULL);
}

/* The bus wants a unit of us. */
static void take_request(const char *p, size_t len, size_t body)
{
	char unit[257];
	uint32_t size = body > 4 ? u32_at(p + len - body) : 0;

	if (!bus.start || !size || size >= sizeof(unit) || body < 4 + (size_t)size)
		return;
	memcpy(unit, p + len - body + 4, size);
	unit[size] = '\0';
	bus.start(unit);
}

/* Whatever else is asked of systemd: nobody is to wait for that. */
static void refuse(const char *p, size_t len)
{
	const char *sender = field_of(p, len, SENDER, 's'), *signature = "s";
	const uint32_t serial = u32_at(p + 8);
	size_t start, body;

	if (!sender || p[2] & NO_REPLY)
		return;
	start = begin_message(FAILURE, NO_REPLY);
	align(start, 8);
	append("\5\1u", 4);
	put_u32(start, serial);
	put_field(start, DESTINATION, 's', sender);
	put_field(start, ERROR_NAME, 's', BUS ".Error.UnknownMethod");
	put_field(start, SIGNATURE, 'g', signature);
	body = begin_body(start);
	put_string(start, "knelld is no systemd: see knellctl(1)");
	end_message(start, body);
}

/* @body: so many bytes at the end are; 0 also where it is too long to be there. */
static void dispatch(const char *p, size_t len, size_t body)
{
	const char *answered_to = field_of(p, len, REPLY_SERIAL, 'u');
	const uint32_t serial = answered_to ? u32_at(answered_to) : 0;
	const char type = p[1];

	if (type == CALL)
		refuse(p, len);
	else if (type == SIGNAL && has_field(p, len, SENDER, BUS) &&
		 has_field(p, len, INTERFACE, ACTIVATOR) &&
		 has_field(p, len, MEMBER, "ActivationRequest"))
		take_request(p, len, body);
	else if (type == SIGNAL)
		ask_again();
	else if (type == RETURN || type == FAILURE)
		answered(serial, type == RETURN && body == 4 && u32_at(p + len - body) == 1);
}

/* One message of those that are there in whole: false if there is none. */
static bool take_message(void)
{
	char p[sizeof(bus.in)];
	size_t body, fields, len, there;

	if (bus.in_len < HEAD)
		return false;
	body = u32_at(bus.in + 4);
	fields = ((size_t)u32_at(bus.in + 12) + 7) & ~(size_t)7;
	len = HEAD + fields + body;
	/* Of one that is too long to be an answer its fields may do. */
	there = len <= sizeof(bus.in) ? len : HEAD + fields;
	if (there > sizeof(bus.in)) {
		bus.skip = len - bus.in_len;
		bus.in_len = 0;
		return false;
	}
	if (bus.in_len < there)
		return false;
	/* What follows may even close the connection. */
	memcpy(p, bus.in, there);
	bus.skip = len > bus.in_len ? len - bus.in_len : 0;
	consume(len - bus.skip);
	dispatch(p, there, there == len ? body : 0);
	return bus.fd >= 0 && !bus.skip;
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
	if (bus.start)
		request_manager_name();
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

/**
 * bus_serve - to start what the bus asks for
 * @start: from the loop, with the name of a unit; it calls bus_start_failed() if that fails
 *
 * To be called for each new bus: who has asked for a name on a former one hears what has become of
 * it on this one. Without the right to the name nothing is ever asked for.
 */
void bus_serve(struct knell_loop *l, const char *address, bus_start_cb *start)
{
	bool known = bus.start;

	bus.start = start;
	if (bus.fd < 0)
		begin(l, address);
	else if (!known)
		request_manager_name();
	flush(l, NULL, NULL);
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
