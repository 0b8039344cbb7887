#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tells what the kernel has that compat.h asks for, by compiling: backports make version numbers lie.
#
# usage: compat.sh COMPILER [FLAG...]	(Kbuild; the definitions are on stdout)
set -eu

compiles()
{
	"$@" -fsyntax-only -x c -
}

# has NAME: there is KNELL_HAVE_NAME if what is on stdin compiles.
has()
{
	name=$1
	shift
	if compiles "$@" 2>/dev/null; then
		echo "#define KNELL_HAVE_$name 1"
	fi
}

# Where nothing compiles, nothing would be there.
echo '#include <linux/module.h>' | compiles "$@" >&2

# 6.13
has HRTIMER_SETUP "$@" <<'END'
#include <linux/hrtimer.h>
void probe(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *));
void probe(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
}
END

# 5.11
has IRQ_WORK_IS_PENDING "$@" <<'END'
#include <linux/irq_work.h>
bool probe(struct irq_work *work);
bool probe(struct irq_work *work)
{
	return irq_work_is_pending(work);
}
END

# 6.0
has ITER_UBUF "$@" <<'END'
#include <linux/uio.h>
void probe(struct iov_iter *iter, void __user *buf);
void probe(struct iov_iter *iter, void __user *buf)
{
	iov_iter_ubuf(iter, READ, buf, 1);
}
END

# 5.14; before that it was in linux/kernel.h.
has PANIC_NOTIFIER_H "$@" <<'END'
#include <linux/panic_notifier.h>
END

# 6.6
has GENL_INFO_DUMP "$@" <<'END'
#include <net/genetlink.h>
const struct genl_info *probe(struct netlink_callback *cb);
const struct genl_info *probe(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}
END

# 6.7
has GET_FILE_ACTIVE "$@" <<'END'
#include <linux/fs.h>
struct file *probe(struct file **file);
struct file *probe(struct file **file)
{
	return get_file_active(file);
}
END

# 6.9
has GENL_BIND "$@" <<'END'
#include <net/genetlink.h>
int probe(struct genl_family *family);
int probe(struct genl_family *family)
{
	return family->bind(0);
}
END

# 6.17
has WQ_PERCPU "$@" <<'END'
#include <linux/workqueue.h>
struct workqueue_struct *probe(struct work_struct *work);
struct workqueue_struct *probe(struct work_struct *work)
{
	queue_work(system_dfl_wq, work);
	queue_work(system_percpu_wq, work);
	return alloc_workqueue("probe", WQ_PERCPU, 0);
}
END

# 6.16
has CONST_BIN_ATTRIBUTE "$@" <<'END'
#include <linux/sysfs.h>
ssize_t probe(struct file *file, struct kobject *object, const struct bin_attribute *attribute,
	      char *buf, loff_t off, size_t count);
extern struct bin_attribute attribute;
void set(void);
void set(void)
{
	attribute.read = probe;
}
END
