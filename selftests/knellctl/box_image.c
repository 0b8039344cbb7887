// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images of black boxes, good ones and others.
 *
 * usage: box_image write FILE KIND	(kinds[])
 *	  box_image mutate NR SEED	reads so many that were changed at random, as knellctl does;
 *					what of it cannot be is told
 */
#include <byteswap.h>
#include <linux/knell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "../unit/tap.h"

#define SLOTS	8

struct image {
	struct knell_box_header headers[2];
	struct knell_box_record slots[SLOTS];
};

static void seal_header(struct knell_box_header *h)
{
	h->crc = box_crc(h, offsetof(struct knell_box_header, crc));
}

static void seal(struct knell_box_record *r)
{
	r->crc = box_crc(r, offsetof(struct knell_box_record, crc));
}

static struct knell_box_header header(uint64_t generation, uint32_t reason, const char *text)
{
	struct knell_box_header h = {
		.magic = KNELL_BOX_MAGIC, .version = KNELL_BOX_VERSION, .header_size = sizeof(h),
		.record_size = sizeof(struct knell_box_record), .nr_records = SLOTS,
		.generation = generation, .boots = 3, .reason = reason, .time_ns = 90000000000,
		.real_ns = 1700000090000000000, .opened_ns = 1700000000000000000,
	};

	strcpy(h.text, text);
	seal_header(&h);
	return h;
}

static struct knell_box_record record(uint64_t seq)
{
	struct knell_box_record r = {
		.magic = KNELL_BOX_RECORD_MAGIC, .type = KNELL_BOX_EXIT, .seq = seq,
		.boot = seq < 10 ? 2 : 3, .time_ns = seq * 1000000000,
		.real_ns = 1700000000000000000 + seq * 1000000000, .pid = 1000 + (int)seq,
		.status = seq % 2 ? 11 : 256 * (int)seq, .uid = 33, .watch = 7, .queue = 1,
		.start_ns = 1000000000, .utime_ns = 2000000, .stime_ns = 1000000,
		.maxrss_kb = 2048, .members = 1, .watch_type = KNELL_TREE,
	};

	snprintf(r.comm, sizeof(r.comm), "prog%u", (unsigned int)seq);
	snprintf(r.label, sizeof(r.label), "unit%u.service", (unsigned int)seq);
	if (seq % 2) {
		r.flags = KNELL_EVF_KILLER;
		r.killer_pid = 99;
	}
	seal(&r);
	return r;
}

/* Twelve exits, of which the last eight are there; the newer header says that it panicked. */
static struct image good(void)
{
	struct image i = { .headers = { header(5, KNELL_BOX_PANIC, "Fatal exception"),
					header(4, KNELL_BOX_NONE, "") } };

	for (uint64_t seq = 5; seq <= 12; seq++)
		i.slots[seq % SLOTS] = record(seq);
	return i;
}

static void torn(struct image *i)
{
	i->slots[12 % SLOTS].pid++;
	i->slots[11 % SLOTS].magic = 0;
	/* Whole, but that of another slot. */
	i->slots[10 % SLOTS] = record(13);
}

static void few(struct image *i)
{
	for (size_t n = 0; n < SLOTS; n++)
		if (i->slots[n].seq != 5)
			memset(&i->slots[n], 0, sizeof(i->slots[n]));
	i->headers[0] = header(6, KNELL_BOX_REBOOT, "");
}

static void older(struct image *i)
{
	i->headers[0].boots++;
}

static void no_header(struct image *i)
{
	i->headers[0].boots++;
	i->headers[1].boots++;
}

static void cold(struct image *i)
{
	memset(i, 0xa5, sizeof(*i));
}

static void fresh(struct image *i)
{
	memset(i->slots, 0, sizeof(i->slots));
	i->headers[0].boots = 0;
	i->headers[0].reason = 0;
	seal_header(&i->headers[0]);
}

static void swapped(struct image *i)
{
	i->headers[0].magic = bswap_32(KNELL_BOX_MAGIC);
	i->headers[1].magic = bswap_32(KNELL_BOX_MAGIC);
}

static void version(struct image *i)
{
	i->headers[0].version = 9;
	seal_header(&i->headers[0]);
}

static void absurd(struct image *i)
{
	i->headers[0].record_size = 0;
	seal_header(&i->headers[0]);
}

static void many(struct image *i)
{
	i->headers[0].nr_records = 1000;
	seal_header(&i->headers[0]);
	/* Where they belong among so many. */
	for (size_t n = 0; n < SLOTS; n++)
		i->slots[n] = record(n);
}

static void later(struct image *i)
{
	i->headers[0].reason = 77;
	memcpy(i->headers[0].text, "\033[2J\xff", 6);
	seal_header(&i->headers[0]);
	i->slots[12 % SLOTS].type = 9;
	seal(&i->slots[12 % SLOTS]);
}

/* All that a writer who means ill can put into a record. */
static void hostile(struct image *i)
{
	memset(i->headers[0].text, 'x', sizeof(i->headers[0].text));
	seal_header(&i->headers[0]);
	for (uint64_t seq = 5; seq <= 12; seq++) {
		struct knell_box_record *r = &i->slots[seq % SLOTS];

		memset((char *)r, 0xff, sizeof(*r));
		r->magic = KNELL_BOX_RECORD_MAGIC;
		r->type = KNELL_BOX_EXIT;
		r->seq = seq;
		r->flags = seq % 2 ? 0xffff & ~KNELL_EVF_NOSTATUS : 0xffff;
		if (seq == 7)
			strcpy(r->comm, "\033]0;x\a");
		if (seq == 7)
			r->status = 64;
		seal(r);
	}
}

static const struct {
	const char *name;
	void (*change)(struct image *i);
} kinds[] = {
	{ "good", NULL }, { "torn", torn }, { "few", few }, { "older", older },
	{ "no-header", no_header }, { "cold", cold }, { "fresh", fresh }, { "swapped", swapped },
	{ "version", version }, { "absurd", absurd }, { "many", many }, { "later", later },
	{ "hostile", hostile },
};

static int write_image(const char *path, const char *kind)
{
	struct image i = good();
	FILE *f = fopen(path, "w");
	size_t k = 0;

	while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k].name, kind))
		k++;
	if (!f || k == ARRAY_SIZE(kinds))
		return fprintf(stderr, "box_image: %s %s\n", path, kind), 2;
	if (kinds[k].change)
		kinds[k].change(&i);
	k = fwrite(&i, sizeof(i), 1, f);
	return fclose(f) || k != 1;
}

static uint32_t any_number(void)
{
	static const uint32_t numbers[] = { 0, 1, 2, 63, 64, 127, 255, 256, 320, 512, 4096, 8192,
					    65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff };

	return below(2) ? numbers[below(ARRAY_SIZE(numbers))] : below(0xffffffff);
}

/* Sizes and numbers with sums that vouch for them, and then a few bytes that nobody vouches for. */
static size_t change(struct image *i)
{
	struct knell_box_header *h = &i->headers[below(2)];

	switch (below(8)) {
	case 0: h->record_size = any_number(); break;
	case 1: h->nr_records = any_number(); break;
	case 2: h->header_size = (uint16_t)any_number(); break;
	case 3: h->version = (uint16_t)any_number(); break;
	case 4: h->generation = any_number(); break;
	default: break;
	}
	if (below(4))
		seal_header(h);
	if (!below(3)) {
		i->slots[below(SLOTS)].seq = any_number();
		seal(&i->slots[below(SLOTS)]);
	}
	for (uint32_t n = below(4); n; n--)
		((unsigned char *)i)[below(sizeof(*i))] ^= (unsigned char)(1 + below(255));
	return below(3) ? sizeof(*i) : below(sizeof(*i) + 1);
}

static void look(const unsigned char *image, size_t len)
{
	struct box b;
	enum box_found found = box_read(image, len, &b);

	if (found != BOX_FOUND && (b.records || b.nr))
		bad("records without a header");
	if (b.nr + b.torn + b.others > len / sizeof(struct knell_box_record))
		bad("%zu, %zu and %zu records in %zu bytes", b.nr, b.torn, b.others, len);
	if (found == BOX_FOUND && b.cut > b.header.nr_records)
		bad("%zu of %u slots are cut off", b.cut, b.header.nr_records);
	for (size_t n = 0; n < b.nr; n++) {
		const struct knell_box_record *r = &b.records[n];

		if (strnlen(r->comm, sizeof(r->comm)) == sizeof(r->comm) ||
		    strnlen(r->label, sizeof(r->label)) == sizeof(r->label))
			bad("a name has no end");
		if (n && r->seq <= r[-1].seq)
			bad("number %llu is before %llu", (unsigned long long)r[-1].seq,
			    (unsigned long long)r->seq);
	}
	free(b.records);
}

/* What is read has nothing behind it, so that ASan sees a byte too many. */
static int mutate(unsigned long nr, unsigned long seed)
{
	random_state ^= seed * 0x9e3779b97f4a7c15;
	for (unsigned long n = 0; n < nr && !tap_bad; n++) {
		struct image i = good();
		size_t len;
		unsigned char *exact;

		if (below(2))
			kinds[1 + below(ARRAY_SIZE(kinds) - 1)].change(&i);
		len = change(&i);
		exact = malloc(len ? len : 1);
		if (!exact)
			return 1;
		memcpy(exact, &i, len);
		look(exact, len);
		if (tap_bad)
			bad("image %lu of seed %lu", n, seed);
		free(exact);
	}
	return tap_bad != 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write"))
		return write_image(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "mutate"))
		return mutate(strtoul(argv[2], NULL, 0), strtoul(argv[3], NULL, 0));
	fprintf(stderr, "usage: box_image write FILE KIND | mutate NR SEED\n");
	return 2;
}
