/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image of a black box (<linux/knell_blackbox.h>), whoever wrote it: RAM that was never an
 * image, one that lost bits, or a file that somebody has made up.
 */
#ifndef _KNELLCTL_BOX_H
#define _KNELLCTL_BOX_H

#include <linux/knell_blackbox.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is found, of box->header. */
enum box_found {
	BOX_COLD,		/* no header: no image, or one that is wholly gone */
	BOX_FOUND,
	BOX_SWAPPED,		/* of a machine of the other byte order */
	BOX_VERSION,		/* whose meaning is not known; header.version */
	BOX_ABSURD,		/* its sizes cannot be */
};

/**
 * struct box - what an image says
 * @header: the valid one that counts; its text is terminated
 * @torn_headers: copies that were one, and are not valid
 * @records: exits in the order of seq, to be freed; their strings are terminated
 * @nr: of @records
 * @torn: slots that say nothing any more
 * @others: records of types that are not known
 * @cut: slots that the image is too short for
 * @missed: exits that there was no room for, as @records tell
 */
struct box {
	struct knell_box_header header;
	unsigned int torn_headers;
	struct knell_box_record *records;
	size_t nr, torn, others, cut;
	uint64_t missed;
};

/* @image: of any content, of any size. @box is set in any case. */
enum box_found box_read(const void *image, size_t len, struct box *box);
/* The checksum of both, as zlib's crc32(0, ...). */
uint32_t box_crc(const void *data, size_t len);

#endif /* _KNELLCTL_BOX_H */
