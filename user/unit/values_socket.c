// SPDX-License-Identifier: GPL-2.0-only
/* Values of [Timer] and [Socket]. */
#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "calendar.h"
#include "private.h"

/* What any of these keys is given; empty: nothing at all is left of what they were given. */
static enum verdict add_time(struct parser *p, struct timer_value *v)
{
	struct timer *t = p->file->timer;

	v->where = p->where;
	t->values = arena_grow(&p->file->arena, t->values, t->nr, sizeof(*v));
	t->values[t->nr++] = *v;
	return VALUE_OK;
}

static enum verdict take_timer(struct parser *p, const struct key *key, char *value)
{
	struct timer_value v = { .base = key->arg };
	char *text = expand(p, value);

	if (!text)
		return VALUE_SAID;
	if (!*text)
		return p->file->timer->nr = 0, VALUE_OK;
	return parse_time(text, &v.ns) ? VALUE_IGNORED : add_time(p, &v);
}
VALUE(value_timer, take_timer, .expected = "a time span (as 5s, 1min 30s)");

static enum verdict take_calendar(struct parser *p, const struct key *key, char *value)
{
	struct timer_value v = { .base = TIMER_CALENDAR };
	char *text = expand(p, value);
	struct calendar_error err;
	struct calendar *c;

	if (!text)
		return VALUE_SAID;
	if (!*text)
		return p->file->timer->nr = 0, VALUE_OK;
	c = calendar_parse(text, strlen(text), &err);
	if (!c) {
		remark(p, SAY_ERROR, "%s=%.200s: %s; ignored", key->name, text, err.text);
		return VALUE_SAID;
	}
	free(c);
	v.calendar = text;
	return add_time(p, &v);
}
VALUE(value_calendar, take_calendar, .expected = "a calendar expression");

static bool port_ok(const char *s)
{
	int64_t port;

	return isdigit((unsigned char)*s) && !parse_integer(s, 1, 65535, &port);
}

/* [IPV6]:PORT, with %INTERFACE perhaps */
static bool ipv6_ok(const char *s)
{
	const char *end = strchr(s, ']'), *scope;
	char host[INET6_ADDRSTRLEN], port[8];
	struct in6_addr in6;

	if (!end || end[1] != ':' || (size_t)(end - s) > sizeof(host))
		return false;
	*(char *)mempcpy(host, s + 1, end - s - 1) = '\0';
	s = end + 2;
	scope = strchrnul(s, '%');
	if ((size_t)(scope - s) >= sizeof(port) || (*scope && !scope[1]))
		return false;
	*(char *)mempcpy(port, s, scope - s) = '\0';
	return inet_pton(AF_INET6, host, &in6) == 1 && port_ok(port);
}

/* IPV4:PORT or PORT */
static bool ipv4_ok(const char *s)
{
	const char *colon = strchr(s, ':');
	char host[INET_ADDRSTRLEN];
	struct in_addr in;

	if (!colon)
		return port_ok(s);
	if ((size_t)(colon - s) >= sizeof(host))
		return false;
	*(char *)mempcpy(host, s, colon - s) = '\0';
	return inet_pton(AF_INET, host, &in) == 1 && port_ok(colon + 1);
}

static bool vsock_ok(const char *s)
{
	size_t cid = strspn(s, "0123456789");

	return s[cid] == ':' && isdigit((unsigned char)s[cid + 1]) &&
	       !s[cid + 1 + strspn(s + cid + 1, "0123456789")];
}

static bool address_ok(const char *s, enum listen_kind kind)
{
	if (*s == '/')
		return strlen(s) < sizeof(((struct sockaddr_un *)0)->sun_path);
	if (*s == '@')
		return s[1] && strlen(s) <= sizeof(((struct sockaddr_un *)0)->sun_path);
	if (kind == LISTEN_SEQPACKET)
		return false;
	if (*s == '[')
		return ipv6_ok(s);
	if (!strncmp(s, "vsock:", 6))
		return vsock_ok(s + 6);
	return ipv4_ok(s);
}

static enum verdict take_listen(struct parser *p, const struct key *key, char *value)
{
	struct listen l = { .kind = key->arg, .where = p->where };
	struct socket *s = p->file->socket;
	bool path = l.kind == LISTEN_FIFO || l.kind == LISTEN_SPECIAL || l.kind == LISTEN_MQUEUE ||
		    l.kind == LISTEN_USB;
	char *text;

	if (!*value)
		return s->nr_listen = 0, VALUE_OK;
	text = path ? expand_path(p, value, true) : expand(p, value);
	if (!text || (!path && l.kind != LISTEN_NETLINK && !address_ok(text, l.kind)))
		return VALUE_IGNORED;
	skip_var(&text);
	l.address = text;
	s->listen = arena_grow(&p->file->arena, s->listen, s->nr_listen, sizeof(l));
	s->listen[s->nr_listen++] = l;
	return VALUE_OK;
}
VALUE(value_listen, take_listen,
	.expected = "an absolute path, @NAME, PORT, IPV4:PORT, [IPV6]:PORT "
		    "(FIFO, Special: a path)");

static const char *const ipv6_only_names[] = { "default", "both", "ipv6-only", NULL };
VALUE(value_ipv6_only, take_choice, .names = ipv6_only_names);

static enum verdict take_protocol(struct parser *p, const struct key *key, char *value)
{
	static const struct {
		const char *name;
		int protocol;
	} protocols[] = {
		{ "", 0 }, { "udplite", IPPROTO_UDPLITE }, { "sctp", IPPROTO_SCTP },
		{ "mptcp", IPPROTO_MPTCP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(value, protocols[i].name))
			continue;
		*FIELD(p, key, int32_t) = protocols[i].protocol;
		return VALUE_OK;
	}
	return VALUE_IGNORED;
}
VALUE(value_protocol, take_protocol, .expected = "udplite, sctp or mptcp");

static enum verdict take_ip_tos(struct parser *p, const struct key *key, char *value)
{
	static const char *const names[] = {
		[0x02] = "low-cost", [0x04] = "reliability", [0x08] = "throughput",
		[0x10] = "low-delay",
	};
	int tos = choice(names, ARRAY_SIZE(names), value);

	if (tos < 0)
		return take_ranged(p, key, value);
	*FIELD(p, key, int32_t) = tos;
	return VALUE_OK;
}
VALUE(value_ip_tos, take_ip_tos, .max = 255,
	.expected = "low-delay, throughput, reliability, low-cost or a number from 0 to 255");
VALUE(value_ip_ttl, take_ranged, .min = 1, .max = 255, .expected = "a number from 1 to 255");
VALUE(value_positive, take_ranged, .max = INT32_MAX, .expected = "a number");

/* "" and "*" are any. */
static enum verdict take_interface(struct parser *p, const struct key *key, char *value)
{
	char *name = *value && strcmp(value, "*") ? expand(p, value) : NULL;

	if (name && (strlen(name) >= IFNAMSIZ || name[strcspn(name, BLANKS "/:%")] || !*name))
		return VALUE_IGNORED;
	*FIELD(p, key, const char *) = name;
	return VALUE_OK;
}
VALUE(value_interface, take_interface, .expected = "a network interface's name");

static enum verdict take_fd_name(struct parser *p, const struct key *key, char *value)
{
	char *name = *value ? expand(p, value) : NULL;

	if (*value && !name)
		return VALUE_SAID;
	for (const char *s = name ? name : ""; *s; s++)
		if (*s == ':' || *s < ' ' || *s > '~')
			return VALUE_IGNORED;
	if (name && (!*name || strlen(name) > 255))
		return VALUE_IGNORED;
	*FIELD(p, key, const char *) = name;
	return VALUE_OK;
}
VALUE(value_fd_name, take_fd_name, .expected = "printable characters without \":\"");

static enum verdict take_trigger_burst(struct parser *p, const struct key *key, char *value)
{
	enum verdict verdict = value_u32.parse(p, key, value);

	p->file->trigger_burst_set |= verdict == VALUE_OK;
	return verdict;
}
VALUE(value_trigger_burst, take_trigger_burst, .expected = "a number");
