/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a unit file is read.
 *
 * mem.c        memory that is waited for, and the arena that all of one unit file is in
 * lex.c        logical lines, words and escapes
 * name.c       names of units, escaping
 * names.c      the words that unit files have for enums
 * specifier.c  % and what it stands for; machine.c what of it is the machine's
 * number.c     numbers, sizes, exit statuses
 * values.c     parsers of values, and values_*.c, command.c
 * directives.c the table of all keys
 * dirs.c       the search path as it is on disk
 * parse.c      one text; load.c one unit: its file, drop-ins and links; finish.c their sum
 * condition.c  whether conditions hold; condition_path.c: of paths; virt.c: in what this runs
 * logger.c     the units that X-Knell-Logger= makes
 * install.c    links of [Install]; enabled.c; verify.c
 */
#ifndef _UNIT_PRIVATE_H
#define _UNIT_PRIVATE_H

#include <stdarg.h>

#include "unit_load.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BLANKS		" \t\n\r"

/* mem.c: allocations that are freed together; zeroed */
struct chunk;

struct arena {
	struct chunk *chunks;
	char *next;
	size_t left;	/* at @next */
	size_t used;	/* in all */
};

void *arena_alloc(struct arena *a, size_t size);
void *arena_grow(struct arena *a, void *p, size_t nr, size_t size);
char *arena_room(struct arena *a, size_t len);
char *arena_strn(struct arena *a, const char *s, size_t len);
char *arena_str(struct arena *a, const char *s);
void arena_add(struct arena *a, struct strv *v, char *s);
void arena_free(struct arena *a);

/* lex.c */
struct lines {
	char *pos;
	unsigned int line;
};

/* What a backslash is for. */
enum escapes {
	ESCAPES_RELAXED,	/* C escapes; what is none stands for itself */
	ESCAPES_STRICT,		/* C escapes; anything else is wrong */
	ESCAPES_KEPT,		/* nothing */
	WORDS_RAW,		/* nothing, and quotes are for nothing either: names of units */
};

char *lines_next(struct lines *l, unsigned int *line);
char *strip(char *s);
bool utf8_valid(const char *s);
uint64_t text_hash_more(uint64_t hash, const char *text, size_t len);
int unescape_line(const char *s, char *out);
int word_take(const char **p, char *out, enum escapes escapes);
bool simplify_path(char *path);

/* names.c: words that stand for 0, 1, 2...; @nr of them, NULL stands for nothing */
int choice(const char *const *names, size_t nr, const char *value);
/* NULL at the end */
extern const char *const type_names[], *const restart_names[], *const kill_mode_names[],
	*const emergency_names[], *const job_mode_names[];

/* number.c: 0, -1 if it is none */
int parse_integer(const char *s, int64_t min, int64_t max, int64_t *n);
int parse_size(const char *s, uint64_t *size);
int parse_time(const char *s, uint64_t *ns);
int parse_mode(const char *s, mode_t *mode);
int exit_status(const char *s);

/* dirs.c: the search path as it is on disk */
enum entry_kind {
	ENTRY_FILE,		/* a file, or a link to one that is outside of the search path */
	ENTRY_ALIAS,		/* a link to a name that is looked for in the search path */
	ENTRY_MASK,		/* a link to /dev/null */
	ENTRY_LOOP,		/* an alias of an alias ... of itself */
	ENTRY_DIR,		/* a .d, .wants, .requires, .upholds directory */
};

struct entry {
	const char *name;
	const char *target;	/* of a link: as written */
	const char *other;	/* of an alias: the name that it is for in the end */
	uint16_t dir;
	uint8_t kind;		/* enum entry_kind */
};

struct dir_id {
	dev_t dev;
	ino_t ino;
};

struct unit_dirs {
	struct unit_options opt;
	struct strv dirs;
	struct dir_id *ids;	/* of each */
	struct arena arena;
	struct entry *entries;	/* by name, then by directory */
	size_t nr;
	struct machine *machine;	/* machine.c */
};

#define DIR_ENTRIES_MAX	65536	/* no directory of units has more */
#define SOURCES_MAX	2000	/* files and directories that one unit is made of */
#define TEXT_MAX	(1U << 20)	/* of one file */
#define TEXTS_MAX	(4U << 20)	/* of all files of a unit */
#define ARENA_MAX	(16U << 20)	/* what may become of them */
#define SAY_MAX		100	/* remarks about one file */

const struct entry *entry_find(const struct unit_dirs *d, const char *name);
const struct entry *entry_at(const struct unit_dirs *d, const char *name, size_t dir);
const struct entry *resolve(const struct unit_dirs *d, const char *name, char **final);
char *entry_path(const struct unit_dirs *d, const struct entry *e);
char *rooted(const struct unit_dirs *d, const char *path);
int scan_names(const char *path, int (*take)(void *arg, int dirfd, const char *name), void *arg);
bool is_null(int dirfd, const char *name);
void say(const struct unit_options *opt, enum severity severity, const char *file,
	 unsigned int line, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* load.c: a unit while its files are read */
struct file {
	struct unit_file f;
	struct arena arena;
	/* What is from here on file_finish() gives back. */
	struct install *install;
	struct service *service;
	struct timer *timer;
	struct socket *socket;
	struct exec_context *exec;	/* NULL: none of its keys was given */
	struct service_more *more;	/* the same */
	const char **sources;
	struct dep *deps;
	struct condition *conditions;
	bool job_running_set, abort_set, type_set, trigger_burst_set;
	const char *trigger;	/* Unit=, Service= */
	struct where trigger_where;
	size_t text;		/* bytes read */
};

/* Where an assignment belongs; directives.c */
enum place {
	IN_UNIT, IN_INSTALL, IN_SERVICE, IN_TIMER, IN_SOCKET,
	IN_SERVICE_OLD,		/* keys of [Unit] that once were in [Service] */
	IN_MORE,		/* [Service], few have them */
	IN_EXEC, IN_KILL,	/* services and sockets */
	PLACES,
};

struct parser {
	const struct unit_options *opt;
	struct unit_dirs *dirs;
	struct file *file;
	const char *path;	/* of the text that is read */
	struct where where;
	unsigned int said;	/* remarks about this file */
	char *scratch;		/* for one word */
	uint8_t *seen;		/* a byte for each key: it was warned of in this file */
	bool install_only;	/* [Install] alone matters, and nothing is said of the rest */
};

enum verdict {
	VALUE_OK,
	VALUE_IGNORED,		/* not what was expected: the assignment is left out */
	VALUE_FATAL,		/* and the unit is not to be started */
	VALUE_SAID,		/* as VALUE_IGNORED, but it was told of */
};

struct key;

/* A kind of value. */
struct value {
	enum verdict (*parse)(struct parser *p, const struct key *key, char *value);
	const char *expected;			/* for "expected ..." */
	const char *const *names;		/* NULL at the end */
	int64_t min, max;
};

enum note {
	NOTE_DONE,
	NOTE_IGNORED,		/* means nothing here */
	NOTE_SANDBOX,		/* would confine or limit; is not enforced */
	NOTE_SPELLING,		/* DragonReach's spelling of a key that is done */
};

#define KEY_MAX	35		/* characters of a key */

/* There are many, and without a pointer in them they are never written to, by nobody. */
struct key {
	char name[KEY_MAX + 1];
	uint8_t value;			/* enum value_id */
	uint16_t offset;		/* of the field in the structure of its place */
	uint8_t place;			/* enum place */
	uint8_t note;			/* enum note */
	int arg;			/* a kind or such */
};

extern const struct key keys[];
extern const size_t nr_keys;
extern const struct value *const values[];	/* by enum value_id; NULL: any */

bool condition_of_key(const char *name, struct condition *c);
void *place_base(struct file *file, enum place place);

#define FIELD(p, key, type)	\
	((type *)((char *)place_base((p)->file, (key)->place) + (key)->offset))

/* parse.c */
void remark(struct parser *p, enum severity severity, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool parse_text(struct parser *p, char *text, size_t len);

/* What there is of [Install], of a template, too; NULL: it is masked. */
struct unit_file *unit_read_install(struct unit_dirs *d, const struct entry *e, const char *name);

/* enabled.c */
char *install_name(const char *name, const struct unit_file *f);
bool install_has_rules(const struct install *in);

/* finish.c */
extern const struct commands no_commands;

struct file *file_new(const char *name);
void file_finish(struct parser *p);
void file_settle(struct file *file);
void file_add_dep(struct file *file, enum dep_kind kind, const char *name, struct where where,
		  bool linked);
int file_add_source(struct file *file, const char *path);
void mark_bad(struct file *file, const char *why);
const char *as_instance(struct file *file, const char *name);

/* values.c */
#define VALUE(name, function, ...)	\
	const struct value name = { .parse = function, __VA_ARGS__ }

/* All kinds there are: of(x) for each value_x. */
#define VALUES(of) \
	/* values.c */ \
	of(text) of(bool) of(span) of(timeout) of(u32) of(size) of(mode) of(path) \
	of(paths) of(deps) of(units) of(urls) of(condition) of(job_timeout) \
	of(job_running) of(trigger) of(exit_status) of(emergency) of(job_mode) \
	of(isolate) of(instance) \
	/* values_service.c */ \
	of(service_type) of(restart) of(kill_mode) of(signal) of(notify_access) \
	of(timeout_mode) of(exit_type) of(restart_mode) of(service_timeout) \
	of(abort_timeout) of(ends) of(pid_file) of(bus_name) of(notify_fd) of(preserve) \
	/* values_socket.c, and timers */ \
	of(timer) of(calendar) of(listen) of(ipv6_only) of(protocol) of(ip_tos) \
	of(ip_ttl) of(positive) of(interface) of(fd_name) of(trigger_burst) \
	/* values_exec.c, values_stdio.c */ \
	of(env) of(env_names) of(env_file) of(account) of(accounts) of(cwd) of(root) \
	of(search_path) of(nice) of(cpu_policy) of(cpu_priority) of(affinity) \
	of(io_class) of(io_priority) of(oom_score) of(slack) of(coredump) of(limit) \
	of(capabilities) of(secure_bits) of(stdin) of(stdout) of(input_text) \
	of(input_data) of(tty_size) of(dirs) of(dir_mode) \
	/* command.c */ \
	of(command) of(logger)

#define DECLARE_VALUE(x)	extern const struct value value_##x;
VALUES(DECLARE_VALUE)

enum value_id {
	V_ANY,			/* none: whatever it is */
#define NUMBER_VALUE(x)	V_##x,
	VALUES(NUMBER_VALUE)
};

/* Does @take for each word of @value; @take's verdicts are of the word. */
enum verdict each_word(struct parser *p, const struct key *key, char *value,
		       enum escapes escapes,
		       enum verdict (*take)(struct parser *p, const struct key *key, char *word));
enum verdict take_choice(struct parser *p, const struct key *key, char *value);
enum verdict take_timeout(struct parser *p, const struct key *key, char *value);
enum verdict take_ranged(struct parser *p, const struct key *key, char *value);
int next_word(struct parser *p, const char **s, enum escapes escapes);
void skip_var(char **path);
struct strv *strv_reset(struct strv *v);

/* specifier.c: NULL if there is nothing that a specifier stands for, which was told of */
char *expand(struct parser *p, const char *s);
char *expand_path(struct parser *p, const char *s, bool absolute);

/* machine.c */
const char *machine_text(struct unit_dirs *d, char specifier);
char *machine_architecture(void);		/* as systemd calls it; to be freed, as are these */
char *machine_id(void);				/* NULL: there is none */
char *machine_os_release(const char *name);	/* "" if it isn't there */
void machine_free(struct machine *m);

/* logger.c */
void add_logger_deps(struct file *file);
enum load load_logger(struct unit_dirs *d, const char *name, struct unit_file **f);

/* condition_path.c: 1, 0, or -1: cannot be told */
typedef int condition_fn(const char *param);

condition_fn path_exists, path_exists_glob, path_is_directory,
	path_is_symbolic_link, path_is_mount_point, path_is_read_write,
	path_is_encrypted, directory_not_empty, file_not_empty, file_is_executable;

/* virt.c: their names, NULL: in none */
const char *virt_container(void);
const char *virt_machine(void);

#endif /* _UNIT_PRIVATE_H */
