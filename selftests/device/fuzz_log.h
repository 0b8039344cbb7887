/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's fuzzer: how a program is told, and read again. Included by fuzz_test.c.
 *
 *	fuzz: NR PART/PARTS: STEP STEP ...
 *
 * The kernel's log takes no longer lines, so a program is in parts. A step is its numbers, in hex.
 */
#ifndef _FUZZ_LOG_H
#define _FUZZ_LOG_H

#include "fuzz.h"

#define STEP_TEXT	40
#define A_PART		20	/* steps */

static void step_text(char *text, const struct step *s)
{
	sprintf(text, "%02x%02x%02x%02x%08x%08x%016llx", s->kind, s->what, s->who, s->many, s->a, s->b,
		(unsigned long long)s->c);
}

static bool step_of(const char *text, struct step *s)
{
	unsigned long long c = 0;
	bool ok = sscanf(text, "%2hhx%2hhx%2hhx%2hhx%8x%8x%16llx", &s->kind, &s->what, &s->who, &s->many, &s->a,
			 &s->b, &c) == 7;

	s->c = c;
	return ok;
}

/* FNV's, going on from @sum. */
static uint64_t sum_program(const struct program *p, uint64_t sum)
{
	char text[STEP_TEXT + 1];

	for (unsigned int i = 0; i < p->nr; i++) {
		step_text(text, &p->step[i]);
		for (const char *c = text; *c; c++)
			sum = (sum ^ *c) * 0x100000001b3ULL;
	}
	return sum;
}

static void tell_program(int fd, const char *level, const struct program *p, unsigned long nr)
{
	char line[64 + A_PART * (STEP_TEXT + 1)];
	int len = 0;

	for (unsigned int i = 0; i < p->nr; i++) {
		if (i % A_PART == 0)
			len = sprintf(line, "%sfuzz: %lu %u/%u:", level, nr, i / A_PART + 1, (p->nr - 1) / A_PART + 1);
		line[len++] = ' ';
		step_text(line + len, &p->step[i]);
		len += STEP_TEXT;
		if (i % A_PART != A_PART - 1 && i != p->nr - 1)
			continue;
		line[len++] = '\n';
		if (write(fd, line, len) != len)
			abort();
	}
}

/* To the kernel's log. Who has it open may write some ten lines, then has to wait. */
static void tell_kernel(const struct program *p, unsigned long nr)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	tell_program(fd, "<7>", p, nr);
	close(fd);
}

/* Another part of @p, if this is the next one: how many there are still to come, -1 if it is not. */
static int add_part(const char *line, struct program *p)
{
	unsigned int part, parts;
	int at;

	if (sscanf(line, "fuzz: %*u %u/%u:%n", &part, &parts, &at) != 2)
		return -1;
	if (part == 1)
		p->nr = 0;
	if (p->nr != (part - 1) * A_PART)
		return -1;
	while (line[at] == ' ' && p->nr < MAX_STEPS && step_of(line + at + 1, &p->step[p->nr])) {
		p->nr++;
		at += 1 + STEP_TEXT;
	}
	return parts - part;
}

/* The programs that the file tells whole, no more than @most; how many, 0 if there is no such file. */
static unsigned int read_programs(const char *path, struct program *programs, unsigned int most)
{
	char line[64 + A_PART * (STEP_TEXT + 1)];
	FILE *f = fopen(path, "re");
	unsigned int nr = 0;

	programs[0].nr = 0;
	while (f && nr < most && fgets(line, sizeof(line), f))
		if (!add_part(line, &programs[nr]) && programs[nr].nr && ++nr < most)
			programs[nr].nr = 0;
	if (f)
		fclose(f);
	return nr;
}

/* Numbers, a line each. */
static unsigned int read_numbers(const char *path, unsigned long *numbers, unsigned int most)
{
	FILE *f = fopen(path, "re");
	unsigned int nr = 0;

	while (f && nr < most && fscanf(f, "%lu", &numbers[nr]) == 1)
		nr++;
	if (f)
		fclose(f);
	return nr;
}

#endif /* _FUZZ_LOG_H */
