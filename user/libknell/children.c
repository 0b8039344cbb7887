// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All children, one by one or by looking at them.
 *
 * A look finds zombies, and has to know which of them are news. By the kernel backend a zombie
 * is a suspect until what was pending in the queue has been read: if its record, whichever
 * task's, was among that, then it was not lost. What has been told of and is somebody else's
 * to reap is in a table; that another process of the same pid is meant is told by its age.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#define TOLD_MIN	64
/* As soon as that, if /proc could not be read for want of something. */
#define AGAIN_NS	(10 * NSEC_PER_MSEC)

typedef void each_fn(struct knell_loop *l, pid_t pid);

/*
 * Who they are
 */

/* There is no /proc, or who was looked for is gone: to try again is of no use. */
static bool is_final(int err)
{
	return err == -ENOENT || err == -ESRCH || err == -ENOTDIR || err == -EACCES ||
	       err == -EPERM;
}

static int each_in(struct knell_loop *l, const char *path, each_fn *fn)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = 10 * pid + (buf[i] - '0');
			} else if (pid) {
				fn(l, pid);
				pid = 0;
			}
		}
	}
	close(fd);
	return n < 0 ? -errno : 0;
}

/* A thread that has just ended has given its children to another. */
static int each_once(struct knell_loop *l, each_fn *fn)
{
	DIR *dir = opendir("/proc/self/task");
	char path[sizeof("/proc/self/task//children") + 20];
	int ret, err = dir ? -ENOENT : -errno;
	const struct dirent *d;

	if (!dir)
		return err;
	while ((errno = 0, d = readdir(dir))) {
		if (*d->d_name == '.' || strlen(d->d_name) > 20)
			continue;
		strcpy(stpcpy(stpcpy(path, "/proc/self/task/"), d->d_name), "/children");
		ret = each_in(l, path, fn);
		if (ret ? !is_final(ret) : is_final(err))
			err = ret;
	}
	if (errno)
		err = -errno;
	closedir(dir);
	return err;
}

/* Calls @fn for each, perhaps twice: one that is reaped meanwhile can hide others from a look. */
static int each_child(struct knell_loop *l, each_fn *fn)
{
	int err = each_once(l, fn);

	return err ? err : each_once(l, fn);
}

/*
 * Who was told of
 */

static struct told *told_place(struct told *table, size_t room, pid_t pid)
{
	size_t i = (uint32_t)pid * 0x9e3779b1U >> 8;

	while (table[i & (room - 1)].pid && table[i & (room - 1)].pid != pid)
		i++;
	return &table[i & (room - 1)];
}

static void told_mark(struct knell_loop *l, pid_t pid)
{
	struct told *t = told_place(l->sources.told, l->sources.room_told, pid);

	t->there = true;
}

/* Those that have been reaped go, and if they are few there will be room for more. */
static int told_sweep(struct knell_loop *l)
{
	struct sources *ss = &l->sources;
	size_t left = 0, room = TOLD_MIN;
	struct told *table;
	bool known;

	for (size_t i = 0; i < ss->room_told; i++)
		ss->told[i].there = false;
	known = ss->room_told && !each_child(l, told_mark);
	for (size_t i = 0; i < ss->room_told; i++)
		left += ss->told[i].pid && (ss->told[i].there || !known);
	while (room < 4 * left)
		room *= 2;
	table = calloc(room, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < ss->room_told; i++)
		if (ss->told[i].pid && (ss->told[i].there || !known))
			*told_place(table, room, ss->told[i].pid) = ss->told[i];
	free(ss->told);
	ss->told = table;
	ss->room_told = room;
	ss->nr_told = left;
	return 0;
}

static void look_again(struct knell_loop *l)
{
	l->sources.look_again = clock_raw() + AGAIN_NS;
}

static uint64_t boottime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* How far CLOCK_BOOTTIME is ahead. Between two looks much time may pass: not too much, and it
 * counts as part of the answer, so that nobody is taken for made after he has ended. */
static uint64_t boottime_ahead(void)
{
	uint64_t before, boot;
	int tries = 10;

	do {
		before = clock_raw();
		boot = boottime();
	} while (clock_raw() - before > NSEC_PER_MSEC && --tries);
	return boot - before;
}

/* For want of memory it is not noted, and may be told of twice. */
static void told_add(struct knell_loop *l, pid_t pid, uint64_t ended)
{
	struct sources *ss = &l->sources;
	struct told *t;

	if (pid <= 0)
		return;
	if (2 * ss->nr_told >= ss->room_told && told_sweep(l) && ss->nr_told + 1 >= ss->room_told)
		return;
	t = told_place(ss->told, ss->room_told, pid);
	ss->nr_told += !t->pid;
	*t = (struct told){ .pid = pid, .ended = ended };
}

void children_note(struct knell_loop *l, const struct knell_child *end)
{
	if (l->sources.children)
		told_add(l, end->pid, end->exit_ns + boottime_ahead());
}

/*
 * When a process was made, to a clock tick; KNELL_NEVER: it cannot be known, or when it is asked
 * again, which it will be.
 */
static uint64_t made_at(struct knell_loop *l, pid_t pid)
{
	char path[32], buf[1024], *p;
	unsigned long long ticks;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n < 0 && !is_final(-errno))
		look_again(l);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return KNELL_NEVER;
	buf[n] = '\0';
	/* The second field, a name in parentheses, may have anything in it; this is the 22nd. */
	p = strrchr(buf, ')');
	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return KNELL_NEVER;
	ticks = strtoull(p, NULL, 10);
	return ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* A zombie of that pid: is it the one that was told of, or a later process? */
static bool was_told(struct knell_loop *l, pid_t pid)
{
	const struct sources *ss = &l->sources;
	const struct told *t = ss->room_told ? told_place(ss->told, ss->room_told, pid) : NULL;
	uint64_t made;

	if (!t || !t->pid)
		return false;
	made = made_at(l, pid);
	return made == KNELL_NEVER || made <= t->ended;
}

/*
 * Who may have been lost
 */

static int suspect_add(struct knell_loop *l, const struct knell_child *end)
{
	struct sources *ss = &l->sources;
	size_t room = ss->room_suspects ? 2 * ss->room_suspects : 16;
	struct suspect *s = ss->suspect;

	if (ss->nr_suspects == ss->room_suspects) {
		s = reallocarray(s, room, sizeof(*s));
		if (!s)
			return -ENOMEM;
		ss->suspect = s;
		ss->room_suspects = room;
	}
	ss->fresh = true;
	s[ss->nr_suspects++] = (struct suspect){ .found = clock_raw(), .end = *end };
	return 0;
}

/* Is it, or any of them, a zombie? @how: WNOWAIT, or 0 and it is none any more. */
static bool has_ended(struct knell_loop *l, idtype_t type, pid_t pid, int how,
		      struct knell_child *end)
{
	siginfo_t si = { 0 };
	struct rusage ru;

	l->stats.count.syscalls++;
	if (syscall(SYS_waitid, type, pid, &si, how | WEXITED | WNOHANG | __WALL, &ru) ||
	    !si.si_pid)
		return false;
	*end = (struct knell_child){ .pid = si.si_pid, .exit_ns = clock_raw() };
	child_fill(end, &si, &ru);
	return true;
}

/* @stays: a zombie, and will be found again. */
static int found(struct knell_loop *l, struct knell_child *end, bool stays)
{
	int err;

	end->flags |= KNELL_CHILDF_OVERFLOW;
	err = suspect_add(l, end);
	/* Once is enough. */
	if (!err && stays)
		told_add(l, end->pid, boottime());
	return err;
}

static void look_at(struct knell_loop *l, pid_t pid)
{
	struct knell_child end;

	/* One that has a task is told by its own watch. */
	if (source_find(l, pid) || !has_ended(l, P_PID, pid, WNOWAIT, &end) || was_told(l, pid))
		return;
	if (found(l, &end, true))
		l->sources.rescan = true;
}

/* Nothing else may tell of whom this has missed. */
static void look_at_all(struct knell_loop *l)
{
	int err;

	l->sources.look_again = 0;
	err = each_child(l, look_at);
	if (err && !is_final(err))
		look_again(l);
}

void children_look(struct knell_loop *l)
{
	l->sources.rescan = false;
	l->stats.count.rescans++;
	look_at_all(l);
}

void children_look_again(struct knell_loop *l)
{
	if (clock_raw() < l->sources.look_again)
		return;
	l->sources.look_again = 0;
	if (!l->sources.children)
		return;
	if (l->ops->id == KNELL_BACKEND_PIDFD)
		children_rescan(l);
	else
		l->sources.rescan = true;
}

void children_left(struct knell_loop *l, pid_t pid)
{
	if (pid > 0)
		look_at(l, pid);
	else
		l->sources.rescan = true;
	if (l->ops->id == KNELL_BACKEND_PIDFD)
		children_judge(l);
}

void children_heard(struct knell_loop *l, pid_t pid, uint64_t start_ns)
{
	struct sources *ss = &l->sources;

	for (size_t i = 0; i < ss->nr_suspects; i++) {
		if (ss->suspect[i].end.pid != pid || start_ns > ss->suspect[i].found)
			continue;
		ss->suspect[i] = ss->suspect[--ss->nr_suspects];
		return;
	}
}

void children_inherit(struct knell_loop *l, struct news *n)
{
	struct source *s = l->sources.children;

	if (l->sources.orphans)
		n->child.flags |= KNELL_CHILDF_ADOPTED;
	news_tell(l, s, n, false);
	if (s->flags & KNELL_CHILD_AUTOREAP)
		child_reap(l, n->child.pid);
	else
		children_note(l, &n->child);
}

static int tell(struct knell_loop *l, const struct knell_child *end, uint64_t when)
{
	struct news *n = news_new(l, l->sources.children, when);

	if (!n)
		return -ENOMEM;
	n->child = *end;
	children_inherit(l, n);
	return 0;
}

void children_judge(struct knell_loop *l)
{
	struct sources *ss = &l->sources;

	while (ss->nr_suspects) {
		const struct suspect *s = &ss->suspect[ss->nr_suspects - 1];

		/* For want of memory it stays. */
		if (tell(l, &s->end, clock_from_raw(l, s->end.exit_ns)))
			return;
		ss->nr_suspects--;
	}
}

void children_ended(struct knell_loop *l, struct knell_child *end, uint64_t when)
{
	/*
	 * Its task was added when it was dead already, whose own record is pending then; or the
	 * task is another's, of the same pid.
	 */
	if (source_find(l, end->pid) && !suspect_add(l, end))
		return;
	/* There is memory, or else the record would not have been taken. */
	tell(l, end, when);
}

/*
 * Stopped, or going on
 */

static void look_stopped(struct knell_loop *l, struct source *s)
{
	int what = (s->flags & KNELL_CHILD_STOP ? WSTOPPED : 0) |
		   (s->flags & KNELL_CHILD_CONT ? WCONTINUED : 0);
	struct news *n;
	siginfo_t si;

	if (!s->pid)
		s->pid = source_pid(l, s);
	while (s->pid) {
		n = news_new(l, s, knell_now(l));
		if (!n)
			return;
		si.si_pid = 0;
		l->stats.count.syscalls++;
		if (waitid(P_PID, (id_t)s->pid, &si, what | WNOHANG | __WALL) || !si.si_pid) {
			news_free(l, n);
			return;
		}
		n->child = (struct knell_child){
			.pid = s->pid, .uid = si.si_uid, .exit_ns = clock_raw(),
		};
		child_set_status(&n->child, si.si_code == CLD_CONTINUED ? 0xffff :
				 si.si_status << 8 | 0x7f);
		news_tell(l, s, n, false);
	}
}

/* Nobody but us wants a zombie; what is left for want of memory is found again. */
static void reap_all(struct knell_loop *l)
{
	struct news *n;

	while ((n = news_new(l, l->sources.children, 0))) {
		if (!has_ended(l, P_ALL, 0, 0, &n->child)) {
			news_free(l, n);
			return;
		}
		n->when = clock_from_raw(l, n->child.exit_ns);
		n->child.flags |= l->sources.orphans ? KNELL_CHILDF_ADOPTED : 0;
		news_tell(l, l->sources.children, n, false);
	}
}

/*
 * By the other backend this is how children without a task are heard of. Those that are reaped
 * at once need no walk through all.
 */
static void look_for_ended(struct knell_loop *l)
{
	bool reaps = l->sources.children->flags & KNELL_CHILD_AUTOREAP;
	struct knell_child end;

	if (reaps && !l->sources.nr_hashed && !l->sources.nr_told && !l->sources.nr_suspects) {
		reap_all(l);
		return;
	}
	/* What is left for want of memory would be found again. */
	children_judge(l);
	while (!l->sources.nr_suspects && has_ended(l, P_ALL, 0, WNOWAIT, &end)) {
		if (!reaps || source_find(l, end.pid) || was_told(l, end.pid) ||
		    found(l, &end, false)) {
			look_at_all(l);
			children_judge(l);
			return;
		}
		children_judge(l);
	}
}

void children_rescan(struct knell_loop *l)
{
	struct sources *ss = &l->sources;

	for (struct source *s = ss->stops; s; s = s->stop_next)
		look_stopped(l, s);
	if (ss->children && l->ops->id == KNELL_BACKEND_PIDFD)
		look_for_ended(l);
}

/*
 * Beginning and end
 */

void children_begin(struct knell_loop *l)
{
	int reaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &reaper);
	l->sources.orphans = reaper || getpid() == 1;
	l->sources.rescan = true;
	if (l->ops->id == KNELL_BACKEND_PIDFD)
		children_rescan(l);
}

void children_forget(struct knell_loop *l)
{
	struct sources *ss = &l->sources;

	free(ss->told);
	free(ss->suspect);
	ss->told = NULL;
	ss->suspect = NULL;
	ss->nr_told = ss->room_told = ss->nr_suspects = ss->room_suspects = 0;
	ss->look_again = 0;
	ss->rescan = false;
}
