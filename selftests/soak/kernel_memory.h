/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has allocated, of each kind: what has leaked is among it. */
#ifndef _KERNEL_MEMORY_H
#define _KERNEL_MEMORY_H

#include <dirent.h>

#include "soak.h"

#define SLAB		"/sys/kernel/slab"
#define MOST_KINDS	600
#define ROUNDS		5

/* A cache's objects, of which @unsure may be free ones; vmalloc()'s areas; what is told in kB. */
struct kind {
	char name[64];
	unsigned long nr;
	unsigned long unsure;
};

struct kernel_memory {
	unsigned int nr;
	struct kind kind[MOST_KINDS];
};

static inline void note_kind(struct kernel_memory *m, const char *name, unsigned long nr,
			     unsigned long unsure)
{
	struct kind *kind = &m->kind[m->nr];

	if (m->nr == MOST_KINDS)
		return;
	m->nr++;
	snprintf(kind->name, sizeof(kind->name), "%s", name);
	kind->nr = nr;
	kind->unsure = unsure;
}

/* All that is read and written here is open from the first time on: to open one takes some of it. */
struct slab_files {
	int info;
	unsigned int nr;
	int shrink[MOST_KINDS];
};

static inline void open_shrinkers(struct slab_files *f)
{
	DIR *dir = opendir(SLAB);
	struct dirent *entry;
	char path[512];

	while (dir && f->nr < MOST_KINDS && (entry = readdir(dir))) {
		/* Of caches that were merged all names but one are links. */
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB "/%s/shrink", entry->d_name);
		f->shrink[f->nr++] = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
}

static inline struct slab_files *slab_files(void)
{
	static struct slab_files files;

	if (!files.nr) {
		open_shrinkers(&files);
		files.info = open("/proc/slabinfo", O_RDONLY | O_CLOEXEC);
	}
	return &files;
}

/* Of files, which the module has none of: the kernel keeps them as long as it likes. */
static inline bool keeps_names(const char *cache)
{
	return !strcmp(cache, "dentry") || strstr(cache, "inode_cache");
}

/*
 * What a CPU has at hand counts as used, until the cache is told to shrink: a slab of what the telling
 * itself takes.
 */
static inline void note_caches(struct kernel_memory *m)
{
	static char text[1 << 17];
	struct slab_files *f = slab_files();
	size_t len = 0;
	ssize_t n;

	for (unsigned int i = 0; i < f->nr; i++)
		n = pwrite(f->shrink[i], "1", 1, 0);
	while ((n = pread(f->info, text + len, sizeof(text) - 1 - len, len)) > 0)
		len += n;
	text[len] = 0;
	for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long nr, slab;
		char name[64];

		if (sscanf(line, "%63s %lu %*u %*u %lu", name, &nr, &slab) == 3 && !keeps_names(name))
			note_kind(m, name, nr, slab);
	}
}

/* Those that wait to be unmapped are free. */
static inline void note_areas(struct kernel_memory *m)
{
	FILE *f = fopen("/proc/vmallocinfo", "re");
	unsigned long nr = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		nr += !strstr(line, "unpurged");
	if (f)
		fclose(f);
	note_kind(m, "vmalloc", nr, 0);
}

/* All CPUs' own memory in kB; slabs, full or not, and what is too large for any, by 16 of them. */
static inline void note_pages(struct kernel_memory *m)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kb;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Percpu: %lu", &kb) == 1)
			note_kind(m, "percpu kB", kb, 0);
		if (sscanf(line, "SUnreclaim: %lu", &kb) == 1)
			note_kind(m, "slabs and pages", kb / 16, 8);
	}
	if (f)
		fclose(f);
}

/* Names and inodes that are only kept in case somebody asks again are no leak: our own files have some. */
static inline void note_memory(struct kernel_memory *m)
{
	write_file("/proc/sys/vm/drop_caches", "2");
	m->nr = 0;
	note_caches(m);
	note_areas(m);
	note_pages(m);
}

static inline unsigned long nr_of_kind(const struct kernel_memory *m, const char *name)
{
	for (unsigned int i = 0; i < m->nr; i++)
		if (!strcmp(m->kind[i].name, name))
			return m->kind[i].nr;
	return 0;
}

/*
 * Whatever else the kernel does meanwhile only adds to what it has: so the least that is seen counts.
 * By one CPU, so that no more than that has something at hand.
 */
static inline void note_least(struct kernel_memory *m)
{
	static struct kernel_memory again;
	cpu_set_t all, one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_getaffinity(0, sizeof(all), &all);
	sched_setaffinity(0, sizeof(one), &one);
	note_memory(m);
	for (int round = 0; round < ROUNDS; round++) {
		look_later();
		note_memory(&again);
		for (unsigned int i = 0; i < m->nr; i++) {
			unsigned long nr = nr_of_kind(&again, m->kind[i].name);

			if (nr < m->kind[i].nr)
				m->kind[i].nr = nr;
		}
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* By how much the kind has surely grown that has grown most; those that have by @most or more are told. */
static inline unsigned long memory_growth(const struct kernel_memory *then,
					  const struct kernel_memory *now, unsigned long most)
{
	unsigned long growth = 0;

	for (unsigned int i = 0; i < now->nr; i++) {
		const struct kind *kind = &now->kind[i];
		unsigned long before = nr_of_kind(then, kind->name);
		unsigned long grown = kind->nr - before - kind->unsure;

		if (kind->nr <= before + kind->unsure)
			continue;
		if (grown >= most)
			fprintf(stderr, "# %s: %lu, now %lu\n", kind->name, before, kind->nr);
		if (grown > growth)
			growth = grown;
	}
	return growth;
}

#endif /* _KERNEL_MEMORY_H */
