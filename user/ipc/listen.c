// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening descriptors. Nothing here waits for anybody: no name is looked up, and all is opened
 * non-blocking (NonBlocking= of the service says what it gets).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "listen.h"

static int parse_number(const char *s, unsigned long max)
{
	unsigned long n;
	char *end;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	n = strtoul(s, &end, 10);
	return errno || *end || n > max ? -1 : (int)n;
}

static int parse_unix(const char *text, union address *a, socklen_t *len)
{
	size_t n = strlen(text);

	a->un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* An abstract name may fill it, a path has a NUL. */
	if (n >= sizeof(a->un.sun_path) + (*text == '@'))
		return -ENAMETOOLONG;
	memcpy(a->un.sun_path, text, n);
	if (*text == '@')
		a->un.sun_path[0] = '\0';
	*len = offsetof(struct sockaddr_un, sun_path) + n + (*text != '@');
	return 0;
}

/* "CID:PORT", ":PORT" */
static int parse_vsock(const char *text, union address *a, socklen_t *len)
{
	const char *colon = strchr(text, ':');
	unsigned long cid = VMADDR_CID_ANY, port;
	char *end;

	if (!colon)
		return -EINVAL;
	if (colon != text) {
		cid = strtoul(text, &end, 10);
		if (end != colon || *text < '0' || *text > '9' || cid > UINT32_MAX)
			return -EINVAL;
	}
	port = strtoul(colon + 1, &end, 10);
	if (*end || colon[1] < '0' || colon[1] > '9' || port > UINT32_MAX)
		return -EINVAL;
	a->vm = (struct sockaddr_vm){
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	};
	*len = sizeof(a->vm);
	return 0;
}

/* "[ADDRESS]:PORT", "[ADDRESS%SCOPE]:PORT", "[ADDRESS]:PORT%SCOPE" */
static int parse_ipv6(const char *text, union address *a, socklen_t *len)
{
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE] = "", port[8] = "";
	int nr;

	if (sscanf(text, "[%45[0-9a-fA-F:.]%%%15[^]]]:%7[0-9]%n", host, scope, port, &nr) != 3) {
		*scope = '\0';
		if (sscanf(text, "[%45[0-9a-fA-F:.]]:%7[0-9]%n", host, port, &nr) != 2)
			return -EINVAL;
	}
	if (text[nr] == '%' && !*scope && strlen(text + nr + 1) < sizeof(scope))
		strcpy(scope, text + nr + 1);
	else if (text[nr])
		return -EINVAL;
	a->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	nr = parse_number(port, 65535);
	if (nr <= 0 || inet_pton(AF_INET6, host, &a->in6.sin6_addr) != 1)
		return -EINVAL;
	a->in6.sin6_port = htons(nr);
	if (*scope) {
		nr = parse_number(scope, INT32_MAX);
		a->in6.sin6_scope_id = nr > 0 ? (uint32_t)nr : if_nametoindex(scope);
		if (!a->in6.sin6_scope_id)
			return -ENODEV;
	}
	*len = sizeof(a->in6);
	return 0;
}

static bool have_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* "IPV4:PORT", or "PORT" of all addresses */
static int parse_inet(const char *text, union address *a, socklen_t *len)
{
	const char *colon = strchr(text, ':');
	int port = parse_number(colon ? colon + 1 : text, 65535);
	char host[INET_ADDRSTRLEN] = "0.0.0.0";

	if (port <= 0)
		return -EINVAL;
	if (!colon && have_ipv6()) {
		a->in6 = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(port),
			.sin6_addr = IN6ADDR_ANY_INIT,
		};
		*len = sizeof(a->in6);
		return 0;
	}
	if (colon && (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	a->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	*len = sizeof(a->in);
	return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? 0 : -EINVAL;
}

/**
 * address_parse - what ListenStream= and its kin call an address
 * @text: "/PATH", "@NAME", "PORT", "IPV4:PORT", "[IPV6]:PORT", "vsock:CID:PORT"
 *
 * Return: 0, -EINVAL, -ENAMETOOLONG, -ENODEV no such scope
 */
int address_parse(const char *text, union address *a, socklen_t *len)
{
	memset(a, 0, sizeof(*a));
	if (*text == '/' || *text == '@')
		return parse_unix(text, a, len);
	if (!strncmp(text, "vsock:", 6))
		return parse_vsock(text + 6, a, len);
	return *text == '[' ? parse_ipv6(text, a, len) : parse_inet(text, a, len);
}

/* An address for the eye and for REMOTE_ADDR, no port; @buf has ADDRESS_TEXT_MAX bytes. */
const char *address_text(const union address *a, socklen_t len, char *buf)
{
	char host[INET6_ADDRSTRLEN];

	strcpy(buf, "unnamed");
	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, buf, ADDRESS_TEXT_MAX);
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		/* Who came by IPv4 is called so. */
		snprintf(buf, ADDRESS_TEXT_MAX, "%s", IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr) ?
			 strrchr(host, ':') + 1 : host);
	} else if (a->sa.sa_family == AF_VSOCK) {
		snprintf(buf, ADDRESS_TEXT_MAX, "vsock:%u", a->vm.svm_cid);
	} else if (a->sa.sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
		len -= offsetof(struct sockaddr_un, sun_path);
		snprintf(buf, ADDRESS_TEXT_MAX, "%s%.*s", *a->un.sun_path ? "" : "@",
			 (int)(*a->un.sun_path ? len : len - 1),
			 a->un.sun_path + !*a->un.sun_path);
	}
	return buf;
}

static void set(const char *who, const char *key, int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		log_line("%s: %s= cannot be set: %s", who, key, strerror(errno));
}

/* Beyond the limit of the system if we may. */
static void set_buffer(const char *who, const char *key, int fd, int force, int name, uint64_t size)
{
	int value = size > INT32_MAX ? INT32_MAX : (int)size;

	if (size && setsockopt(fd, SOL_SOCKET, force, &value, sizeof(value)) < 0)
		set(who, key, fd, SOL_SOCKET, name, value);
}

static int seconds(uint64_t ns)
{
	uint64_t s = (ns + NSEC_PER_SEC - 1) / NSEC_PER_SEC;

	return s > INT32_MAX ? INT32_MAX : (int)s;
}

/* What has only to be told to the kernel. What it refuses is no reason not to listen. */
static void set_options(const char *who, const struct socket *c, int fd, int family, bool stream)
{
	const bool ip = family == AF_INET || family == AF_INET6, tcp = ip && stream;
	const struct {
		const char *key;
		int level, name, value;
		bool wanted;
	} options[] = {
		{ "FreeBind", IPPROTO_IP, IP_FREEBIND, 1,
		  ip && c->free_bind },
		{ "Transparent", IPPROTO_IP, IP_TRANSPARENT, 1,
		  ip && c->transparent },
		{ "IPTOS", IPPROTO_IP, IP_TOS, c->ip_tos,
		  ip && c->ip_tos != UNSET },
		{ "IPTTL", IPPROTO_IP, IP_TTL, c->ip_ttl,
		  family == AF_INET && c->ip_ttl != UNSET },
		{ "IPTTL", IPPROTO_IPV6, IPV6_UNICAST_HOPS, c->ip_ttl,
		  family == AF_INET6 && c->ip_ttl != UNSET },
		{ "BindIPv6Only", IPPROTO_IPV6, IPV6_V6ONLY, c->ipv6_only == IPV6_ONLY,
		  family == AF_INET6 && c->ipv6_only },
		{ "PassPacketInfo", IPPROTO_IP, IP_PKTINFO, 1,
		  family == AF_INET && c->pass_packet_info },
		{ "PassPacketInfo", IPPROTO_IPV6, IPV6_RECVPKTINFO, 1,
		  family == AF_INET6 && c->pass_packet_info },
		{ "PassCredentials", SOL_SOCKET, SO_PASSCRED, 1,
		  family == AF_UNIX && c->pass_credentials },
		{ "PassSecurity", SOL_SOCKET, SO_PASSSEC, 1,
		  family == AF_UNIX && c->pass_security },
		{ "ReusePort", SOL_SOCKET, SO_REUSEPORT, 1,
		  ip && c->reuse_port },
		{ "Broadcast", SOL_SOCKET, SO_BROADCAST, 1,
		  c->broadcast },
		{ "KeepAlive", SOL_SOCKET, SO_KEEPALIVE, 1,
		  c->keep_alive },
		{ "Priority", SOL_SOCKET, SO_PRIORITY, c->priority,
		  c->priority != UNSET },
		{ "Mark", SOL_SOCKET, SO_MARK, c->mark,
		  c->mark != UNSET },
		{ "NoDelay", IPPROTO_TCP, TCP_NODELAY, 1,
		  tcp && c->no_delay },
		{ "KeepAliveTimeSec", IPPROTO_TCP, TCP_KEEPIDLE, seconds(c->keep_alive_ns),
		  tcp && c->keep_alive_ns },
		{ "KeepAliveIntervalSec", IPPROTO_TCP, TCP_KEEPINTVL,
		  seconds(c->keep_alive_interval_ns), tcp && c->keep_alive_interval_ns },
		{ "KeepAliveProbes", IPPROTO_TCP, TCP_KEEPCNT, c->keep_alive_probes,
		  tcp && c->keep_alive_probes },
		{ "DeferAcceptSec", IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds(c->defer_accept_ns),
		  tcp && c->defer_accept_ns },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].wanted)
			set(who, options[i].key, fd, options[i].level, options[i].name,
			    options[i].value);
	set_buffer(who, "ReceiveBuffer", fd, SO_RCVBUFFORCE, SO_RCVBUF, c->receive_buffer);
	set_buffer(who, "SendBuffer", fd, SO_SNDBUFFORCE, SO_SNDBUF, c->send_buffer);
	if (tcp && c->tcp_congestion &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, c->tcp_congestion,
		       strlen(c->tcp_congestion)) < 0)
		log_line("%s: TCPCongestion= cannot be set: %s", who, strerror(errno));
}

/* All directories above @path, of DirectoryMode= if they have to be made. */
static void make_parents(const char *path, mode_t mode)
{
	char *copy = xstrdup(path);
	mode_t mask = umask(0);

	for (char *s = copy + 1; (s = strchr(s, '/')); *s++ = '/') {
		*s = '\0';
		/* What is in the way is found by whoever opens @path. */
		mkdir(copy, mode);
	}
	umask(mask);
	free(copy);
}

/* A socket that nobody listens to any more is in the way; anything else is not ours to remove. */
static int bind_path(int fd, const union address *a, socklen_t len)
{
	if (bind(fd, &a->sa, len) == 0)
		return 0;
	if (errno != EADDRINUSE || remove_kind(a->un.sun_path, S_IFSOCK))
		return -errno;
	return bind(fd, &a->sa, len) < 0 ? -errno : 0;
}

static int bind_unix(int fd, const union address *a, socklen_t len, const struct socket *c,
		     struct owner owner)
{
	mode_t mask;
	int err;

	if (!*a->un.sun_path)
		return bind(fd, &a->sa, len) < 0 ? -errno : 0;
	make_parents(a->un.sun_path, c->directory_mode);
	mask = umask(~c->mode & 0777);
	err = bind_path(fd, a, len);
	umask(mask);
	if (!err && (owner.uid != (uid_t)-1 || owner.gid != (gid_t)-1) &&
	    lchown(a->un.sun_path, owner.uid, owner.gid) < 0)
		err = -errno;
	return err;
}

static int bind_socket(int fd, const union address *a, socklen_t len, const struct socket *c,
		       struct owner owner)
{
	int yes = 1;

	if (a->sa.sa_family == AF_UNIX)
		return bind_unix(fd, a, len, c, owner);
	if (c->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->device,
				    strlen(c->device)) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	return bind(fd, &a->sa, len) < 0 ? -errno : 0;
}

static int open_socket(const char *who, const struct socket *c, const struct listen *l,
		       struct owner owner)
{
	static const int types[] = {
		[LISTEN_STREAM] = SOCK_STREAM, [LISTEN_DATAGRAM] = SOCK_DGRAM,
		[LISTEN_SEQPACKET] = SOCK_SEQPACKET,
	};
	const bool connects = l->kind != LISTEN_DATAGRAM;
	union address a;
	socklen_t len;
	int err = address_parse(l->address, &a, &len), fd;

	if (err)
		return err;
	fd = socket(a.sa.sa_family, types[l->kind] | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    a.sa.sa_family == AF_UNIX || a.sa.sa_family == AF_VSOCK ? 0 : c->protocol);
	if (fd < 0)
		return -errno;
	set_options(who, c, fd, a.sa.sa_family, l->kind == LISTEN_STREAM);
	err = bind_socket(fd, &a, len, c, owner);
	if (!err && connects && listen(fd, c->backlog > INT32_MAX ? INT32_MAX : c->backlog) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_fifo(const char *who, const struct socket *c, const struct listen *l,
		     struct owner owner)
{
	mode_t mask;
	struct stat st;
	int fd, err = 0;

	make_parents(l->address, c->directory_mode);
	mask = umask(~c->mode & 0777);
	if (mkfifo(l->address, c->mode) < 0 && errno != EEXIST)
		err = -errno;
	umask(mask);
	/* For writing, too: it does not hang up when its writers do. */
	fd = err ? -1 : open(l->address, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return err ? err : -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISFIFO(st.st_mode))
		err = -EEXIST;
	else if (st.st_uid == geteuid() && (st.st_mode & 0777) != c->mode)
		err = fchmod(fd, c->mode) < 0 ? -errno : 0;
	if (!err && (owner.uid != (uid_t)-1 || owner.gid != (gid_t)-1) &&
	    fchown(fd, owner.uid, owner.gid) < 0)
		err = -errno;
	if (!err && c->pipe_size && fcntl(fd, F_SETPIPE_SZ, (int)(c->pipe_size > INT32_MAX ?
						INT32_MAX : c->pipe_size)) < 0)
		log_line("%s: PipeSize= cannot be set: %s", who, strerror(errno));
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_special(const struct socket *c, const struct listen *l)
{
	struct stat st;
	int fd = open(l->address, (c->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY |
		      O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

/**
 * listen_open - a descriptor for one of a unit's addresses
 * @who: for the log
 * @owner: of what has a path
 *
 * Return: close-on-exec and non-blocking; -errno, -EOPNOTSUPP a kind that is not done
 */
int listen_open(const char *who, const struct socket *c, const struct listen *l,
		struct owner owner)
{
	switch (l->kind) {
	case LISTEN_STREAM:
	case LISTEN_DATAGRAM:
	case LISTEN_SEQPACKET:
		return open_socket(who, c, l, owner);
	case LISTEN_FIFO:
		return open_fifo(who, c, l, owner);
	case LISTEN_SPECIAL:
		return open_special(c, l);
	default:
		return -EOPNOTSUPP;
	}
}

static bool has_path(const struct listen *l)
{
	return *l->address == '/' && l->kind <= LISTEN_FIFO;
}

/* Whatever else has been put there stays. */
/* RemoveOnStop= */
void listen_remove(const struct socket *c)
{
	for (size_t i = 0; i < c->nr_listen; i++)
		if (has_path(&c->listen[i]))
			remove_kind(c->listen[i].address,
				    c->listen[i].kind == LISTEN_FIFO ? S_IFIFO : S_IFSOCK);
	for (size_t i = 0; i < c->symlinks.nr; i++)
		remove_kind(c->symlinks.v[i], S_IFLNK);
}

/* Symlinks= to the one path that there is: 0, -errno and @which. */
int listen_link(const struct socket *c, const char **which)
{
	const struct listen *l = c->listen, *end = l + c->nr_listen;

	while (l < end && !has_path(l))
		l++;
	for (size_t i = 0; l < end && i < c->symlinks.nr; i++) {
		const char *name = *which = c->symlinks.v[i];

		make_parents(name, c->directory_mode);
		remove_kind(name, S_IFLNK);
		if (symlink(l->address, name) < 0)
			return -errno;
	}
	return 0;
}

/* Are there connections to be had, as Accept=yes wants? */
bool listen_accepts(const struct listen *l)
{
	return l->kind == LISTEN_STREAM || l->kind == LISTEN_SEQPACKET;
}

/* FlushPending=: what has come is thrown away, as far as it has by now. */
void listen_flush(const struct listen *l, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];
	int conn;

	/* The service has had it and may have made it block. */
	for (int i = 0; i < 1024 && poll(&p, 1, 0) > 0 && p.revents & POLLIN; i++) {
		if (!listen_accepts(l)) {
			if (read(fd, buf, sizeof(buf)) < 0)
				return;
			continue;
		}
		conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0)
			return;
		close(conn);
	}
}
