// SPDX-License-Identifier: GPL-2.0-only
/*
 * tick PERIOD_MS COUNT: prints a line so often, until that many are out or ctrl-C is pressed, and
 * then what the loop has to say of itself: a timer, a signal, a background task, the statistics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <knell.h>

struct ticks {
	unsigned long long nr, max;
	knell_task timer;
};

/* Behind all other tasks of its pass, when nobody waits for it. */
static void tidy(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l, (void)call, (void)arg;
	fflush(stdout);
}

/*
 * A periodic timer is due at fixed times: that one tick was late delays none of those to come. If
 * the loop was kept from running for whole periods they are told as one, with their number.
 */
static void tick(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct ticks *t = arg;

	t->nr += call->timer.expirations;
	printf("tick %llu, %llu us late\n", t->nr, (unsigned long long)call->late_ns / 1000);
	knell_add_background(l, tidy, NULL, 0);
	if (t->nr >= t->max)
		knell_loop_stop(l);		/* returns when this callback has */
}

/* No signal handler: an ordinary task, in which everything may be called. */
static void interrupted(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct ticks *t = arg;

	printf("signal %d after %llu ticks\n", call->sig->si_signo, t->nr);
	knell_cancel(l, t->timer);
	knell_cancel(l, call->task);		/* a signal's task stays until it is cancelled */
}						/* and now the loop has nothing to wait for */

int main(int argc, char **argv)
{
	struct knell_loop *l = knell_loop_new(NULL);
	struct ticks t = { 0 };

	if (!l || argc < 3) {
		fprintf(stderr, "usage: tick PERIOD_MS COUNT\n");
		return 2;
	}
	t.max = strtoull(argv[2], NULL, 10);
	t.timer = knell_add_timer_every(l, tick, &t, strtoull(argv[1], NULL, 10) * 1000000);
	if (knell_is_none(t.timer) || knell_is_none(knell_add_signal(l, interrupted, &t, SIGINT))) {
		perror("tick");
		return 1;
	}
	if (knell_loop_run(l, KNELL_RUN_DEFAULT) < 0)
		return 1;
	puts("");
	knell_stats_show(l, stdout, NULL, KNELL_TEXT);
	puts("");
	knell_show(l, KNELL_SHOW_LOOP, stdout, KNELL_TEXT);
	knell_loop_free(l);
	return 0;
}
