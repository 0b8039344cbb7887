/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * knell: one queue for everything a process manager waits for.
 *
 * open("/dev/knell", O_RDWR | O_CLOEXEC) is a new, empty queue. Ops that
 * KNELL_IOC_SUBMIT carries add watches to it; what the watches hear comes
 * out of read(2) (or out of the same KNELL_IOC_SUBMIT) as whole records of
 * 128 bytes, struct knell_event, in the order in which it happened.
 *
 * Rules that hold everywhere:
 *  - Nothing is dropped. A watch owns the slot its record travels in, made
 *    at ADD; repeated firings fold into the record that is still pending.
 *    What cannot be reserved is refused at ADD (ENOSPC at the quota, ENOMEM).
 *  - Every byte that an op or an argument does not use is zero, else EINVAL.
 *    An unknown op, type, flag or clock is EINVAL, an unknown ioctl ENOTTY, a
 *    handle that names no watch ENOENT. What this module knows of but does
 *    not implement is EOPNOTSUPP; knell_info.features says beforehand.
 *  - Times are nanoseconds. CLOCK_MONOTONIC and CLOCK_BOOTTIME values are in
 *    the caller's time namespace. A time above S64_MAX is EINVAL, and 0 is
 *    never a point in time.
 *  - pids and uids are translated when they are read, into the namespaces of
 *    the reader; a pid that is not visible there is 0, a uid the overflow uid.
 *  - write(2) never is a command: EINVAL.
 *  - The layout is the same for 32-bit and 64-bit callers. Arguments of
 *    another size than the module's are taken as copy_struct_from_user() does.
 */
#ifndef _LINUX_KNELL_H
#define _LINUX_KNELL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KNELL_DEVICE	"/dev/knell"
#define KNELL_ABI	1
#define KNELL_FOREVER	(~0ULL)		/* knell_submit.deadline_ns: no deadline */
#define KNELL_MAX_OPS	1024		/* ops in one KNELL_IOC_SUBMIT */

/*
 * What a watch waits for: knell_op.type of an ADD.
 *
 * TREE makes an empty tree; KNELL_OP_JOIN enrols its first member, the main
 * process. From then on whoever a member forks is a member before it can run,
 * and stays one until its parent can reap it; a process can be in 4 trees. EXIT
 * of the main process (EVF_MAIN) and, after the last member's, one EMPTY come
 * whatever else happens; FORK and EXIT of others are reported if asked for, of
 * which at most 256 wait to be read, and a LOST counts the others. Without ACK
 * the watch is gone once its EMPTY is read. Its state in LIST is the EMPTY's.
 *
 * CHILDREN tells EXIT of every child of the process whose thread submits the
 * ADD, whoever opened or reads the queue: one for each that can be reaped from
 * then on, orphans it inherits included, but for those whose own watch in this
 * queue fires for the death. One in a queue (EEXIST). At most 256 wait to be
 * read; a LOST counts the others: then, and once after ADD, look with
 * waitid(2), not with WNOWAIT. A record may still come for who was reaped
 * there: start_ns tells it from a later process of that pid.
 */
enum knell_type {
	KNELL_PROCESS = 1,	/* a process has become waitable */
	KNELL_TIMER,		/* a time has come */
	KNELL_USER,		/* somebody rang: KNELL_OP_TRIGGER */
	KNELL_FD,		/* a descriptor is ready */
	KNELL_TREE,		/* a process and all it forks */
	KNELL_CHILDREN,		/* every child of the process that adds it */
};

/* What a record tells: knell_event.type. */
enum knell_ev {
	KNELL_EV_EXIT = 1,
	KNELL_EV_TIMER,
	KNELL_EV_USER,
	KNELL_EV_FD,
	KNELL_EV_EMPTY,
	KNELL_EV_FORK,
	KNELL_EV_LOST,
};

/* What is to be done: knell_op.op. */
enum knell_opcode {
	KNELL_OP_ADD = 1,	/* a new watch; its handle comes back in .watch */
	KNELL_OP_MOD,		/* its token, and a TIMER's or FD's whole schedule */
	KNELL_OP_DEL,		/* end it; a record that nobody has read goes with it */
	KNELL_OP_TRIGGER,	/* USER: ring */
	KNELL_OP_JOIN,		/* TREE: enrol the caller, or with OPF_NEXT its next process */
	KNELL_OP_KILL,		/* PROCESS, TREE: send a signal by identity */
};

/*
 * knell_op.flags, each with what takes it at ADD; MOD takes and replaces ABS,
 * ONESHOT and EDGE. ONESHOT and ACK together: EINVAL.
 */
#define KNELL_OPF_NEXT		(1U << 0)	/* ADD PROCESS, JOIN: this thread's next process */
#define KNELL_OPF_SELF		(1U << 1)	/* ADD PROCESS: the caller */
#define KNELL_OPF_PIDFD		(1U << 2)	/* ADD PROCESS: by pidfd, not pid */
#define KNELL_OPF_ABS		(1U << 3)	/* TIMER */
#define KNELL_OPF_ONESHOT	(1U << 4)	/* TIMER USER FD CHILDREN: gone once read */
#define KNELL_OPF_EDGE		(1U << 5)	/* FD */
#define KNELL_OPF_ACK		(1U << 6)	/* PROCESS TREE TIMER: stays until DEL */
#define KNELL_OPF_REPORT_FORK	(1U << 7)	/* TREE */
#define KNELL_OPF_REPORT_EXIT	(1U << 8)	/* TREE: of members but the main process */
#define KNELL_OPF_KILL_ON_CLOSE	(1U << 9)	/* TREE */
/*
 * PROCESS TIMER: an unread record keeps the machine from being suspended. EPERM
 * without CAP_BLOCK_SUSPEND, EOPNOTSUPP where there is no wakeup source: it takes
 * "wakeup-source" in the device tree, or the module's parameter wakeup=1.
 */
#define KNELL_OPF_WAKEUP	(1U << 10)

#define KNELL_LAST		(~0U)		/* knell_op.watch: what the latest ADD made */

/* knell_event.flags */
#define KNELL_EVF_NOSTATUS	(1U << 0)	/* EXIT: no right to status and usage: 0 */
#define KNELL_EVF_MAIN		(1U << 1)	/* EXIT: the tree's first member */
#define KNELL_EVF_REDELIVERED	(1U << 2)	/* came before, to a holder that died without DEL */
#define KNELL_EVF_INEXACT	(1U << 3)	/* a tree missed a member for want of memory */
#define KNELL_EVF_KILLER	(1U << 4)	/* EXIT: killer_pid and killer_uid are set */
#define KNELL_EVF_OOM		(1U << 5)	/* EXIT: the OOM killer's victim */

/* knell_submit.flags, knell_name.flags */
#define KNELL_SUBMIT_STOP	(1U << 0)	/* the first op that fails ends the ops */
#define KNELL_KEEP_OFF		(1U << 0)	/* KEEP: undo it */

/* knell_info.features: 1ULL << enum knell_type, and */
#define KNELL_FEAT_KEEP		(1ULL << 16)
#define KNELL_FEAT_KILLER	(1ULL << 17)
#define KNELL_FEAT_WAKEUP	(1ULL << 18)	/* there is a wakeup source */

/**
 * struct knell_event - a record, what read() returns; whole records only
 * @type: enum knell_ev, says which member of the union is set
 * @flags: KNELL_EVF_*
 * @watch: the handle that ADD returned
 * @token: the watch's token at the moment of reading; opaque to the kernel
 * @seq: the order in which records of this queue became pending, from 1 on;
 *	read order is seq order, gaps are DELs and MODs of pending records
 * @time_ns: CLOCK_MONOTONIC at the moment it happened; a record into which
 *	later firings were folded keeps the time of its first
 * @exit: KNELL_EV_EXIT
 * @exit.pid: in the reader's pid namespace, 0 if not visible there
 * @exit.status: the status word of wait(2)
 * @exit.uid: real uid at death
 * @exit.members: TREE: members left after this one; PROCESS: 0
 * @exit.start_ns: CLOCK_MONOTONIC when the process was made
 * @exit.utime_ns: CPU time in user mode, of the process without its children,
 *	as the kernel accounts it and not scaled the way getrusage(2) does
 * @exit.stime_ns: the same in kernel mode
 * @exit.maxrss_kb: largest resident set, KiB
 * @exit.minflt: page faults without I/O; these four saturate at 2^32 - 1
 * @exit.majflt: page faults with I/O
 * @exit.nvcsw: voluntary context switches
 * @exit.nivcsw: involuntary context switches
 * @exit.killer_pid: with EVF_KILLER: who sent the deadly signal, 0 if not visible
 * @exit.killer_uid: with EVF_KILLER: the sender's uid
 * @exit.cgroup_id: its cgroup (version 2), 0 if none
 * @exit.reserved: 0
 * @timer: KNELL_EV_TIMER
 * @timer.expirations: 1 or more: how often it has run out since the last record
 * @timer.due_ns: the first expiration not read so far, on the timer's own clock
 * @user: KNELL_EV_USER
 * @user.value: the values of all TRIGGERs since the last record, ORed
 * @user.count: how many they were
 * @fd: KNELL_EV_FD
 * @fd.events: EPOLL* bits of what was asked for, and EPOLLERR and EPOLLHUP; can
 *	be stale when read
 * @fd.pad: 0
 * @tree: KNELL_EV_EMPTY, KNELL_EV_FORK, KNELL_EV_LOST; pid in EMPTY is the main
 *	process's
 * @tree.pid: FORK: the newcomer
 * @tree.ppid: FORK: its parent
 * @tree.members: members there are, a newcomer counted
 * @tree.lost: LOST: reports for which there was no room since the last LOST;
 *	EMPTY: those that no LOST has told
 * @raw: the union's size; bytes not named above are 0
 */
struct knell_event {
	__u16 type;
	__u16 flags;
	__u32 watch;
	__aligned_u64 token;
	__aligned_u64 seq;
	__aligned_u64 time_ns;
	union {
		struct {
			__s32 pid;
			__s32 status;
			__u32 uid;
			__u32 members;
			__aligned_u64 start_ns;
			__aligned_u64 utime_ns;
			__aligned_u64 stime_ns;
			__aligned_u64 maxrss_kb;
			__u32 minflt;
			__u32 majflt;
			__u32 nvcsw;
			__u32 nivcsw;
			__s32 killer_pid;
			__u32 killer_uid;
			__aligned_u64 cgroup_id;
			__aligned_u64 reserved[2];
		} exit;
		struct {
			__aligned_u64 expirations;
			__aligned_u64 due_ns;
		} timer;
		struct {
			__aligned_u64 value;
			__aligned_u64 count;
		} user;
		struct {
			__u32 events;
			__u32 pad;
		} fd;
		struct {
			__s32 pid;
			__s32 ppid;
			__u32 members;
			__u32 lost;
		} tree;
		__aligned_u64 raw[12];
	};
};

/**
 * struct knell_op - one thing to do
 * @op: enum knell_opcode
 * @type: ADD: enum knell_type; others: 0 or the watch's own
 * @flags: KNELL_OPF_*
 * @watch: MOD, DEL, TRIGGER, JOIN, KILL: a handle or KNELL_LAST (ENOENT unless
 *	the latest ADD before it in the batch succeeded); ADD: 0, and the new
 *	handle on return, never 0 and not soon used again
 * @result: out: 0 or more, or -errno; looked at in no op
 * @token: ADD, MOD: comes back in each record; others: 0
 * @process: ADD PROCESS
 * @process.pid: in the caller's pid namespace, a thread group leader
 *	(ESRCH no such process, EINVAL a thread, EPERM a kernel thread, EEXIST
 *	watched by this queue already)
 * @process.pidfd: with OPF_PIDFD; EBADF if it is none
 * @timer: ADD, MOD TIMER
 * @timer.expires_ns: from now, or with OPF_ABS a time of the clock; 0: after one interval
 * @timer.interval_ns: period; 0: once. Both 0: disarmed
 * @timer.slack_ns: may fire that much later, to share a wake-up
 * @timer.clockid: CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME
 * @timer.pad: 0
 * @fd: ADD, MOD FD
 * @fd.fd: descriptor of a file, which is kept open until DEL unless it is a Unix
 *	socket; MOD does not look at it (EBADF none, EPERM a file that poll(2)
 *	knows nothing of or one of FUSE's, ELOOP of knell, epoll or io_uring,
 *	EOPNOTSUPP it has more than two wait queues; MOD: EBADF a Unix socket
 *	that has been closed)
 * @fd.events: EPOLL* bits; EPOLLERR and EPOLLHUP are implied, those that set
 *	epoll's own behaviour (EPOLLET...) are EINVAL
 * @user: TRIGGER
 * @user.value: is ORed into the record
 * @tree: ADD TREE
 * @tree.label: for the eye; terminated and zero to its end, else EINVAL
 * @kill: KILL
 * @kill.sig: 0 to test, or a signal; rights are those of kill(2): EPERM, and
 *	EPERM for a process outside the caller's pid namespace. ESRCH: it is dead
 * @kill.pad: 0
 * @raw: the union's size
 */
struct knell_op {
	__u16 op;
	__u16 type;
	__u32 flags;
	__u32 watch;
	__s32 result;
	__aligned_u64 token;
	union {
		struct {
			__s32 pid;
			__s32 pidfd;
		} process;
		struct {
			__aligned_u64 expires_ns;
			__aligned_u64 interval_ns;
			__aligned_u64 slack_ns;
			__u32 clockid;
			__u32 pad;
		} timer;
		struct {
			__s32 fd;
			__u32 events;
		} fd;
		struct {
			__aligned_u64 value;
		} user;
		struct {
			char label[64];
		} tree;
		struct {
			__s32 sig;
			__u32 pad;
		} kill;
		__aligned_u64 raw[13];
	};
};

/**
 * struct knell_submit - KNELL_IOC_SUBMIT: ops first, then (optionally) events
 * @ops: address of struct knell_op[nr_ops]; applied in order, each with its own result
 * @nr_ops: at most KNELL_MAX_OPS, else E2BIG
 * @ops_done: out: ops tried
 * @events: address of struct knell_event[nr_events]
 * @nr_events: room; 0: ops only, no waiting
 * @flags: KNELL_SUBMIT_*
 * @deadline_ns: absolute CLOCK_MONOTONIC up to which to wait for a first event
 *	if no op failed; 0: don't wait; KNELL_FOREVER
 *
 * Returns the number of events copied, 0 if there was none by the deadline.
 * Once an op has been applied the call is never restarted: a signal during the
 * wait makes it return what it has, perhaps 0. With no ops it is restarted
 * like read(). EFAULT on a @result: the op is not applied (an ADD is undone),
 * the call stops with EFAULT and @ops_done tells how far it came.
 */
struct knell_submit {
	__aligned_u64 ops;
	__u32 nr_ops;
	__u32 ops_done;
	__aligned_u64 events;
	__u32 nr_events;
	__u32 flags;
	__aligned_u64 deadline_ns;
};

/**
 * struct knell_info - KNELL_IOC_INFO
 * @abi: KNELL_ABI
 * @event_size: sizeof(struct knell_event) of the module
 * @op_size: sizeof(struct knell_op) of the module
 * @pad: 0
 * @id: this queue's, never used again while the module is loaded
 * @features: 1ULL << enum knell_type for each type there is, KNELL_FEAT_*
 * @max_watches: quota of the user who opened the queue; ENOSPC beyond, except
 *	for callers with CAP_SYS_RESOURCE. TREE and CHILDREN count for more
 * @watches: there are in this queue
 * @pending: records that wait to be read
 * @reserved: 0
 */
struct knell_info {
	__u32 abi;
	__u32 event_size;
	__u32 op_size;
	__u32 pad;
	__aligned_u64 id;
	__aligned_u64 features;
	__aligned_u64 max_watches;
	__aligned_u64 watches;
	__aligned_u64 pending;
	__aligned_u64 reserved[3];
};

/**
 * struct knell_name - KNELL_IOC_KEEP, KNELL_IOC_ATTACH
 * @name: terminated, not empty, zeros after it; of the opener's user namespace
 *	and effective uid
 * @uid: ATTACH: whose, in the caller's user namespace; 0: one's own, so that a
 *	name of uid 0 is for uid 0 only. KEEP: 0 or one's own
 * @flags: KEEP: KNELL_KEEP_*; ATTACH: 0
 * @reserved: 0
 *
 * KEEP: the queue outlives its last descriptor; the caller is its holder.
 * EBUSY: it is kept already, EEXIST: the name is taken, ENOSPC: over the user's
 * cap. With KEEP_OFF: no more; ENOENT: not kept by that name, EPERM: the caller
 * is not the holder.
 *
 * ATTACH returns a new descriptor, O_CLOEXEC, of the queue of that name, and the
 * caller is its holder; all older ones are revoked: ESTALE, EPOLLERR, EPOLLHUP.
 * Nothing is delivered before a LIST on it has come to the end. It may be called
 * on any queue. ENOENT: there is none, EBUSY: the holder lives and is another,
 * ENOSPC: more files than its opener may have open.
 *
 * Both are EPERM for who differs from the opener in effective uid, user
 * namespace or pid namespace and has no CAP_SYS_ADMIN in that user namespace.
 */
struct knell_name {
	char name[64];
	__u32 uid;
	__u32 flags;
	__aligned_u64 reserved[3];
};

/**
 * struct knell_watch_info - one watch, as KNELL_IOC_LIST tells it
 * @watch: handle
 * @type: enum knell_type
 * @state: 0 disarmed, 1 armed, 2 pending, 3 delivered and not acknowledged
 * @flags: as ADDed or MODed
 * @pid: PROCESS: in the caller's pid namespace, 0 if not visible or not yet born
 * @token: its token
 * @value: TIMER: next expiration on its own clock (0: disarmed); USER: count;
 *	FD: events of its pending record; TREE: members
 * @label: TREE
 */
struct knell_watch_info {
	__u32 watch;
	__u16 type;
	__u16 state;
	__u32 flags;
	__s32 pid;
	__aligned_u64 token;
	__aligned_u64 value;
	char label[64];
};

/**
 * struct knell_list - KNELL_IOC_LIST: the watches of a queue by ascending handle
 * @watches: address of struct knell_watch_info[nr]
 * @nr: room, then how many were filled in; 0 only counts
 * @total: out: watches in the queue
 * @after: only handles above this one; 0 to begin with
 * @pad: 0
 *
 * After ATTACH records are delivered once a call has left no watch untold.
 */
struct knell_list {
	__aligned_u64 watches;
	__u32 nr;
	__u32 total;
	__u32 after;
	__u32 pad;
};

#define KNELL_IOC_INFO		_IOR(0xDA, 0x20, struct knell_info)
#define KNELL_IOC_SUBMIT	_IOWR(0xDA, 0x21, struct knell_submit)
#define KNELL_IOC_KEEP		_IOW(0xDA, 0x22, struct knell_name)
#define KNELL_IOC_ATTACH	_IOW(0xDA, 0x23, struct knell_name)
#define KNELL_IOC_LIST		_IOWR(0xDA, 0x24, struct knell_list)

#endif /* _LINUX_KNELL_H */
