/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Varlink over a Unix stream socket: calls and replies are JSON objects, each with a NUL behind it.
 * A server for an event loop of libknell, and a client that blocks. Private to this tree.
 *
 * Errors are negative errno values. A json_t that is given to a function is always taken over by
 * it, also if it fails. NULL there means that there was no memory to make it, so that
 * varlink_reply(call, json_pack(...)) is all it takes; an empty reply is json_object().
 *
 * The server's functions belong to the thread that runs the loop; none blocks.
 *
 * What a client may do, and what comes of more, is in struct varlink_limits. A message that is no
 * JSON object, or too large, ends its connection, as does a call of which both "more" and "oneway"
 * are asked. A client may close its sending side and still gets its replies; one that closes
 * altogether without waiting for them cannot know what was done.
 */
#ifndef _VARLINK_H
#define _VARLINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "knell.h"

/* What struct varlink_limits has where it says 0. */
#define VARLINK_MESSAGE		(1U << 20)
#define VARLINK_OUTPUT		(256U << 10)
#define VARLINK_DEPTH		32
#define VARLINK_VALUES		16384
#define VARLINK_CALLS		256
#define VARLINK_CONNECTIONS	128
#define VARLINK_RESERVED	16
#define VARLINK_PER_UID		32

/* The errors that every interface has; "parameter", "method" or "interface" in them names which. */
#define VARLINK_NO_INTERFACE	"org.varlink.service.InterfaceNotFound"
#define VARLINK_NO_METHOD	"org.varlink.service.MethodNotFound"
#define VARLINK_NOT_IMPLEMENTED	"org.varlink.service.MethodNotImplemented"
#define VARLINK_BAD_PARAMETER	"org.varlink.service.InvalidParameter"
#define VARLINK_DENIED		"org.varlink.service.PermissionDenied"
#define VARLINK_EXPECTED_MORE	"org.varlink.service.ExpectedMore"

struct varlink_server;
struct varlink_call;

/**
 * struct varlink_peer - who called, as of the connect(2)
 * @pid: 0 if it is not visible here; may be another's by now
 * @uid: effective
 * @gid: effective
 * @privileged: it is root, or the owner
 */
struct varlink_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	bool privileged;
};

/**
 * struct varlink_limits - what a client may do; 0 is the default. All are unsigned int
 * @message: bytes of a call, and of all calls that wait behind one that is not answered
 *	yet. The connection is dropped
 * @output: bytes of replies that a client has not read, from which on further ones of a stream
 *	are lost and counted. A last reply is never lost, and no call is taken before the client
 *	has read what is over a quarter of this, so that there is one such reply at most
 * @depth: of arrays and objects in each other, the call itself being 1. Dropped
 * @values: in one call: what a byte costs in memory depends on this. Dropped
 * @calls: that wait behind one that is not answered yet. Dropped
 * @connections: in all; one more is closed at once
 * @reserved: of these, for root and the owner
 * @per_uid: of one user who is neither
 */
struct varlink_limits {
	unsigned int message;
	unsigned int output;
	unsigned int depth;
	unsigned int values;
	unsigned int calls;
	unsigned int connections;
	unsigned int reserved;
	unsigned int per_uid;
};

/** enum varlink_type - what a parameter is; FLOAT takes an integer, too */
enum varlink_type {
	VARLINK_BOOL, VARLINK_INT, VARLINK_FLOAT, VARLINK_STRING, VARLINK_OBJECT, VARLINK_ARRAY,
	VARLINK_STRINGS,
};

/** struct varlink_param - a parameter; a table of these ends with one that has no name */
struct varlink_param {
	const char *name;
	enum varlink_type type;
	bool optional;		/* may be missing or null; the handler finds it missing then */
};

/*
 * Answers a call, by one of the functions below, now or later. @params is an object whose members
 * are as the method's table has them, and lives as long as the call. @arg is that of the server.
 */
typedef void varlink_handler(struct varlink_call *call, json_t *params, void *arg);

/* struct varlink_method.flags */
#define VARLINK_PRIVILEGED	(1U << 0)	/* for root and the owner only */
#define VARLINK_MORE		(1U << 1)	/* makes no sense without "more" */

/** struct varlink_method - a table of these ends with one that has no name */
struct varlink_method {
	const char *name;			/* without the interface's */
	varlink_handler *handler;		/* NULL: not implemented */
	const struct varlink_param *params;	/* NULL: none */
	unsigned int flags;
};

/** struct varlink_interface - as its text describes it; see describe.mk for that */
struct varlink_interface {
	const char *name;
	const char *description;
	const struct varlink_method *methods;
};

/**
 * struct varlink_server_attr - a server; what is pointed to must stay
 * @path: of the socket. A dead server's is replaced, and it is removed at the end if it is
 *	still this one
 * @mode: of the socket's file
 * @has_fd: @fd is the socket, which listens already; closed at the end. Nothing is bound to @path
 *	then, which may be NULL
 * @fd: is made non-blocking
 * @owner: who may do what root may; often geteuid()
 * @vendor: this and the next three are what GetInfo tells
 * @product: see there
 * @version: see there
 * @url: see there
 * @interfaces: ends with NULL; org.varlink.service is there by itself
 * @arg: of the handlers
 * @limits: see there
 */
struct varlink_server_attr {
	const char *path;
	mode_t mode;
	bool has_fd;
	int fd;
	uid_t owner;
	const char *vendor, *product, *version, *url;
	const struct varlink_interface *const *interfaces;
	void *arg;
	struct varlink_limits limits;
};

/** struct varlink_stats - counters since the beginning, and connections now */
struct varlink_stats {
	unsigned int connections;
	uint64_t accepted;
	uint64_t refused;	/* closed at once, see struct varlink_limits */
	uint64_t dropped;	/* for what the client sent, or for want of memory */
	uint64_t calls;
	uint64_t lost;		/* replies of streams */
	uint64_t pauses;	/* times that there was no descriptor, or no memory, for one more */
};

/**
 * varlink_server_new - listen
 * @loop: has to outlive it
 * @attr: copied
 * @server: where it is put
 *
 * Sets the umask for a moment, which is the whole process's.
 *
 * Return: 0; -EADDRINUSE a server listens there; -EEXIST there is something, but no socket;
 * -ENAMETOOLONG; what socket(2), bind(2) and listen(2) said
 */
int varlink_server_new(struct knell_loop *loop, const struct varlink_server_attr *attr,
		       struct varlink_server **server);

/**
 * varlink_server_free - drop all clients; not from a handler
 * @server: NULL is fine
 *
 * Calls that are not answered yet are told that their client has gone.
 */
void varlink_server_free(struct varlink_server *server);

/** varlink_server_fd - the socket that listens, to hand it on when this program is replaced */
int varlink_server_fd(const struct varlink_server *server);

/** varlink_server_flush - what can be sent without waiting is: before an exec or the end */
void varlink_server_flush(struct varlink_server *server);

/** varlink_server_stats - counters */
struct varlink_stats varlink_server_stats(const struct varlink_server *server);

/*
 * A call lives until varlink_reply(), varlink_error() or varlink_drop() ends it, and has to
 * be ended by one of them, also when its client has gone.
 */

/**
 * varlink_reply - the last or only reply
 * @call: ended by this, whatever it returns
 * @params: an object
 *
 * Return: 0, also if none is wanted ("oneway"); -EPIPE the client has gone; -ENOMEM it is
 * dropped
 */
int varlink_reply(struct varlink_call *call, json_t *params);

/**
 * varlink_continue - a reply of a stream
 * @call: for which varlink_call_more() is true
 * @params: an object
 *
 * Return: 0; -ENOBUFS the client does not read, it is lost; -EPIPE; -ENOMEM; -EINVAL
 */
int varlink_continue(struct varlink_call *call, json_t *params);

/** varlink_error - @name in full, "org.example.Error"; otherwise as varlink_reply() */
int varlink_error(struct varlink_call *call, const char *name, json_t *params);
/** varlink_bad_parameter - VARLINK_BAD_PARAMETER naming @name; otherwise as varlink_reply() */
int varlink_bad_parameter(struct varlink_call *call, const char *name);
/** varlink_drop - end a call without a reply, and the connection if one is waited for */
void varlink_drop(struct varlink_call *call);

/**
 * varlink_text - a string of any bytes
 * @text: what is no UTF-8 in it, and NUL, becomes U+FFFD. json_string() and json_pack() refuse
 *	it, and a reply that has it is none
 * @len: bytes
 *
 * Any thread. Return: a string, or NULL
 */
json_t *varlink_text(const char *text, size_t len);

/** varlink_call_more - does the client take more than one reply? */
bool varlink_call_more(const struct varlink_call *call);
/** varlink_call_lost - replies of a stream lost since the last that was not: the next can tell */
uint64_t varlink_call_lost(const struct varlink_call *call);
/** varlink_call_peer - who called; lives as long as the call */
const struct varlink_peer *varlink_call_peer(const struct varlink_call *call);
/** varlink_call_params - as the handler was given them */
json_t *varlink_call_params(const struct varlink_call *call);

/**
 * varlink_call_on_gone - be told when the client goes away before the call is ended
 * @call: not ended
 * @gone: called once, as a task of the loop or by varlink_server_free(), never from within
 *	another function here; may end the call. NULL: nobody
 * @arg: its argument
 *
 * A client that has closed its sending side is found to be gone when it is sent something.
 */
void varlink_call_on_gone(struct varlink_call *call,
			  void (*gone)(struct varlink_call *call, void *arg), void *arg);

/*
 * The client
 */

/* Bytes: those from .pos to .len are there. No memory while there are none. */
struct varlink_buf {
	char *data;
	size_t pos, len, size;
};

/**
 * struct varlink_client - a connection; nothing in it is to be written, and what has no comment
 *	not to be read
 * @error: why the last function failed, for a human
 * @error_name: of the error that the server answered, or NULL
 * @error_params: of it, or NULL
 */
struct varlink_client {
	char error[256];
	const char *error_name;
	const json_t *error_params;

	int fd;
	const char *path;
	int timeout_ms;
	struct varlink_buf in;
	json_t *failure;
};

/**
 * varlink_connect - connect to a server
 * @c: of any content; to be closed also if this fails
 * @path: of the socket; must stay
 * @timeout_ms: for this and for each reply; -1: none
 *
 * Return: 0; -ETIMEDOUT; what socket(2) or connect(2) said
 */
int varlink_connect(struct varlink_client *c, const char *path, int timeout_ms);
/** varlink_close - also one that could not connect */
void varlink_close(struct varlink_client *c);

/**
 * varlink_call - call a method
 * @c: connection
 * @method: in full
 * @params: an object
 * @reply: where the reply's parameters are put, always an object, to be given back with
 *	json_decref(); NULL
 *
 * Return: 0; -EREMOTEIO the server answered an error; -ETIMEDOUT, -EPIPE it has gone, -EPROTO
 * what it says is not Varlink, -ENOMEM: the connection is of no more use
 */
int varlink_call(struct varlink_client *c, const char *method, json_t *params, json_t **reply);

/** varlink_oneway - call a method that does not reply. Return: as varlink_call() */
int varlink_oneway(struct varlink_client *c, const char *method, json_t *params);

/** varlink_call_many - ask for "more" than one reply; varlink_next() has them. Return: as there */
int varlink_call_many(struct varlink_client *c, const char *method, json_t *params);
/** varlink_next - the next reply. Return: 1 there will be more, 0 the last; or as varlink_call() */
int varlink_next(struct varlink_client *c, json_t **reply);
/**
 * varlink_wait - wait for the next reply, but not take it
 * @c: connection
 * @timeout_ms: how long, -1: for ever
 *
 * Return: 1 varlink_next() will find something, be it that the server has gone; 0 nothing yet, or a
 * signal came
 */
int varlink_wait(const struct varlink_client *c, int timeout_ms);

#endif /* _VARLINK_H */
