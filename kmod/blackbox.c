// SPDX-License-Identifier: GPL-2.0-only
/*
 * The black box: what is in the region that region.c has found.
 *
 * The hook of a death puts what it has to tell into a small ring of ordinary
 * memory, and that is all it does; an irq_work makes a record of it, with a number
 * and a CRC, and writes that to the region, which is mapped write-combining. A
 * panic writes what is left.
 * uapi/linux/knell_blackbox.h tells what it looks like.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": blackbox: " fmt

#include <linux/atomic.h>
#include <linux/crc32.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <linux/knell_blackbox.h>

#include "blackbox.h"
#include "compat.h"
#include "observe.h"
#include "queue.h"

static_assert(sizeof(struct knell_box_header) == 256);
static_assert(sizeof(struct knell_box_record) == KNELL_BOX_RECORD_SIZE);
static_assert(offsetof(struct knell_box_header, text) == 112);
static_assert(offsetof(struct knell_box_header, crc) == 252);
static_assert(offsetof(struct knell_box_record, comm) == 120);
static_assert(offsetof(struct knell_box_record, crc) == 252);
static_assert(sizeof_field(struct knell_box_record, comm) == TASK_COMM_LEN);

/* Exits on their way, a power of 2: more between two irq_works are counted, not kept. */
#define KNELL_BOX_RING	64U

#define KNELL_BOX_START	(2 * sizeof(struct knell_box_header))

/**
 * struct knell_box_entry - a place of the ring
 * @turn: whose it is. Of the exit that comes as number n, from 0: n while it is
 *	free for it, or being filled by its hook; n + 1 once it is filled and the
 *	writer's; n + KNELL_BOX_RING when it is free for the next one
 * @missed: as in a record; 0 while it is free
 * @time: of the record
 * @evflags: of the record
 * @members: left after it
 * @queue: its id
 * @ops: of the watch; they stay as long as the module does
 * @watch: its handle
 * @pid: of whom
 * @uid: and so on
 * @status: KNELL_EVF_NOSTATUS: 0, as what follows
 * @start: CLOCK_MONOTONIC
 * @utime: ns
 * @stime: ns
 * @maxrss_kb: KiB
 * @cgroup_id: version 2
 * @killer_pid: with KNELL_EVF_KILLER, else undefined
 * @killer_uid: the same
 * @comm: its name
 * @label: of a tree
 */
struct knell_box_entry {
	unsigned int turn;
	u32 missed;
	u64 time;
	u16 evflags;
	u32 members;
	u64 queue;
	const struct knell_watch_ops *ops;
	u32 watch;
	pid_t pid;
	kuid_t uid;
	s32 status;
	u64 start;
	u64 utime;
	u64 stime;
	u64 maxrss_kb;
	u64 cgroup_id;
	pid_t killer_pid;
	kuid_t killer_uid;
	char comm[TASK_COMM_LEN];
	char label[sizeof_field(struct knell_box_record, label)];
} __aligned(64);

/**
 * struct knell_box - the one there is
 * @ring: KNELL_BOX_RING places. No lock: hooks of all CPUs fill theirs side by side
 * @head: exits that were ever given a place
 * @missed: exits for which there was none since the last that had one
 * @write_lock: covers @tail and what follows it, but @work and @found. Raw, because
 *	the writer is in an interrupt. Innermost, and no hook takes it
 * @tail: entries ever taken out of @ring
 * @map: the region, write-combining; of region.c
 * @size: of it, in bytes
 * @header: as last written
 * @record: that is being written
 * @seq: of the latest record
 * @work: the writer
 * @found: @size bytes, the image as it was; never changes while it is open
 */
struct knell_box {
	struct knell_box_entry *ring;
	atomic_t head;
	atomic_t missed;
	raw_spinlock_t write_lock;	/* see above */
	unsigned int tail;
	void *map;
	size_t size;
	struct knell_box_header header;
	struct knell_box_record record;
	u64 seq;
	struct irq_work work;
	void *found;
};

static struct knell_box knell_box = {
	.write_lock = __RAW_SPIN_LOCK_UNLOCKED(knell_box.write_lock),
};

DEFINE_STATIC_KEY_FALSE(knell_box_key);

const char knell_no_label[sizeof_field(struct knell_op, tree.label)];

/* ---- the hook ---- */

/*
 * *@entry becomes the place of the exit of number *@turn and this hook's alone;
 * false if the ring is full. Whoever is interrupted, or stopped by a panic, between
 * this and knell_box_publish() holds up nobody but the writer.
 */
static bool knell_box_claim(struct knell_box *box, struct knell_box_entry **entry,
			    unsigned int *turn)
{
	int head = atomic_read(&box->head);

	do {
		*entry = &box->ring[(unsigned int)head % KNELL_BOX_RING];
		/* Pairs with knell_box_next(): the writer has read it before it is filled again. */
		if (unlikely((int)(smp_load_acquire(&(*entry)->turn) - head) < 0))
			return false;
		/* Is it filled already, others were faster; then so they were with @head. */
	} while (unlikely(!atomic_try_cmpxchg_relaxed(&box->head, &head, head + 1)));
	*turn = head;
	return true;
}

static void knell_box_fill(struct knell_box_entry *entry, const struct knell_record *rec,
			   const struct knell_death *death, const struct knell_killer *killer)
{
	const struct knell_watch *watch = rec->watch;

	entry->time = rec->time;
	entry->evflags = rec->evflags;
	entry->queue = watch->queue->id;
	entry->ops = watch->ops;
	entry->watch = watch->handle;
	entry->pid = death->nr;
	entry->uid = death->uid;
	entry->status = death->status;
	entry->start = death->start;
	entry->utime = death->utime;
	entry->stime = death->stime;
	entry->maxrss_kb = death->maxrss_kb;
	entry->cgroup_id = death->cgroup_id;
	if (rec->evflags & KNELL_EVF_KILLER) {
		entry->killer_pid = killer->nr;
		entry->killer_uid = killer->uid;
	}
}

/*
 * From here on it is the writer's. He is called if he is not on his way: irq_work
 * clears PENDING before he looks, with a full barrier between, and here it is the
 * other way round. So either he is called, or he sees the entry.
 */
static void knell_box_publish(struct knell_box *box, struct knell_box_entry *entry,
			      unsigned int turn)
{
	/* Pairs with knell_box_next(). */
	smp_store_release(&entry->turn, turn + 1);
	/* Pairs with that of irq_work_single(). */
	smp_mb();
	if (!irq_work_is_pending(&box->work))
		irq_work_queue(&box->work);
}

/**
 * knell_box_exit() - an EXIT has become pending: queue it for the box
 * @rec: its record; the queue's lock is held, by a hook. Any context
 * @task: the dead leader, under RCU
 * @death: what is left of it
 * @killer: with EVF_KILLER: who sent the deadly signal
 * @label: 64 bytes
 * @members: of the tree
 *
 * Under 100 instructions on x86-64, unless the writer has to be called (make bench
 * BENCH=observe): nothing here is formatted, converted, or put together twice.
 */
void knell_box_exit(const struct knell_record *rec, const struct task_struct *task,
		    const struct knell_death *death, const struct knell_killer *killer,
		    const char *label, u32 members)
{
	struct knell_box *box = &knell_box;
	struct knell_box_entry *entry;
	unsigned int turn;

	if (unlikely(!knell_box_claim(box, &entry, &turn))) {
		atomic_inc(&box->missed);
		return;
	}
	knell_box_fill(entry, rec, death, killer);
	entry->members = members;
	memcpy(entry->comm, task->comm, sizeof(entry->comm));
	memcpy(entry->label, label, sizeof(entry->label));
	if (unlikely(atomic_read(&box->missed)))
		entry->missed = atomic_xchg(&box->missed, 0);
	knell_box_publish(box, entry, turn);
}

/* ---- the writer ---- */

static u32 knell_box_crc(const void *data, size_t size)
{
	return ~crc32_le(~0, data, size);
}

static u32 knell_box_record_crc(const struct knell_box_record *rec)
{
	return knell_box_crc(rec, offsetof(struct knell_box_record, crc));
}

static u32 knell_box_header_crc(const struct knell_box_header *header)
{
	return knell_box_crc(header, offsetof(struct knell_box_header, crc));
}

static size_t knell_box_slot(const struct knell_box_header *header, u64 seq)
{
	u32 slot;

	div_u64_rem(seq, header->nr_records, &slot);
	return KNELL_BOX_START + (size_t)slot * header->record_size;
}

/* All but its number and its CRC; what it does not write is 0. */
static void knell_box_compose(struct knell_box_record *rec, const struct knell_box_entry *entry)
{
	/* These two may be asked even by a panic amid the setting of the clock. */
	u64 offset = ktime_get_real_fast_ns() - ktime_get_mono_fast_ns();

	*rec = (struct knell_box_record){
		.magic = KNELL_BOX_RECORD_MAGIC,
		.type = KNELL_BOX_EXIT,
		.flags = entry->evflags,
		.missed = entry->missed,
		.time_ns = entry->time,
		.real_ns = entry->time + offset,
		.pid = entry->pid,
		.status = entry->status,
		.uid = __kuid_val(entry->uid),
		.watch = entry->watch,
		.queue = entry->queue,
		.start_ns = entry->start,
		.utime_ns = entry->utime,
		.stime_ns = entry->stime,
		.maxrss_kb = entry->maxrss_kb,
		.cgroup_id = entry->cgroup_id,
		.members = entry->members,
		.watch_type = entry->ops->type,
	};
	if (entry->evflags & KNELL_EVF_KILLER) {
		rec->killer_pid = entry->killer_pid;
		rec->killer_uid = __kuid_val(entry->killer_uid);
	}
	memcpy(rec->comm, entry->comm, sizeof(rec->comm));
	memcpy(rec->label, entry->label, sizeof(rec->label));
}

static void knell_box_write(struct knell_box *box, const struct knell_box_entry *entry)
{
	struct knell_box_record *rec = &box->record;

	knell_box_compose(rec, entry);
	rec->seq = ++box->seq;
	rec->boot = box->header.boots;
	rec->crc = knell_box_record_crc(rec);
	memcpy(box->map + knell_box_slot(&box->header, rec->seq), rec, sizeof(*rec));
	/* The next record must not be there before this one. */
	wmb();
}

/* Writes the oldest entry of the ring; false if none is filled. @write_lock, or a panic */
static bool knell_box_next(struct knell_box *box)
{
	unsigned int tail = box->tail;
	struct knell_box_entry *entry = &box->ring[tail % KNELL_BOX_RING];

	/* Pairs with knell_box_publish(). */
	if (smp_load_acquire(&entry->turn) != tail + 1)
		return false;
	knell_box_write(box, entry);
	box->tail = tail + 1;
	entry->missed = 0;
	/* Pairs with knell_box_claim(). */
	smp_store_release(&entry->turn, tail + KNELL_BOX_RING);
	return true;
}

/* One at a time, so that interrupts are not off for long. */
static void knell_box_drain(struct knell_box *box)
{
	unsigned long flags;
	bool more;

	do {
		raw_spin_lock_irqsave(&box->write_lock, flags);
		more = knell_box_next(box);
		raw_spin_unlock_irqrestore(&box->write_lock, flags);
	} while (more);
}

static void knell_box_work(struct irq_work *work)
{
	knell_box_drain(container_of(work, struct knell_box, work));
}

/* The copy that is the older one becomes the newer one. @write_lock, or a panic */
static void knell_box_write_header(struct knell_box *box, u32 reason, const char *text)
{
	struct knell_box_header *header = &box->header;

	header->reason = reason;
	header->generation++;
	header->time_ns = ktime_get_boot_fast_ns();
	header->real_ns = ktime_get_real_fast_ns();
	memset(header->text, 0, sizeof(header->text));
	strscpy(header->text, text, sizeof(header->text));
	header->crc = knell_box_header_crc(header);
	memcpy(box->map + (header->generation & 1) * sizeof(*header), header, sizeof(*header));
	/* Whatever comes next, this is there. */
	wmb();
}

static void knell_box_say(struct knell_box *box, u32 reason, const char *text)
{
	unsigned long flags;

	knell_box_drain(box);
	raw_spin_lock_irqsave(&box->write_lock, flags);
	knell_box_write_header(box, reason, text);
	raw_spin_unlock_irqrestore(&box->write_lock, flags);
}

/* ---- the end ---- */

static int knell_box_reboots(struct notifier_block *nb, unsigned long action, void *cmd)
{
	static const u32 reason[] = {
		[SYS_RESTART] = KNELL_BOX_REBOOT,
		[SYS_HALT] = KNELL_BOX_HALT,
		[SYS_POWER_OFF] = KNELL_BOX_POWER_OFF,
	};

	if (action < ARRAY_SIZE(reason))
		knell_box_say(&knell_box, reason[action], cmd ?: "");
	return NOTIFY_DONE;
}

/*
 * @write_lock, or nobody else runs any more: who was stopped while he filled his
 * entry does not go on, and is passed over.
 */
static void knell_box_last_words(struct knell_box *box, const char *text)
{
	while (box->tail != (unsigned int)atomic_read(&box->head))
		if (!knell_box_next(box))
			box->tail++;
	knell_box_write_header(box, KNELL_BOX_PANIC, text);
}

static int knell_box_panics(struct notifier_block *nb, unsigned long action, void *text)
{
	struct knell_box *box = &knell_box;

	if (raw_spin_trylock(&box->write_lock)) {
		knell_box_last_words(box, text ?: "");
		raw_spin_unlock(&box->write_lock);
	} else {
		/* Whoever has it has been stopped, or has panicked himself. */
		knell_box_last_words(box, text ?: "");
	}
	return NOTIFY_DONE;
}

static struct notifier_block knell_box_reboot_nb = { .notifier_call = knell_box_reboots };

/* Early: the others may hang. */
static struct notifier_block knell_box_panic_nb = {
	.notifier_call = knell_box_panics,
	.priority = INT_MAX,
};

/* ---- what the last boot has left ---- */

static bool knell_box_header_ok(const struct knell_box_header *header, size_t size)
{
	return header->magic == KNELL_BOX_MAGIC && header->version == KNELL_BOX_VERSION &&
	       header->header_size == sizeof(*header) && header->nr_records &&
	       header->record_size >= sizeof(struct knell_box_record) &&
	       header->record_size <= KNELL_BOX_RECORD_MAX &&
	       header->nr_records <= (size - KNELL_BOX_START) / header->record_size &&
	       header->crc == knell_box_header_crc(header);
}

/* The newer of the two, NULL if the RAM was cold. */
static const struct knell_box_header *knell_box_newest(const void *image, size_t size)
{
	const struct knell_box_header *header = image, *best = NULL;
	int i;

	for (i = 0; i < 2; i++)
		if (knell_box_header_ok(&header[i], size) &&
		    (!best || header[i].generation > best->generation))
			best = &header[i];
	return best;
}

/* Is it one, and in its place? */
static bool knell_box_record_ok(const struct knell_box_record *rec,
				const struct knell_box_header *header, u32 slot)
{
	return rec->magic == KNELL_BOX_RECORD_MAGIC && rec->crc == knell_box_record_crc(rec) &&
	       knell_box_slot(header, rec->seq) == knell_box_slot(header, slot);
}

/* The highest number, and how many records are whole and torn. */
static u64 knell_box_scan(const void *image, const struct knell_box_header *header,
			  u32 *whole, u32 *torn)
{
	const struct knell_box_record *rec;
	u64 last = 0;
	u32 i;

	for (i = 0; i < header->nr_records; i++) {
		rec = image + knell_box_slot(header, i);
		if (knell_box_record_ok(rec, header, i)) {
			(*whole)++;
			last = max_t(u64, last, rec->seq);
		} else if (memchr_inv(rec, 0, sizeof(*rec))) {
			(*torn)++;
		}
	}
	return last;
}

/* Of a module that was removed in this boot? Then the clock has gone on since. */
static bool knell_box_same_boot(const struct knell_box_header *header)
{
	return header->reason == KNELL_BOX_UNLOADED && header->time_ns <= ktime_get_boottime_ns();
}

/* @box->header and @box->seq go on from @was, whose slots stay if they are where ours are. */
static void knell_box_continue(struct knell_box *box, const struct knell_box_header *was)
{
	struct knell_box_header *header = &box->header;
	u32 whole = 0, torn = 0;

	box->seq = knell_box_scan(box->found, was, &whole, &torn);
	header->boots = was->boots + !knell_box_same_boot(was);
	header->generation = was->generation;
	if (was->record_size != header->record_size || was->nr_records != header->nr_records)
		memset(box->map + KNELL_BOX_START, 0, box->size - KNELL_BOX_START);
	pr_info("boot %u, %u records, %u torn\n", header->boots, whole, torn);
}

/* The image that is told is then one of our own, not what was in the RAM before. */
static void knell_box_begin(struct knell_box *box)
{
	struct knell_box_header *header = box->found;

	memset(box->map, 0, box->size);
	memset(box->found, 0, box->size);
	*header = box->header;
	header->generation = 1;
	header->crc = knell_box_header_crc(header);
	box->header.boots = 1;
	pr_info("cold, boot 1\n");
}

/* Does the region hold what is written? -ENXIO: then it is no RAM. */
static int knell_box_first(struct knell_box *box)
{
	const struct knell_box_header *was = knell_box_newest(box->found, box->size);
	struct knell_box_header seen;
	unsigned long flags;

	if (was)
		knell_box_continue(box, was);
	else
		knell_box_begin(box);
	raw_spin_lock_irqsave(&box->write_lock, flags);
	knell_box_write_header(box, KNELL_BOX_NONE, "");
	memcpy(&seen, box->map + (box->header.generation & 1) * sizeof(seen), sizeof(seen));
	raw_spin_unlock_irqrestore(&box->write_lock, flags);
	return memcmp(&seen, &box->header, sizeof(seen)) ? -ENXIO : 0;
}

static struct knell_box_entry *knell_box_ring(void)
{
	struct knell_box_entry *ring = kvcalloc(KNELL_BOX_RING, sizeof(*ring), GFP_KERNEL);
	unsigned int i;

	for (i = 0; ring && i < KNELL_BOX_RING; i++)
		ring[i].turn = i;
	return ring;
}

static void knell_box_free(struct knell_box *box)
{
	kvfree(box->found);
	kvfree(box->ring);
	box->found = NULL;
	box->ring = NULL;
}

/**
 * knell_box_open() - look at what there is, and go on with it. May sleep
 * @map: the region; nobody else writes to it
 * @size: of it, KNELL_BOX_MIN_SIZE or more
 * @record_size: of a slot, at least 256
 *
 * Return: 0, -ENOMEM, -ENXIO it does not hold what is written
 */
int knell_box_open(void *map, size_t size, u32 record_size)
{
	struct knell_box *box = &knell_box;
	int err = -ENOMEM;

	box->map = map;
	box->size = size;
	atomic_set(&box->head, 0);
	atomic_set(&box->missed, 0);
	box->tail = 0;
	box->seq = 0;
	box->header = (struct knell_box_header){
		.magic = KNELL_BOX_MAGIC,
		.version = KNELL_BOX_VERSION,
		.header_size = sizeof(box->header),
		.record_size = record_size,
		.nr_records = (size - KNELL_BOX_START) / record_size,
		.opened_ns = ktime_get_real_ns(),
	};
	init_irq_work(&box->work, knell_box_work);
	box->ring = knell_box_ring();
	box->found = kvmalloc(size, GFP_KERNEL);
	if (!box->ring || !box->found)
		goto err_free;
	memcpy(box->found, map, size);
	err = knell_box_first(box);
	if (err)
		goto err_free;
	register_reboot_notifier(&knell_box_reboot_nb);
	atomic_notifier_chain_register(&panic_notifier_list, &knell_box_panic_nb);
	static_branch_enable(&knell_box_key);
	return 0;

err_free:
	knell_box_free(box);
	return err;
}

/**
 * knell_box_close() - the module goes; it is open, and there are no hooks. May sleep
 */
void knell_box_close(void)
{
	struct knell_box *box = &knell_box;

	static_branch_disable(&knell_box_key);
	atomic_notifier_chain_unregister(&panic_notifier_list, &knell_box_panic_nb);
	unregister_reboot_notifier(&knell_box_reboot_nb);
	irq_work_sync(&box->work);
	knell_box_say(box, KNELL_BOX_UNLOADED, "");
	knell_box_free(box);
}

/**
 * knell_box_size() - of the image; the box is open
 */
size_t knell_box_size(void)
{
	return knell_box.size;
}

/**
 * knell_box_found() - the image as it was; the box is open
 */
const void *knell_box_found(void)
{
	return knell_box.found;
}

/**
 * knell_box_read() - of the image as it is; the box is open
 * @to: where to
 * @from: first byte, less than the size
 * @size: bytes there are from it
 *
 * No header and no record is seen half written.
 */
void knell_box_read(void *to, size_t from, size_t size)
{
	struct knell_box *box = &knell_box;
	unsigned long flags;
	size_t n;

	for (; size; to += n, from += n, size -= n) {
		n = min(size, KNELL_BOX_RECORD_SIZE - from % KNELL_BOX_RECORD_SIZE);
		raw_spin_lock_irqsave(&box->write_lock, flags);
		memcpy(to, box->map + from, n);
		raw_spin_unlock_irqrestore(&box->write_lock, flags);
	}
}
