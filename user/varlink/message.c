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

/* Bytes of the character at the beginning of @text; 0: it is none, or NUL. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
	static const unsigned int least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	size_t n = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	unsigned int ch = n == 1 ? text[0] : text[0] & 0x7f >> n;

	if (n > len || (text[0] & 0xc0) == 0x80 || text[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		ch = ch << 6 | (text[i] & 0x3f);
	}
	return ch < least[n] || ch > 0x10ffff || (ch & ~0x7ffu) == 0xd800 ? 0 : n;
}

json_t *varlink_text(const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	struct varlink_buf b = { 0 };
	json_t *string = NULL;
	size_t n;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = utf8_length((const unsigned char *)text + i, len - i);
		if (n ? put(text + i, n, &b) : put(replacement, 3, &b))
			goto out;
	}
	string = json_stringn_nocheck(b.data ? b.data : "", b.len);
out:
	buf_free(&b);
	return string;
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
