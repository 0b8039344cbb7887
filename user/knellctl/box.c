// SPDX-License-Identifier: GPL-2.0-only
/* Reads a black box's image, and believes nothing in it that its sums do not vouch for. */
#include <byteswap.h>
#include <stdlib.h>
#include <string.h>

#include "box.h"
#include "unit_load.h"

/* The second header is where the first one ends; if that is torn, it is looked for. */
#define HEADERS_MAX	8192U
#define STEP		64U

uint32_t box_crc(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint32_t crc = ~0U;

	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static bool is_header(const struct knell_box_header *h, size_t at)
{
	return h->magic == KNELL_BOX_MAGIC && (!at || h->header_size == at) &&
	       box_crc(h, offsetof(struct knell_box_header, crc)) == h->crc;
}

/* Of what is there the one with the highest generation. */
static enum box_found find_header(const unsigned char *image, size_t len, struct box *box)
{
	bool found = false, swapped = false;
	struct knell_box_header h;

	for (size_t at = 0; at < HEADERS_MAX && len >= at + sizeof(h); at += STEP) {
		memcpy(&h, image + at, sizeof(h));
		if (is_header(&h, at)) {
			if (!found || h.generation > box->header.generation)
				box->header = h;
			found = true;
		} else if (h.magic == KNELL_BOX_MAGIC && (!at || h.header_size == at)) {
			box->torn_headers++;
		}
		swapped |= !at && h.magic == bswap_32(KNELL_BOX_MAGIC);
	}
	box->header.text[sizeof(box->header.text) - 1] = '\0';
	return found ? BOX_FOUND : swapped ? BOX_SWAPPED : BOX_COLD;
}

static bool is_possible(const struct knell_box_header *h)
{
	return h->header_size >= sizeof(*h) && h->header_size < HEADERS_MAX && h->nr_records &&
	       h->record_size >= sizeof(struct knell_box_record) &&
	       h->record_size <= KNELL_BOX_RECORD_MAX && !(h->record_size % 64) &&
	       h->nr_records <= KNELL_BOX_MAX_SIZE / sizeof(struct knell_box_record);
}

/* One slot: nothing, a record, or what is left of one. */
static void read_slot(const unsigned char *slot, size_t nr, struct box *box)
{
	static const struct knell_box_record unused;
	struct knell_box_record *r;

	if (!memcmp(slot, &unused, sizeof(unused)))
		return;
	box->records = xgrow(box->records, box->nr, sizeof(*r));
	r = &box->records[box->nr];
	memcpy(r, slot, sizeof(*r));
	if (r->magic != KNELL_BOX_RECORD_MAGIC || r->seq % box->header.nr_records != nr ||
	    box_crc(r, offsetof(struct knell_box_record, crc)) != r->crc) {
		box->torn++;
		return;
	}
	box->missed += r->missed;
	if (r->type != KNELL_BOX_EXIT) {
		box->others++;
		return;
	}
	r->comm[sizeof(r->comm) - 1] = '\0';
	r->label[sizeof(r->label) - 1] = '\0';
	box->nr++;
}

static int by_seq(const void *a, const void *b)
{
	const struct knell_box_record *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

enum box_found box_read(const void *image, size_t len, struct box *box)
{
	const struct knell_box_header *h = &box->header;
	const unsigned char *slots = image;
	enum box_found found;
	size_t there;

	*box = (struct box){ .nr = 0 };
	found = find_header(image, len, box);
	if (found != BOX_FOUND)
		return found;
	if (h->version != KNELL_BOX_VERSION)
		return BOX_VERSION;
	if (!is_possible(h))
		return BOX_ABSURD;
	slots += 2 * (size_t)h->header_size;
	len = len > 2U * h->header_size ? len - 2U * h->header_size : 0;
	there = len / h->record_size;
	if (there > h->nr_records)
		there = h->nr_records;
	box->cut = h->nr_records - there;
	for (size_t i = 0; i < there; i++)
		read_slot(slots + i * h->record_size, i, box);
	if (box->nr)
		qsort(box->records, box->nr, sizeof(*box->records), by_seq);
	return BOX_FOUND;
}
