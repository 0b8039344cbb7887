// SPDX-License-Identifier: GPL-2.0-only
/* What a queue holds: KNELL_IOC_INFO, KNELL_IOC_LIST and /proc/PID/fdinfo. */
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "file.h"
#include "keep.h"
#include "queue.h"
#include "quota.h"
#include "watch.h"

static_assert(sizeof(struct knell_info) == 80);
static_assert(sizeof(struct knell_name) == 96);
static_assert(sizeof(struct knell_watch_info) == 96);
static_assert(sizeof(struct knell_list) == 24);

#define KNELL_FEATURES	(BIT_ULL(KNELL_PROCESS) | BIT_ULL(KNELL_TIMER) | BIT_ULL(KNELL_USER) | \
			 BIT_ULL(KNELL_FD) | BIT_ULL(KNELL_TREE) | BIT_ULL(KNELL_CHILDREN) | \
			 KNELL_FEAT_KEEP | KNELL_FEAT_KILLER)

/**
 * knell_info() - KNELL_IOC_INFO
 * @file: none of its queue's locks is held. May sleep
 * @arg: struct knell_info in user memory
 * @size: what the caller takes its size to be
 *
 * Return: 0, -EINVAL, -EFAULT, -ESTALE
 */
long knell_info(struct knell_file *file, void __user *arg, size_t size)
{
	struct knell_queue *queue = file->queue;
	struct knell_info info = {
		.abi = KNELL_ABI,
		.event_size = sizeof(struct knell_event),
		.op_size = sizeof(struct knell_op),
		.id = queue->id,
		.features = KNELL_FEATURES | (knell_wakeup_there() ? KNELL_FEAT_WAKEUP : 0),
		.max_watches = knell_quota_max(),
	};

	if (size < sizeof(info))
		return -EINVAL;
	if (knell_file_lock(file))
		return -ESTALE;
	info.watches = queue->table.nr;
	spin_lock_irq(&queue->lock);
	info.pending = queue->pending;
	spin_unlock_irq(&queue->lock);
	knell_file_unlock(file);
	if (copy_to_user(arg, &info, sizeof(info)) ||
	    clear_user(arg + sizeof(info), size - sizeof(info)))
		return -EFAULT;
	return 0;
}

/**
 * knell_watch_describe() - what LIST tells of a watch
 * @watch: its queue's mutex is held, its lock is not
 * @info: filled in
 * @ns: whose pids
 */
void knell_watch_describe(struct knell_watch *watch, struct knell_watch_info *info,
			  struct pid_namespace *ns)
{
	const struct knell_watch_ops *ops = watch->ops;
	struct knell_queue *queue = watch->queue;

	lockdep_assert_held(&queue->mutex);
	*info = (struct knell_watch_info){
		.watch = watch->handle,
		.type = ops->type,
	};
	spin_lock_irq(&queue->lock);
	info->state = watch->state;
	info->flags = watch->flags;
	info->token = watch->token;
	info->pid = ops->pid ? ops->pid(watch, ns) : 0;
	info->value = ops->value ? ops->value(watch) : 0;
	if (ops->label)
		strscpy(info->label, ops->label(watch), sizeof(info->label));
	spin_unlock_irq(&queue->lock);
}

static int knell_handle_cmp(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/**
 * knell_list_handles() - the handles of all watches, sorted. May sleep
 * @queue: its mutex is held
 * @after: only those above it
 * @handles: to be freed with kvfree(), if there is no error
 *
 * Return: how many, or -ENOMEM
 */
long knell_list_handles(struct knell_queue *queue, u32 after, u32 **handles)
{
	struct knell_watch *watch;
	long nr = 0;
	u32 slot = 0;

	lockdep_assert_held(&queue->mutex);
	*handles = kvmalloc_array(queue->table.nr, sizeof(**handles), GFP_KERNEL_ACCOUNT);
	if (!*handles && queue->table.nr)
		return -ENOMEM;
	while ((watch = knell_watch_next(queue, &slot)))
		if (watch->handle > after)
			(*handles)[nr++] = watch->handle;
	sort(*handles, nr, sizeof(**handles), knell_handle_cmp, NULL);
	return nr;
}

/* One watch that may have gone since: 1 if it was told, 0, -EFAULT, -ESTALE. */
static int knell_list_one(struct knell_file *file, u32 handle, struct knell_watch_info __user *to)
{
	struct knell_watch_info info;
	struct knell_watch *watch;

	if (knell_file_lock(file))
		return -ESTALE;
	watch = knell_watch_find(file->queue, handle);
	if (watch)
		knell_watch_describe(watch, &info, task_active_pid_ns(current));
	knell_file_unlock(file);
	if (!watch)
		return 0;
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 1;
}

/* @end: is there none left that was not told? */
static long knell_list_fill(struct knell_file *file, struct knell_list *list, bool *end)
{
	struct knell_watch_info __user *to = u64_to_user_ptr(list->watches);
	u32 *handles, filled = 0;
	long nr, i, ret = 0;

	if (knell_file_lock(file))
		return -ESTALE;
	list->total = file->queue->table.nr;
	nr = list->nr ? knell_list_handles(file->queue, list->after, &handles) : 0;
	knell_file_unlock(file);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr && filled < list->nr && ret >= 0; i++) {
		ret = knell_list_one(file, handles[i], &to[filled]);
		filled += ret > 0;
	}
	*end = list->nr ? i == nr : !list->total;
	if (list->nr)
		kvfree(handles);
	list->nr = filled;
	return min(ret, 0L);
}

/**
 * knell_list() - KNELL_IOC_LIST
 * @file: none of its queue's locks is held. May sleep
 * @arg: struct knell_list in user memory
 * @size: what the caller takes its size to be
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM, -EFAULT, -ESTALE
 */
long knell_list(struct knell_file *file, void __user *arg, size_t size)
{
	struct knell_list list;
	bool end;
	long ret;

	if (size < sizeof(list))
		return -EINVAL;
	ret = copy_struct_from_user(&list, sizeof(list), arg, size);
	if (ret)
		return ret;
	if (list.pad)
		return -EINVAL;
	ret = knell_list_fill(file, &list, &end);
	if (ret)
		return ret;
	if (copy_to_user(arg, &list, sizeof(list)))
		return -EFAULT;
	if (!end || knell_file_lock(file))
		return 0;
	/* A new holder who knows all there is can be told what happens. */
	knell_queue_open_gate(file->queue);
	knell_file_unlock(file);
	return 0;
}

static const char *knell_state_name(u16 state)
{
	static const char * const name[] = { "disarmed", "armed", "pending", "delivered" };

	return state < ARRAY_SIZE(name) ? name[state] : "?";
}

/**
 * knell_show_fdinfo() - /proc/PID/fdinfo/FD
 * @m: where to
 * @filp: a queue; pids are those of the proc mount's namespace
 */
void knell_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct knell_file *file = filp->private_data;
	struct knell_queue *queue = file->queue;
	struct knell_watch_info info;
	struct knell_watch *watch;
	u32 slot = 0;

	if (knell_file_lock(file)) {
		seq_printf(m, "knell-id:\t%llu\nknell-revoked:\t1\n", queue->id);
		return;
	}
	seq_printf(m, "knell-id:\t%llu\nknell-watches:\t%u\nknell-pending:\t%u\n",
		   queue->id, queue->table.nr,
		   /* old as soon as it is told */
		   data_race(READ_ONCE(queue->pending)));
	knell_keep_show(m, queue);
	while (!seq_has_overflowed(m) && (watch = knell_watch_next(queue, &slot))) {
		knell_watch_describe(watch, &info, ns);
		seq_printf(m, "watch:%u type:%s state:%s flags:%x pid:%d token:%llx value:%llu\n",
			   info.watch, watch->ops->name, knell_state_name(info.state),
			   info.flags, info.pid, info.token, info.value);
	}
	knell_file_unlock(file);
}
