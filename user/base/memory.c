// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that reading the units and starting them has taken, and that nobody looks at again before
 * the next time: it is given back then, not kept for as long as the machine runs.
 */
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base.h"

#define PARTS_MAX	8
/* So much of the program's code, at its beginning, has what waits in it: see knelld/Makefile. */
#define WAITS		(40 << 10)

/* The room for calls from here; what may have been used below: less than the guard of the stack. */
#define FRAME		4096
#define DEEP		(64 << 10)

/* What of the program is only ever read. */
struct parts {
	struct {
		uintptr_t begin, end;
	} v[PARTS_MAX];
	size_t nr;
	size_t code;		/* which of them is run */
};

/* The program is told of first; libraries are others', too. */
static int find_parts(struct dl_phdr_info *info, size_t size, void *arg)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	struct parts *parts = arg;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum && parts->nr < PARTS_MAX; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const uintptr_t begin = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		if (p->p_flags & PF_X)
			parts->code = parts->nr;
		parts->v[parts->nr].begin = begin & ~(page - 1);
		parts->v[parts->nr++].end = begin + p->p_memsz;
	}
	return 1;
}

/* A turn of the loop that a signal has begun, as for a reload, is followed by another at once. */
#define TURNS	2

static unsigned int turns;

void memory_unused(void)
{
	turns = TURNS;
}

/*
 * Where a page is missing Linux maps the 16 around it, but none of a mapping that is another in any
 * respect. That the rest of the code is not for core dumps, in which it never is, makes it one.
 */
static void keep_apart(const struct parts *parts)
{
	const uintptr_t rest = parts->v[parts->code].begin + WAITS;

	if (rest < parts->v[parts->code].end)
		madvise((void *)rest, parts->v[parts->code].end - rest, MADV_DONTDUMP);
}

/* What calls before this one were deeper in; a system call takes no room there. */
static void __attribute__((noinline)) give_back_stack(void)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t end = (here - FRAME) & ~(page - 1);

	madvise((void *)(end - DEEP), DEEP, MADV_DONTNEED);
}

/*
 * The heap's free pages go back to the kernel. The program's own stay in the page cache, as long as
 * there is room, but are no longer counted as in use by us: where code or constants are needed
 * again, as for a restart, the kernel maps the 16 pages around them, by one minor fault. A
 * debugger's breakpoints there are lost. What cannot be given back (locked pages) stays.
 */
void memory_give_back(void)
{
	struct parts parts = { 0 };

	if (!turns)
		return;
	turns--;
	malloc_trim(0);
	log_give_back();
	give_back_stack();
	dl_iterate_phdr(find_parts, &parts);
	keep_apart(&parts);
	/* The program's headers, which are in the first part, are not looked at any more. */
	for (size_t i = 0; i < parts.nr; i++)
		madvise((void *)parts.v[i].begin, parts.v[i].end - parts.v[i].begin, MADV_DONTNEED);
}
