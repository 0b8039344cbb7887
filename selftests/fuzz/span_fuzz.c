// SPDX-License-Identifier: GPL-2.0-only
/* Time spans: what is one is printed and read as the same; twice the text is twice the time. */
#include <errno.h>

#include "fuzz.h"
#include "span.h"
#include "unit_load.h"

#define UNTOUCHED	UINT64_C(0x5a5a5a5a5a5a5a5a)

static void round_trip(uint64_t ns, uint64_t unit)
{
	char buf[SPAN_TEXT_MAX];
	uint64_t again = UNTOUCHED;

	span_format(ns, buf);
	CHECK(!span_parse(buf, strlen(buf), unit, &again), "\"%s\"", buf);
	CHECK(again == ns, "%llu is \"%s\"", (unsigned long long)ns, buf);
}

/* @text twice, a blank between. */
static void twice(const char *text, size_t len, uint64_t unit, uint64_t ns)
{
	char *both = malloc(2 * len + 1);
	uint64_t sum = UNTOUCHED;
	int ret;

	memcpy(both, text, len);
	both[len] = ' ';
	memcpy(both + len + 1, text, len);
	ret = span_parse(both, 2 * len + 1, unit, &sum);
	free(both);
	if (ns == SPAN_INFINITY)
		CHECK(ret == -EINVAL, "infinity twice");
	else if (2 * ns > INT64_MAX)
		CHECK(ret == -ERANGE && sum == UNTOUCHED, "%d", ret);
	else
		CHECK(!ret && sum == 2 * ns, "%d", ret);
}

static void parse(const char *text, size_t len, uint64_t unit)
{
	uint64_t ns = UNTOUCHED;
	int ret = span_parse(text, len, unit, &ns);

	CHECK(!ret || ret == -EINVAL || ret == -ERANGE, "%d", ret);
	if (ret) {
		CHECK(ns == UNTOUCHED, "an error leaves a result");
		return;
	}
	CHECK(ns <= INT64_MAX || ns == SPAN_INFINITY, "too long");
	round_trip(ns, unit);
	twice(text, len, unit, ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	uint64_t any = text_hash(text, size);

	parse(text, size, SPAN_SEC);
	parse(text, size, 1000);
	/* A span of any length, long ones as often as short ones. */
	round_trip((any & INT64_MAX) >> any % 61, SPAN_SEC);
	return 0;
}
