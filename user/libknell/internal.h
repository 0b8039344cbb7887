/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of libknell: what its rooms share.
 *
 * task.c     tasks: memory, names, lists
 * heap.c     timers in order
 * life.c     a loop is made, given hooks, and freed
 * loop.c     its pass: collect, then run
 * add.c      tasks come, are asked about, and go
 * io.c       who waits for which descriptor
 * source.c   whatever has news: child.c processes and trees, children.c all children
 * signal.c   signals
 * post.c     from other threads and signal handlers
 * clock.c    what time it is
 * stats.c    what each function has used; warn.c who is told
 * show_cpu.c, show.c    the tables; grid.c lays them out, json.c too
 * queue.c    the kernel's queue, wrapped
 * backend_kernel.c with kernel_source.c, backend_pidfd.c    what a loop sleeps on
 * wq.c, pool.c    stand on the public interface
 * quagga.c, quagga_more.c    Quagga's names: knell_quagga.h
 *
 * Only the loop's thread is in here, but for what is marked [any thread] or [handler].
 */
#ifndef KNELL_INTERNAL_H
#define KNELL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "knell.h"
#include "source.h"
#include "stats.h"
#include "task.h"

/*
 * heap.c: a 4-heap of deadlines. The key lies in the heap, so that to sift touches no task; ties
 * are broken by a number that counts up.
 */

enum heap_id { HEAP_MONOTONIC, HEAP_BACKGROUND, HEAP_REALTIME, HEAP_BOOTTIME, HEAPS };

struct heap_node {
	uint64_t deadline;
	uint64_t tie;			/* the count, and below it the task's index */
};

static inline uint32_t node_seq(const struct heap_node *n)
{
	return n->tie >> 32;
}

static inline uint32_t node_idx(const struct heap_node *n)
{
	return (uint32_t)n->tie;
}

struct heap {
	struct heap_node *node;		/* 3 behind what was allocated: four children, one line */
	uint32_t nr, room;
	uint32_t dead;			/* of these nodes: their tasks were cancelled */
	uint32_t out;			/* periodic ones that are listed: room is kept for them */
	uint32_t seq;
	uint32_t slacks;		/* tasks in it that have slack */
};

int heap_add(struct knell_loop *l, enum heap_id id, struct task *t);	/* by t->due */
void heap_del(struct knell_loop *l, struct task *t, uint32_t idx);	/* its own */
/* When to wake up at the latest: the first deadline, put off by what slack allows. KNELL_NEVER */
uint64_t heap_wake(const struct knell_loop *l, const struct heap *h);
void heap_free(struct heap *h);
static inline uint64_t heap_first(const struct heap *h)
{
	return h->nr ? h->node[0].deadline : KNELL_NEVER;
}

/*
 * io.c: descriptors by number, in pages that come when they are needed.
 */

struct io {
	uint32_t task[2];		/* who reads, who writes; NO_TASK */
	uint32_t watch[2];		/* kernel backend: handles, 0: none */
	uint32_t watch_of[2];		/* kernel backend: generations of the tasks they are for */
	uint32_t armed;			/* pidfd backend: what epoll was told */
	uint32_t gen;			/* pidfd backend: and in which turn */
	bool dirty;			/* in the loop's list of changed ones */
	bool known;			/* pidfd backend: epoll has it */
	int next_dirty;			/* fd, or -1 */
};

#define IO_PAGE		64		/* most have few */

struct io_table {
	struct io **page;
	int nr_pages;
	int first_dirty;		/* fd, or -1 */
	size_t waiting;			/* tasks that wait for one */
};

struct io *io_find(const struct knell_loop *l, int fd);	/* NULL: never used */
/* What is waited for now: EPOLLIN, EPOLLOUT or both; 0. */
uint32_t io_wanted(const struct knell_loop *l, const struct io *io);
/* Its backend shall look at it when it tells the kernel what has changed. */
void io_touch(struct knell_loop *l, int fd);
/* Takes one of these off the list: its fd, or -1. */
int io_next_dirty(struct knell_loop *l);
/* A backend heard of it: READ or WRITE, poll's bits, a positive errno, loop's time. */
void io_event(struct knell_loop *l, int fd, enum knell_kind kind, uint32_t revents, int error,
	      uint64_t when);
void io_forget(struct knell_loop *l, struct task *t);	/* it runs, or is cancelled */
void io_free(struct knell_loop *l);

/*
 * signal.c
 */

struct listener {
	struct listener *next;
	uint64_t nr;			/* ascending: one that a callback adds waits for the next */
	int signo;
	knell_task task;
};

#define CAUGHT_MAX	128

struct ear;				/* the loop's place in the process's table */

struct caught {
	_Atomic bool full;
	uint64_t when;			/* CLOCK_MONOTONIC */
	siginfo_t info;
};

struct signals {
	struct listener *first;
	uint64_t nr;
	struct ear *ear;		/* NULL: has never listened */
	struct listener *cursor;	/* who is to be told of @info next; NULL */
	uint64_t upto;			/* listener.nr, of those that are */
	uint64_t when;			/* loop's time */
	siginfo_t info;
	const siginfo_t *now;		/* for loop_dispatch() */
	_Atomic bool caught;		/* [handler] something is to be looked at */
	_Atomic uint32_t head, tail;	/* [handler] of the ring */
	struct caught *ring;		/* [handler] CAUGHT_MAX of them; NULL: has never listened */
	_Atomic uint64_t flood;		/* [handler] a bit for each that found it full */
};

/*
 * Runs the callbacks of what was caught, now, by loop_dispatch() with task.due set; before every
 * task, and not within one. A loop that is about to sleep says so (posts.asleep, and a full fence)
 * before it looks at signals_caught() for the last time.
 */
void signals_run(struct knell_loop *l);
void signals_free(struct knell_loop *l);
void signal_cancel(struct knell_loop *l, struct task *t);
/* SIGCHLD for the library's own use. 0 or -errno. */
int signal_child_use(struct knell_loop *l);
void signal_child_unuse(struct knell_loop *l);

static inline bool signals_caught(struct knell_loop *l);

/*
 * post.c
 */

/* An event from another thread. */
struct post {
	struct post *next;
	const struct knell_site *site;
	knell_cb *cb;
	void *arg;
	uint64_t when;			/* CLOCK_MONOTONIC */
	int val;
	uint8_t task_flags;		/* 0 or TASK_ALIAS; then drop() also if no event yet */
	bool kept;			/* not to be freed: the memory is the sender's */
};

struct request;				/* knell_cancel_sync() */

struct posts {
	_Atomic(struct post *) head;	/* [any thread] latest first */
	_Atomic bool asleep;		/* the loop may be sleeping: who posts has to ring */
	_Atomic bool rung;		/* and one has */
	_Atomic bool stop;		/* [handler] */
	_Atomic uint64_t posted, rings;
	_Atomic unsigned int inside;	/* [handler] threads that have not come back */
	pthread_mutex_t lock;		/* covers requests, broken */
	pthread_cond_t answered;
	struct request *requests;
	int broken;			/* -errno of poll(), for good; by the loop's thread */
	_Atomic bool requested;
	_Atomic pthread_t owner;	/* made the loop, or ran it last */
	struct post *left, **left_end;	/* for want of memory */
	_Atomic size_t jobs;		/* [any thread] of pools, that will post to this loop */
};

int posts_init(struct knell_loop *l);
void posts_close(struct knell_loop *l);	/* waits for those who are posting */
void posts_free(struct knell_loop *l);
void posts_take(struct knell_loop *l);	/* they become events, requests are answered */
void posts_break(struct knell_loop *l, int err);	/* the loop fails for good */
bool posts_any(struct knell_loop *l);	/* anything of these, or stop */
void loop_wake(struct knell_loop *l);	/* [any thread] [handler] it shall look */
/* The same as knell_post(), in memory that the sender keeps until the callback or drop() is
 * called: cannot fail. Sets @next, @when and @kept. [any thread] */
void post_send(struct knell_loop *l, struct post *p);
/* pool.c: a job that ends in @l begins and has ended. [any thread] */
void loop_job_begin(struct knell_loop *l);
void loop_job_end(struct knell_loop *l);

/*
 * clock.c
 */

struct clocks {
	uint64_t now[HEAPS];		/* by each heap's clock; [MONOTONIC] is knell_now() */
	uint64_t skew[HEAPS];		/* loop's time - real one, while it runs */
	uint64_t told[HEAPS];		/* REALTIME, BOOTTIME: what the backend was told */
	bool paused;
	bool auto_advance;
	unsigned int inhibit;
	bool advancing;
	uint64_t target;		/* knell_clock_advance() to there */
	unsigned int passes;		/* advancing: without a step, because of events */
};

void clock_update(struct knell_loop *l);	/* all that heaps need */
void clock_update_others(struct knell_loop *l);	/* all but MONOTONIC, which each task's end reads */
void clock_set_raw(struct knell_loop *l, uint64_t raw);	/* CLOCK_MONOTONIC was just read */
bool clock_step(struct knell_loop *l);		/* advancing: to the next deadline; false: there */
uint64_t clock_raw(void);			/* CLOCK_MONOTONIC */
uint64_t clock_now(const struct knell_loop *l, enum heap_id id);	/* read, not noted */
/* CLOCK_MONOTONIC as the loop's time. */
uint64_t clock_from_raw(const struct knell_loop *l, uint64_t raw);
/* CLOCK_MONOTONIC until when the loop may sleep for its timers; KNELL_NEVER; 0: due. */
uint64_t clock_deadline(struct knell_loop *l);
/* Nothing is ready and the clock stands: true if it was put forward to the next timer. */
bool clock_auto_advance(struct knell_loop *l);

/*
 * json.c, grid.c: what tables are written with
 */

/* Values follow each other in an object or array; commas come by themselves. */
struct json {
	FILE *f;
	bool comma;
};

/* @key: NULL in an array. @bracket: '{' or '[', and its pendant to close. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_str(struct json *j, const char *key, const char *val);	/* any bytes; NULL: null */
void json_num(struct json *j, const char *key, uint64_t val);
void json_bool(struct json *j, const char *key, bool val);
/* To the end of a line, and what has become of the file: 0 or -EIO. */
int json_done(struct json *j);
int file_done(FILE *f);
/* One word or several, with nothing in it that a terminal would obey. */
void text_str(FILE *f, const char *s);

enum cell_kind {
	CELL_STR,
	CELL_NUM,
	CELL_TIME,			/* ns; as text in seconds */
	CELL_BOOL,			/* as text "yes", "no" */
};

struct column {
	const char *key;		/* JSON; of times it ends in _ns */
	const char *head;		/* text */
	enum cell_kind kind;
};

struct cell {
	char *str;			/* STR, owned; NULL: "-", null */
	uint64_t num;
};

/* Rows of cells. Memory that is wanting is told of by grid_print() alone. */
struct grid {
	const struct column *column;
	unsigned int columns;
	struct cell *cell;
	size_t nr, room;
	bool failed;
};

void grid_str(struct grid *g, const char *s);	/* the next cell; copied */
void grid_num(struct grid *g, uint64_t num);	/* NUM, TIME, BOOL */
void grid_site(struct grid *g, const struct knell_site *site);	/* "file:line" */
/* As a table, or {"loop":NAME,KEY:[{...},...]}. Frees the rows. 0, -ENOMEM, -EIO */
int grid_print(struct grid *g, FILE *f, enum knell_format format, const char *loop,
	       const char *key);
/* One row as "head value" lines, or {"loop":NAME,...}. The same. */
int grid_print_record(struct grid *g, FILE *f, enum knell_format format, const char *loop);

/*
 * wq.c, for KNELL_SHOW_WQ
 */
struct wq_info {
	const char *name;
	bool plugged;
	size_t items;
	unsigned int hold_ms;
	uint64_t runs;			/* times it was worked on */
	uint64_t yields;		/* and ended because the time was over */
	uint64_t items_done;		/* tries, in all runs */
	uint64_t errors;
	uint64_t longest_ns;		/* of the runs */
	unsigned int best;		/* most tries in a run */
	unsigned int worst;		/* fewest in one that had to yield; 0: none had */
	unsigned int granularity;	/* tries between two looks at knell_should_yield() */
};

/* The one after @wq; NULL: the first. NULL: no more. */
struct knell_wq *wq_next(const struct knell_loop *l, const struct knell_wq *wq,
			 struct wq_info *info);
/* For quagga_more.c, where numbers may change: before an item is added. */
void wq_tune(struct knell_wq *wq, unsigned int max_retries, unsigned int hold_ms);
/* Called with the queue's data when no function of it will be called any more. */
void wq_on_free(struct knell_wq *wq, void (*gone)(void *data));
unsigned int wq_tries(const struct knell_wq *wq);	/* in the error function: of that item */
bool wq_scheduled(const struct knell_wq *wq);

/*
 * backend_*.c
 */

struct knell_info;

struct backend_ops {
	enum knell_backend id;
	/* 0 or -errno. A loop that cannot be opened is not closed. */
	int (*open)(struct knell_loop *l, const struct knell_loop_attr *attr);
	/* Also in a forked child: closes and frees, tells nobody. */
	void (*close)(struct knell_loop *l);
	/*
	 * Tells the kernel what has changed (io_next_dirty(), and what it has noted itself),
	 * takes up to l->batch things that have happened and tells io_event(), child_ended()
	 * and the like, in one system call where it can. Sleeps until there is one, or
	 * CLOCK_MONOTONIC is @until; 0: does not sleep, KNELL_NEVER. 0 or -errno: the end;
	 * EINTR is 0.
	 */
	int (*poll)(struct knell_loop *l, uint64_t until);
	/* [any thread] [handler] makes poll() return, now or the next time. */
	void (*ring)(struct knell_loop *l);
	/* What knell_loop_fd() returns. */
	int (*fd)(struct knell_loop *l);
	/* Tells the kernel all, so that fd() can be read when there is something, by @until at
	 * the latest. Takes nothing. For loops in loops. */
	int (*flush)(struct knell_loop *l, uint64_t until);
	/* One deadline on another clock, HEAP_REALTIME or HEAP_BOOTTIME; KNELL_NEVER: none. */
	int (*clock_set)(struct knell_loop *l, enum heap_id clock, uint64_t deadline);
	/* What the kernel says of its queue. NULL: there is none */
	int (*queue_info)(struct knell_loop *l, struct knell_info *info);
	/* All at once, and with every refusal there is. s->pid, s->flags are set. */
	int (*child_watch)(struct knell_loop *l, struct source *s);
	void (*child_unwatch)(struct knell_loop *l, struct source *s);	/* any but RECORD */
	/* See source_pid(). NULL: there is no NEXT. */
	pid_t (*child_pid)(struct knell_loop *l, struct source *s);
	int (*child_kill)(struct knell_loop *l, struct source *s, int sig);
	/* The pidfd backend uses SIGCHLD for it. */
	int (*children_watch)(struct knell_loop *l, struct source *s);
	/* SIGCHLD has come. NULL: that says nothing new. */
	void (*sigchld)(struct knell_loop *l);
	/* NULL: EOPNOTSUPP */
	int (*tree_watch)(struct knell_loop *l, struct source *s, const char *label);
	int (*tree_join)(struct knell_loop *l, struct source *s, unsigned int flags);
	int (*submit)(struct knell_loop *l, struct knell_op *ops, unsigned int nr,
		      unsigned int flags);
	int (*submit_later)(struct knell_loop *l, const struct knell_op *op);
};

extern const struct backend_ops backend_kernel;
extern const struct backend_ops backend_pidfd;

/*
 * loop.c
 */

struct hook {
	struct hook *next;
	knell_hook *fn;
	void *arg;
	bool check;			/* after, not before */
	bool dead;			/* deleted while hooks run */
};

struct knell_loop {
	char *name;
	unsigned int batch;
	unsigned int event_interval;
	uint64_t yield_slot;
	uint64_t warn_cpu, warn_wall, warn_late;

	const struct backend_ops *ops;
	void *backend;			/* its own */
	size_t armed;			/* backend's: what the kernel may tell of; 0: don't ask */
	bool embedded;			/* knell_loop_fd() was called */
	bool running;			/* in knell_loop_run() */
	volatile uint32_t *alive;	/* a page that a forked child finds wiped: 0 */

	struct tasks tasks;
	struct heap heap[HEAPS];
	struct list list[LISTS];
	struct run *run;		/* the innermost task that runs; NULL */
	uint64_t raw;			/* CLOCK_MONOTONIC when the last one ended, or later */

	struct io_table io;
	struct sources sources;
	struct signals signals;
	struct posts posts;
	struct clocks clock;
	struct stats stats;
	struct hook *hooks;
	unsigned int in_hooks;
	struct knell_wq *wqs;		/* wq.c's list, for KNELL_SHOW_WQ */
};

static inline bool signals_caught(struct knell_loop *l)
{
	return unlikely(atomic_load_explicit(&l->signals.caught, memory_order_acquire));
}

/* The first one; NULL. */
static inline struct task *list_pop(struct knell_loop *l, enum list_id id)
{
	struct list *list = &l->list[id];
	struct task *t;

	if (list->head == NO_TASK)
		return NULL;
	t = task_at(&l->tasks, list->head);
	list->head = t->next;
	if (t->next == NO_TASK)
		list->tail = NO_TASK;
	else
		task_at(&l->tasks, t->next)->prev = NO_TASK;
	list->len--;
	t->state = TASK_WAITING;
	return t;
}

static inline void list_splice(struct knell_loop *l, enum list_id id, enum list_id from)
{
	if (l->list[from].head != NO_TASK)
		list_append(l, id, from);
}

static inline void posts_drain(struct knell_loop *l)
{
	const struct posts *p = &l->posts;

	if (unlikely(atomic_load(&p->head) || p->left || atomic_load(&p->requested)))
		posts_take(l);
}

/* NULL: there is none of that name. */
static inline struct task *task_find(const struct knell_loop *l, knell_task name)
{
	uint32_t nr = name.idx >> CHUNK_SHIFT, place = name.idx & (CHUNK_TASKS - 1);
	const struct tasks *ts = &l->tasks;
	struct task *t;

	if (unlikely(!name.gen || !place || nr >= ts->nr_chunks || !ts->chunk[nr].task))
		return NULL;
	t = &ts->chunk[nr].task[place];
	return t->gen == name.gen ? t : NULL;
}

/* A free task's @next: the next one's place, less this one's plus 1. A new page's 0 says it. */
static inline uint32_t next_free(const struct task *t, uint32_t place)
{
	return (place + 1 + t->next) & (CHUNK_TASKS - 1);
}

static inline void set_next_free(struct task *t, uint32_t place, uint32_t next)
{
	t->next = next - place - 1;
}

static inline void put_back(struct tasks *ts, struct chunk *c, struct task *t, uint32_t place)
{
	t->gen = 0;
	t->state = TASK_FREE;
	set_next_free(t, place, c->free);
	c->free = place;
	c->used--;
	ts->used--;
	ts->free++;
}

/* Whose index is known. */
static inline void task_free_at(struct knell_loop *l, struct task *t, uint32_t idx)
{
	struct tasks *ts = &l->tasks;
	struct chunk *c = &ts->chunk[idx >> CHUNK_SHIFT];

	if (unlikely(t->opts || !c->free || (c->used == 1 && ts->free >= UNUSED_MAX)))
		task_free_with_all(ts, t, idx);
	else
		put_back(ts, c, t, idx & (CHUNK_TASKS - 1));
}

/* True in a process that was forked from the loop's. */
static inline bool loop_is_copy(const struct knell_loop *l)
{
	return unlikely(!*l->alive);
}

/* Calls a task's callback with all accounting; the task is gone or as before afterwards. */
void loop_dispatch(struct knell_loop *l, struct task *t);
/* knell_execute(), of a task that loop_add() has made. */
void loop_execute(struct knell_loop *l, struct task *t, int val);
/* A task was added or has changed from outside of a run: a loop in a loop tells the kernel. */
void loop_tell(struct knell_loop *l);
static inline void loop_changed(struct knell_loop *l)
{
	if (unlikely(l->embedded))
		loop_tell(l);
}

/* A task was cancelled, or ran last of all: its descriptor may be closed now, and nothing shall
 * keep the file open. */
void loop_close_files(struct knell_loop *l);
static inline void loop_let_go(struct knell_loop *l)
{
	if (unlikely(l->io.first_dirty >= 0))
		loop_close_files(l);
}
int loop_pass(struct knell_loop *l, bool wait);
/*
 * For main loops outside: the first task that is ready, which stays where it is; signals have been
 * run. Sleeps until there is one. @budget: caller's, 0 to begin with. NULL: stopped, nothing is
 * left to wait for, or an error. And to run it.
 */
struct task *loop_next(struct knell_loop *l, unsigned int *budget);
void loop_call(struct knell_loop *l, struct task *t);
void task_cancel(struct knell_loop *l, struct task *t, uint32_t idx);	/* its own */
/* The common half of every add: errno is set when it returns NULL. */
struct task *loop_add(struct knell_loop *l, enum knell_kind kind, const struct knell_site *site,
		      knell_cb *cb, void *arg);
/* Puts a task that has something to tell into a list. One that is in a list already gets a
 * delivery, which stands for it. 0, -ENOMEM */
int loop_deliver(struct knell_loop *l, enum list_id id, struct task *t, uint64_t when);

#endif /* KNELL_INTERNAL_H */
