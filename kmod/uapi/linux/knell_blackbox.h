/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The black box: what knell keeps in RAM that survives a warm reset, the last
 * exits, how often the machine was booted and why it went down.
 *
 * The region is found by a device tree node ("knell,blackbox") or by the module's
 * parameters box_addr= and box_size=. Its image, as it was found when the module
 * was loaded, is the read-only file KNELL_BOX_FILE; as it is now,
 * KNELL_BOX_FILE_LIVE. Both are there only if there is a region.
 *
 * An image is
 *
 *	offset 0			struct knell_box_header, first copy
 *	offset header_size		the same, second copy
 *	offset 2 * header_size		nr_records slots of record_size bytes
 *
 * and what is left over at its end. Everything is in the byte order of the
 * machine that wrote it; a magic number that is the wrong way round tells of
 * another. All sizes are found in the header: later versions may append to what
 * is declared here, and only raise @version if they change its meaning.
 *
 *  - Of the two headers the valid one with the higher generation counts: they
 *    are written in turn, so that a machine that loses power while it writes one
 *    has the other. Valid is what has the magic number and the right CRC. If
 *    neither is, there is nothing: the RAM was cold, which is normal. The module
 *    then makes an image of its own: header.boots is 0 and no slot is used.
 *  - The record of number seq is in slot seq % nr_records; it took the place of
 *    number seq - nr_records. A slot of zeros was never used. One whose magic
 *    number or CRC is wrong is torn: the machine went down while it was written,
 *    or the RAM has lost some bits. It says nothing; the others stand.
 *  - CRCs are those of IEEE 802.3 (crc32() in zlib): polynomial 0x04c11db7,
 *    reflected, all ones before and after.
 *  - pids and uids are those of the initial namespaces, times those of the host.
 */
#ifndef _LINUX_KNELL_BLACKBOX_H
#define _LINUX_KNELL_BLACKBOX_H

#include <linux/types.h>

#define KNELL_BOX_FILE		"/sys/class/misc/knell/blackbox"
#define KNELL_BOX_FILE_LIVE	"/sys/class/misc/knell/blackbox_live"

#define KNELL_BOX_MAGIC		0x584f424bU	/* "KBOX", in a little-endian image */
#define KNELL_BOX_RECORD_MAGIC	0x4352424bU	/* "KBRC" */
#define KNELL_BOX_VERSION	1

#define KNELL_BOX_MIN_SIZE	4096U		/* of a region; whole pages */
#define KNELL_BOX_MAX_SIZE	(16U << 20)
#define KNELL_BOX_RECORD_SIZE	256U		/* what a slot has unless told otherwise */
#define KNELL_BOX_RECORD_MAX	4096U

/**
 * enum knell_box_reason - why the machine went down
 * @KNELL_BOX_NONE: nobody said: it is still up, or it was reset, lost power, or hung
 * @KNELL_BOX_PANIC: the kernel panicked; header.text says what it said
 * @KNELL_BOX_REBOOT: reboot(2), to start again
 * @KNELL_BOX_HALT: reboot(2), to halt
 * @KNELL_BOX_POWER_OFF: reboot(2), to be switched off
 * @KNELL_BOX_UNLOADED: the module was removed; what came later is not known
 */
enum knell_box_reason {
	KNELL_BOX_NONE,
	KNELL_BOX_PANIC,
	KNELL_BOX_REBOOT,
	KNELL_BOX_HALT,
	KNELL_BOX_POWER_OFF,
	KNELL_BOX_UNLOADED,
};

/**
 * struct knell_box_header - what is known of the machine, 256 bytes, twice
 * @magic: KNELL_BOX_MAGIC
 * @version: KNELL_BOX_VERSION
 * @header_size: of each copy: 256
 * @record_size: of a slot, a multiple of 256
 * @nr_records: slots, at least 1
 * @generation: counts the headers written, from 1
 * @boots: how often a module has found the region, from 1; 0: the RAM was cold.
 *	One that finds KNELL_BOX_UNLOADED of this same boot does not count again
 * @reason: enum knell_box_reason, of the boot number @boots
 * @time_ns: CLOCK_BOOTTIME when this was written
 * @real_ns: CLOCK_REALTIME when this was written
 * @opened_ns: CLOCK_REALTIME when the module found the region in that boot
 * @reserved: 0
 * @text: what goes with @reason, a string of at most 127 bytes, zeros after it
 * @reserved2: 0
 * @crc: of all bytes before it
 */
struct knell_box_header {
	__u32 magic;
	__u16 version;
	__u16 header_size;
	__u32 record_size;
	__u32 nr_records;
	__aligned_u64 generation;
	__u32 boots;
	__u32 reason;
	__aligned_u64 time_ns;
	__aligned_u64 real_ns;
	__aligned_u64 opened_ns;
	__aligned_u64 reserved[7];
	char text[128];
	__u32 reserved2[3];
	__u32 crc;
};

/* What a record tells: knell_box_record.type. */
enum knell_box_type {
	KNELL_BOX_EXIT = 1,	/* a process has died, and a queue has a KNELL_EV_EXIT of it */
};

/**
 * struct knell_box_record - one exit, in the first 256 bytes of a slot
 * @magic: KNELL_BOX_RECORD_MAGIC
 * @type: enum knell_box_type; others may come, and are to be passed over
 * @flags: KNELL_EVF_* of <linux/knell.h>, as in the event: with KNELL_EVF_NOSTATUS
 *	who watched it had no right to know, and status, usage and killer are 0
 * @seq: counts the records, from 1, through all boots
 * @boot: header.boots of the boot in which it was written
 * @missed: exits between the record before this one and this one for which there
 *	was no room, because too many came at once
 * @time_ns: CLOCK_MONOTONIC when it became waitable
 * @real_ns: CLOCK_REALTIME of the same moment
 * @pid: who died
 * @status: the status word of wait(2)
 * @uid: its real uid
 * @watch: handle of the watch that heard of it
 * @queue: id of that watch's queue, knell_info.id
 * @start_ns: CLOCK_MONOTONIC when the process was made
 * @utime_ns: CPU time in user mode, of the process without its children
 * @stime_ns: the same in kernel mode
 * @maxrss_kb: largest resident set, KiB
 * @cgroup_id: its cgroup (version 2), 0 if none
 * @killer_pid: with KNELL_EVF_KILLER: who sent the deadly signal
 * @killer_uid: with KNELL_EVF_KILLER: the sender's uid
 * @members: TREE: members left after it
 * @watch_type: enum knell_type of <linux/knell.h>
 * @comm: its name when it died, a string of at most 15 bytes
 * @label: of the tree, a string of at most 63 bytes; empty if it was no tree's
 * @reserved: 0
 * @reserved2: 0
 * @crc: of all bytes before it
 */
struct knell_box_record {
	__u32 magic;
	__u16 type;
	__u16 flags;
	__aligned_u64 seq;
	__u32 boot;
	__u32 missed;
	__aligned_u64 time_ns;
	__aligned_u64 real_ns;
	__s32 pid;
	__s32 status;
	__u32 uid;
	__u32 watch;
	__aligned_u64 queue;
	__aligned_u64 start_ns;
	__aligned_u64 utime_ns;
	__aligned_u64 stime_ns;
	__aligned_u64 maxrss_kb;
	__aligned_u64 cgroup_id;
	__s32 killer_pid;
	__u32 killer_uid;
	__u32 members;
	__u32 watch_type;
	char comm[16];
	char label[64];
	__aligned_u64 reserved[6];
	__u32 reserved2;
	__u32 crc;
};

#endif /* _LINUX_KNELL_BLACKBOX_H */
