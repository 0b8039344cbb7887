// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool PATH...: how large each is. stat(2) can block for minutes, on a network file system that
 * does not answer, and nothing else would happen in the loop: it is done in threads of a pool, and
 * the loop hears of the results. Threads are made when they are wanted, and used again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <knell.h>

/* Belongs to the thread until it has returned, then to the loop: no lock is needed. */
struct job {
	const char *path;
	struct stat st;
	int err;
};

static int left;

/* In a thread of the pool. */
static void look(void *arg)
{
	struct job *job = arg;

	job->err = stat(job->path, &job->st) ? errno : 0;
}

/* In the loop's thread, as a task like any other. */
static void looked(struct knell_loop *l, void *arg, int status)
{
	struct job *job = arg;

	if (status)			/* -ECANCELED: the pool was shut down first */
		printf("%s: not looked at\n", job->path);
	else if (job->err)
		printf("%s: %s\n", job->path, strerror(job->err));
	else
		printf("%s: %lld bytes\n", job->path, (long long)job->st.st_size);
	if (!--left)
		knell_loop_stop(l);
}

int main(int argc, char **argv)
{
	struct knell_pool_attr attr = { .name = "stat", .max = 4 };
	struct knell_loop *l = knell_loop_new(NULL);
	struct knell_pool *pool = knell_pool_new(&attr);
	struct job *jobs = calloc(argc, sizeof(*jobs));
	struct knell_pool_stats stats;
	int i, err;

	if (!l || !pool || !jobs) {
		perror("pool");
		return 1;
	}
	for (i = 1; i < argc; i++) {
		jobs[i].path = argv[i];
		err = knell_pool_submit(pool, l, look, looked, &jobs[i], 0, NULL);
		if (err)		/* -EAGAIN: so many wait that this one has to come again later */
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-err));
		else
			left++;
	}
	if (left && knell_loop_run(l, KNELL_RUN_DEFAULT) < 0)
		return 1;
	knell_pool_stats_get(pool, &stats);
	printf("%llu jobs, %llu threads made, %llu jobs by a thread that was there\n",
	       (unsigned long long)stats.completed, (unsigned long long)stats.created,
	       (unsigned long long)stats.reused);
	knell_pool_shutdown(pool, KNELL_NEVER);		/* before the loop it reports to */
	knell_loop_free(l);
	free(jobs);
	return 0;
}
