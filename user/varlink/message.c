// SPDX-License-Identifier: GPL-2.0-only
/* JSON as bytes, and the buffers that these are in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BUF_LEAST	4096

void buf_free(struct varlink_buf *b)
{
	free(b->data);
	*b = (struct varlink_buf){ 0 };
}

void buf_take(struct varlink_buf *b, size_t len)
{
	b->pos += len;
	if (b->pos == b->len)
		buf_free(b);
}

/*
 * Makes room for @want more bytes, doubling what there is, but for no more than @max in all.
 * Returns how many there is room for, perhaps fewer: 0 if there is none or no memory.
 */
size_t buf_room(struct varlink_buf *b, size_t want, size_t max)
{
	size_t size = b->size ? b->size : BUF_LEAST;
	char *data;

	if (b->pos) {
		memmove(b->data, b->data + b->pos, buf_left(b));
		b->len -= b->pos;
		b->pos = 0;
	}
	while (size - b->len < want && size < max)
		size = size < max / 2 ? size * 2 : max;
	if (size > b->size) {
		data = realloc(b->data, size);
		if (!data)
			return 0;
		b->data = data;
		b->size = size;
	}
	return b->size - b->len;
}

/*
 * What a text can make a parser do is known before it is parsed: the recursion, and how much memory
 * it takes, which for an object is a hundred times its two bytes.
 */
static bool is_within(const char *text, size_t len, const struct varlink_limits *limits)
{
	unsigned int depth = 0, values = 1;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		char ch = text[i];

		if (string) {
			i += ch == '\\';
			string = ch != '"';
			continue;
		}
		if (ch == '[' || ch == '{')
			depth++;
		else if ((ch == ']' || ch == '}') && depth)
			depth--;
		string = ch == '"';
		values += ch == '[' || ch == '{' || ch == ',';
		if (depth > limits->depth || values > limits->values)
			return false;
	}
	return true;
}

/* An object, to be given back; NULL: it is none, exceeds the limits, or there is no memory. */
json_t *message_parse(const char *text, size_t len, const struct varlink_limits *limits)
{
	json_t *message;

	if (limits && !is_within(text, len, limits))
		return NULL;
	message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (message && !json_is_object(message)) {
		json_decref(message);
		message = NULL;
	}
	return message;
}

static int put(const char *text, size_t len, void *arg)
{
	struct varlink_buf *b = arg;

	if (buf_room(b, len, SIZE_MAX) < len)
		return -1;
	memcpy(b->data + b->len, text, len);
	b->len += len;
	return 0;
}

/* All of it or nothing: -ENOMEM. */
int message_put(struct varlink_buf *b, const json_t *message)
{
	size_t left = buf_left(b);

	if (!json_dump_callback(message, put, b, JSON_COMPACT) && !put("", 1, b))
		return 0;
	b->len = b->pos + left;
	if (!left)
		buf_free(b);
	return -ENOMEM;
}
