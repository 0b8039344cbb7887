// SPDX-License-Identifier: GPL-2.0-only
/*
 * A panic amid a death: when the process that is called NAME (name=NAME) dies, where its parent is
 * sent SIGCHLD. Its hooks have been called just before, in the same section without interrupts, so
 * the black box has queued what they told, and its writer, an interrupt, cannot have come yet. This
 * is the only way to write it: the panic.
 *
 * do_notify_parent() wakes who waits for the pid and then sends the signal, and a signal passes the
 * tracepoint signal_generate.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

static char *name = "";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "whose death it is");

static struct tracepoint *signal_generate;

static void last_word(void *data, int sig, struct kernel_siginfo *info, struct task_struct *task,
		      int group, int result)
{
	if (sig == SIGCHLD && !strcmp(current->comm, name))
		panic("amid a death, interrupts %s", irqs_disabled() ? "off" : "on");
}

static void last_word_found(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "signal_generate"))
		signal_generate = tp;
}

static int __init last_word_init(void)
{
	for_each_kernel_tracepoint(last_word_found, NULL);
	if (!signal_generate)
		return -ENOENT;
	return tracepoint_probe_register(signal_generate, last_word, NULL);
}
module_init(last_word_init);

static void __exit last_word_exit(void)
{
	tracepoint_probe_unregister(signal_generate, last_word, NULL);
	tracepoint_synchronize_unregister();
}
module_exit(last_word_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A panic amid a death, for the test of knell's black box");
