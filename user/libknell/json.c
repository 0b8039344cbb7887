// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * JSON, written: what libknell's tables need of it and no more. Whatever bytes a name
 * consists of, the document is valid: what is no UTF-8 becomes U+FFFD.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "internal.h"

/* How many bytes the character at @s has; 0: it is no UTF-8. */
static unsigned int utf8_len(const unsigned char *s)
{
	unsigned int i, len = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 :
			      *s < 0xf5 ? 4 : 0;

	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* too long a form, half of a pair of UTF-16, beyond the last one */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void quoted(FILE *f, const char *val)
{
	const unsigned char *s = (const unsigned char *)val;
	unsigned int len;

	putc('"', f);
	for (; *s; s += len ? len : 1) {
		len = utf8_len(s);
		if (!len)
			fputs("\\ufffd", f);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\u%04x", *s);
		else
			fwrite(s, 1, len, f);
	}
	putc('"', f);
}

static void begin(struct json *j, const char *key)
{
	if (j->comma)
		putc(',', j->f);
	j->comma = true;
	if (!key)
		return;
	quoted(j->f, key);
	putc(':', j->f);
}

void json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	putc(bracket, j->f);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	putc(bracket, j->f);
	j->comma = true;
}

void json_str(struct json *j, const char *key, const char *val)
{
	begin(j, key);
	if (val)
		quoted(j->f, val);
	else
		fputs("null", j->f);
}

void json_num(struct json *j, const char *key, uint64_t val)
{
	begin(j, key);
	fprintf(j->f, "%" PRIu64, val);
}

void json_bool(struct json *j, const char *key, bool val)
{
	begin(j, key);
	fputs(val ? "true" : "false", j->f);
}

int json_done(struct json *j)
{
	putc('\n', j->f);
	return file_done(j->f);
}

int file_done(FILE *f)
{
	return fflush(f) || ferror(f) ? -EIO : 0;
}

void text_str(FILE *f, const char *s)
{
	for (; *s; s++)
		putc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, f);
}
