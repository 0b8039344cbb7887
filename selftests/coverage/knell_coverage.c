// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the module's coverage build has been, in a module of its own: it outlives the one that it
 * watches, whose way out counts, too, and adds up what several of its lives have seen.
 *
 * The compiler has each edge of the module's code call what is here, from every context; the linker
 * gives that a name that no kernel with KCOV has. An edge is told by how far it is from the
 * module's init, which a kernel of any version tells of a module, and which never moves in one build.
 *
 *	/sys/module/knell_coverage/parameters/
 *	seen	how many edges there were
 *	last	a process's pid: amid the restart it is killed, and amid its death the machine panics,
 *		which tells the edges on the console: nobody can be asked afterwards (down.c)
 *	/sys/kernel/debug/knell_coverage
 *		the edges
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/panic_notifier.h>
#include <linux/pid.h>
#include <linux/reboot.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/tracepoint.h>

/* To either side of the module's init. */
#define REACH		(1L << 20)
#define A_LINE		100

static DECLARE_BITMAP(edges, 2 * REACH);
static atomic_t seen;
static unsigned long middle;
static struct dentry *file;
static int last;
module_param(last, int, 0600);

void __wrap___sanitizer_cov_trace_pc(void);

void notrace __wrap___sanitizer_cov_trace_pc(void)
{
	unsigned long bit = (unsigned long)__builtin_return_address(0) - middle;

	/* Nearly always it was here before, and then nothing is written. */
	if (bit < 2 * REACH && !test_bit(bit, edges) && !test_and_set_bit(bit, edges))
		atomic_inc(&seen);
}
EXPORT_SYMBOL(__wrap___sanitizer_cov_trace_pc);

/* It comes: nothing of it has run yet. */
static int comes(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *module = data;

	if (state == MODULE_STATE_COMING && !strcmp(module->name, "knell"))
		middle = (unsigned long)module->init - REACH;
	return NOTIFY_OK;
}

static struct notifier_block coming = { .notifier_call = comes };

static int tell_show(struct seq_file *m, void *unused)
{
	unsigned long bit, nr = 0;

	for_each_set_bit(bit, edges, 2 * REACH)
		seq_printf(m, "%ld%c", (long)bit - REACH, ++nr % A_LINE ? ' ' : '\n');
	seq_putc(m, '\n');
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(tell);

/*
 * Its parent is told, with interrupts off, after whoever watches it: what they have queued for an
 * interrupt only the panic can write.
 */
static void dies(void *data, int sig, struct kernel_siginfo *info, struct task_struct *task,
		 int group, int result)
{
	if (sig == SIGCHLD && current->tgid == last)
		panic("knell_coverage: amid a death");
}

static void found(struct tracepoint *tracepoint, void *data)
{
	if (!strcmp(tracepoint->name, "signal_generate"))
		*(struct tracepoint **)data = tracepoint;
}

static int restarts(struct notifier_block *block, unsigned long action, void *command)
{
	struct tracepoint *signal = NULL;
	struct pid *pid = last ? find_get_pid(last) : NULL;

	for_each_kernel_tracepoint(found, &signal);
	if (pid && signal && !tracepoint_probe_register(signal, dies, NULL)) {
		kill_pid(pid, SIGKILL, 1);
		msleep(MSEC_PER_SEC * 60);
	}
	put_pid(pid);
	return NOTIFY_DONE;
}

static int panics(struct notifier_block *block, unsigned long action, void *text)
{
	static char line[A_LINE * 8];
	unsigned long bit;
	int len = 0;

	if (!last)
		return NOTIFY_DONE;
	for_each_set_bit(bit, edges, 2 * REACH) {
		len += scnprintf(line + len, sizeof(line) - len, " %ld", (long)bit - REACH);
		if (len < sizeof(line) - 16)
			continue;
		pr_emerg("knell_coverage:%s\n", line);
		len = 0;
	}
	pr_emerg("knell_coverage:%s\n", len ? line : "");
	return NOTIFY_DONE;
}

/* Both after all others. */
static struct notifier_block restarting = { .notifier_call = restarts, .priority = INT_MIN };
static struct notifier_block panicking = { .notifier_call = panics, .priority = INT_MIN };

static int get_seen(char *text, const struct kernel_param *param)
{
	return scnprintf(text, PAGE_SIZE, "%d\n", atomic_read(&seen));
}

static const struct kernel_param_ops seen_ops = {
	.get = get_seen,
};
module_param_cb(seen, &seen_ops, NULL, 0400);

static int __init begin(void)
{
	int err = register_module_notifier(&coming);

	if (err)
		return err;
	register_reboot_notifier(&restarting);
	atomic_notifier_chain_register(&panic_notifier_list, &panicking);
	file = debugfs_create_file("knell_coverage", 0400, NULL, NULL, &tell_fops);
	return 0;
}

static void __exit end(void)
{
	debugfs_remove(file);
	atomic_notifier_chain_unregister(&panic_notifier_list, &panicking);
	unregister_reboot_notifier(&restarting);
	unregister_module_notifier(&coming);
}

module_init(begin);
module_exit(end);

MODULE_DESCRIPTION("Where knell's coverage build has been");
MODULE_AUTHOR("The knell developers");
MODULE_LICENSE("GPL");
