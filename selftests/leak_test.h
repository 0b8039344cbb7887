/* SPDX-License-Identifier: GPL-2.0-only */
/* What looks like memory of the kernel's, and how that is filled with a pattern beforehand. */
#ifndef _LEAK_TEST_H
#define _LEAK_TEST_H

#include <poll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/uio.h>

#include "queue_test.h"

/* An expression; says so if it is false. */
#define SAYS(cond, what)							\
	((cond) || (fprintf(stderr, "# %s:%d: %s: not so: %s\n", __FILE__, __LINE__, what, #cond), 0))

/* Of addresses of the kernel's, with page tables of five levels, too; -errno of 64 bits is none. */
static inline bool is_address(uint64_t word)
{
	return word >= 0xff00000000000000ULL && word < 0xfffffffffffff000ULL;
}

static inline bool is_zero(const void *mem, size_t size)
{
	const unsigned char *b = mem;

	while (size--)
		if (b[size])
			return false;
	return true;
}

/*
 * One byte over and over, of those with which memory is filled: by poison and page_poison, by the
 * compiler (-ftrivial-auto-var-init=pattern), by fill_kernel().
 */
static inline bool is_pattern(const void *mem, size_t size)
{
	static const unsigned char patterns[] = { 0x6b, 0x5a, 0xaa, 0xcc, 0xbb, 0xfe, 0xa7, 0x39 };
	const unsigned char *b = mem;

	for (size_t i = 1; i < size; i++)
		if (b[i] != b[0])
			return false;
	return memchr(patterns, b[0], sizeof(patterns));
}

/* Whether @size bytes, whose words are aligned, have neither an address nor a pattern in them. */
static inline bool is_clean(const void *mem, size_t size)
{
	const char *at = mem;
	uint64_t word;

	for (size_t i = 0; i + 4 <= size; i += 4)
		if (is_pattern(at + i, 4))
			return false;
	for (size_t i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		if (is_address(word))
			return false;
	}
	return true;
}

/* Text with zeros behind it, to the end. */
static inline bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	return len < size && is_zero(text + len, size - len) && is_clean(text, size);
}

/* Has @text a number of 16 hexadecimal digits that is an address? */
static inline bool has_address(const char *text)
{
	for (; *text; text++) {
		size_t len = strspn(text, "0123456789abcdef");

		if (len >= 16 && is_address(strtoull(text + len - 16, NULL, 16)))
			return true;
		text += len ? len - 1 : 0;
	}
	return false;
}

/* Kernel stack as far as calls that copy to it go, those of the module before all others. */
static inline void fill_stack(int fd, unsigned char pattern)
{
	struct knell_submit submit = { .nr_ops = 1 };
	struct iovec iov[8];
	struct pollfd pfd[30];
	struct timeval now = { };
	struct knell_name name;
	struct knell_op op;
	fd_set sets[3];

	memset(pfd, pattern, sizeof(pfd));
	for (int i = 0; i < 30; i++)
		pfd[i].fd = -1;
	poll(pfd, 30, 0);
	memset(sets, pattern, sizeof(sets));
	select(320, &sets[0], &sets[1], &sets[2], &now);
	memset(iov, pattern, sizeof(iov));
	if (writev(fd, iov, 8) >= 0 || readv(fd, iov, 8) >= 0)
		perror("# fill_stack");
	memset(&op, pattern, sizeof(op));
	op.op = KNELL_OP_ADD;
	op.type = KNELL_TREE;
	submit.ops = (uintptr_t)&op;
	ioctl(fd, KNELL_IOC_SUBMIT, &submit);
	memset(&name, pattern, sizeof(name));
	ioctl(fd, KNELL_IOC_KEEP, &name);
	ioctl(fd, KNELL_IOC_ATTACH, &name);
}

/* What is free of the slabs from which the module's memory comes, where poison does not do that. */
static inline void fill_slabs(unsigned char pattern)
{
	static const size_t sizes[] = { 16, 48, 80, 208, 464, 976, 2000, 4000 };
	struct {
		long type;
		char text[4096];
	} msg = { .type = 1 };
	int queue = msgget(IPC_PRIVATE, 0600);

	if (queue < 0)
		return;
	memset(msg.text, pattern, sizeof(msg.text));
	for (int i = 0; i < 64; i++)
		msgsnd(queue, &msg, sizes[i % 8], IPC_NOWAIT);
	while (msgrcv(queue, &msg, sizeof(msg.text), 0, IPC_NOWAIT) >= 0)
		;
	msgctl(queue, IPC_RMID, NULL);
}

static inline void fill_kernel(int fd, unsigned char pattern)
{
	fill_slabs(pattern);
	fill_stack(fd, pattern);
}

#endif /* _LEAK_TEST_H */
