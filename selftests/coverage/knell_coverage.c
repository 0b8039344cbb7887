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
 *	/sys/kernel/debug/knell_coverage
 *		the edges
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

/* To either side of the module's init. */
#define REACH		(1L << 20)
#define A_LINE		100

static DECLARE_BITMAP(edges, 2 * REACH);
static atomic_t seen;
static unsigned long middle;
static struct dentry *file;

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

	if (!err)
		file = debugfs_create_file("knell_coverage", 0400, NULL, NULL, &tell_fops);
	return err;
}

static void __exit end(void)
{
	debugfs_remove(file);
	unregister_module_notifier(&coming);
}

module_init(begin);
module_exit(end);

MODULE_DESCRIPTION("Where knell's coverage build has been");
MODULE_AUTHOR("The knell developers");
MODULE_LICENSE("GPL");
