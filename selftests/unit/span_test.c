// SPDX-License-Identifier: GPL-2.0-only
/* Time spans: what is one, what is none, and that text and number go into each other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"
#include "tap.h"

#define S	SPAN_SEC
#define MS	UINT64_C(1000000)
#define US	UINT64_C(1000)
#define MIN	(60 * S)
#define H	(60 * MIN)
#define D	(24 * H)
#define MONTH	(2629800 * S)

static const struct {
	const char *text;
	uint64_t ns;
} good[] = {
	{ "0", 0 }, { "5", 5 * S }, { "5s", 5 * S }, { "5 s", 5 * S }, { "100ms", 100 * MS },
	{ "1min 30s", 90 * S }, { "1h30m", 90 * MIN }, { "2d", 2 * D }, { "1.05s", 1050 * MS },
	{ ".5s", 500 * MS }, { ".5", 500 * MS }, { "1.5h", 90 * MIN }, { "50us", 50 * US },
	{ "50\xc2\xb5s", 50 * US }, { "50\xce\xbcs", 50 * US }, { "1month", MONTH }, { "1M", MONTH },
	{ "1w", 7 * D }, { "1y", 12 * MONTH }, { "2 hours 3 minutes 4 seconds", 7384 * S },
	{ "infinity", SPAN_INFINITY }, { " infinity\t", SPAN_INFINITY }, { "20 5s", 25 * S },
	{ "2 h", 2 * H }, { "2hours", 2 * H }, { "48hr", 48 * H }, { "1y 12month", 24 * MONTH },
	{ "55s500ms", 55500 * MS }, { "300ms20s 5day", 5 * D + 20300 * MS }, { "5m3", 303 * S },
	{ "5M3", 5 * MONTH + 3 * S }, { "5s5", 10 * S }, { "1s.5", 1500 * MS }, { "1 .5", 1500 * MS },
	{ "+5", 5 * S }, { "5s+3", 8 * S }, { "5\n3", 8 * S }, { "5 \r\n", 5 * S },
	{ "1ns", 1 }, { "7 nsec", 7 }, { "0.5us", 500 }, { "1.0000000019s", S + 1 },
	{ "0.1M", MONTH / 10 }, { "1second1sec1seconds1s", 4 * S }, { "3usec", 3 * US },
	{ "3msec", 3 * MS }, { "1minutes 1minute 1min 1m", 4 * MIN }, { "1hours 1hour", 2 * H },
	{ "1days 1day", 2 * D }, { "1weeks 1week", 14 * D }, { "2months", 2 * MONTH },
	{ "1years 1year", 24 * MONTH }, { "00000000000000000000000000000005", 5 * S },
	{ "9223372036854775807ns", INT64_MAX }, { "9223372036.854775807", INT64_MAX },
	{ "292y", 292 * 12 * MONTH },
};

static const struct {
	const char *text;
	int err;
} refused[] = {
	{ "", -EINVAL }, { " ", -EINVAL }, { "s", -EINVAL }, { ".", -EINVAL }, { ".s", -EINVAL },
	{ "1.", -EINVAL }, { "1.s", -EINVAL }, { "1. 5s", -EINVAL }, { "1x", -EINVAL },
	{ "5minx", -EINVAL }, { "5mins", -EINVAL }, { "5S", -EINVAL }, { "5Min", -EINVAL },
	{ "5hrs", -EINVAL }, { "soon", -EINVAL }, { "infinity 1", -EINVAL }, { "1 infinity", -EINVAL },
	{ "infinit", -EINVAL }, { "Infinity", -EINVAL }, { "1e3", -EINVAL }, { "0x10", -EINVAL },
	{ "1.5.5", -EINVAL }, { "5+3", -EINVAL }, { "+", -EINVAL }, { "+ 5", -EINVAL },
	{ "+.5", -EINVAL }, { "3.+1", -EINVAL }, { "5,3", -EINVAL }, { "5\xc2s", -EINVAL },
	{ "-1", -ERANGE }, { "-0", -ERANGE }, { "- 5", -ERANGE }, { "5 -3", -ERANGE },
	{ "1000y", -ERANGE }, { "293y", -ERANGE }, { "9223372036854775808ns", -ERANGE },
	{ "9223372036.854775808", -ERANGE }, { "99999999999999999999", -ERANGE },
	{ "18446744073709551616ns", -ERANGE }, { "292y 292y", -ERANGE },
};

static const struct {
	uint64_t ns;
	const char *text;
} formats[] = {
	{ 0, "0" }, { 1, "1ns" }, { 1000, "1us" }, { 1500, "1.500us" }, { MS, "1ms" },
	{ 1001 * US, "1.001ms" }, { 1000001, "1.000001ms" }, { S, "1s" }, { 1500 * MS, "1.500000s" },
	{ S + 1, "1.000000001s" }, { 59900 * MS, "59.900000s" }, { MIN, "1min" }, { 90 * S, "1min 30s" },
	{ 61500 * MS, "1min 1.500000s" }, { MIN + US, "1min 1us" }, { H + 500 * MS, "1h 500ms" },
	{ 36 * H, "1d 12h" }, { 35 * D, "1month 4d 13h 30min" }, { 400 * D, "1y 1month 4d 7h 30min" },
	{ 40 * D, "1month 1w 2d 13h 30min" }, { SPAN_INFINITY, "infinity" },
};

static void check_good(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t ns = 1;
		int ret = span_parse(good[i].text, strlen(good[i].text), S, &ns);

		if (ret || ns != good[i].ns)
			bad("\"%s\": %d, %llu", good[i].text, ret, (unsigned long long)ns);
	}
	tap("time spans");
}

static void check_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		uint64_t ns = 12345;
		int ret = span_parse(refused[i].text, strlen(refused[i].text), S, &ns);

		if (ret != refused[i].err || ns != 12345)
			bad("\"%s\": %d, %llu", refused[i].text, ret, (unsigned long long)ns);
	}
	tap("what is refused leaves the value alone");
}

static void check_unit(void)
{
	uint64_t ns;

	if (span_parse("5 1s .5", 7, MS, &ns) || ns != S + 5500 * US)
		bad("milliseconds: %llu", (unsigned long long)ns);
	if (span_parse("50", 2, 1, &ns) || ns != 50)
		bad("nanoseconds: %llu", (unsigned long long)ns);
	if (span_parse("5smore", 2, S, &ns) || ns != 5 * S)
		bad("not more than it may read");
	tap("the unit of a number without one");
}

static void check_format(void)
{
	char buf[SPAN_TEXT_MAX];
	uint64_t ns, back;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(span_format(formats[i].ns, buf), formats[i].text))
			bad("%llu: \"%s\"", (unsigned long long)formats[i].ns, buf);
	for (int i = 0; i < 200000; i++) {
		ns = ((uint64_t)below(UINT32_MAX) << 31 | below(1U << 31)) >> below(63);
		if (below(2))
			ns -= ns % US;
		span_format(ns, buf);
		if (span_parse(buf, strlen(buf), 1, &back) || back != ns)
			bad("%llu: \"%s\": %llu", (unsigned long long)ns, buf,
			    (unsigned long long)back);
	}
	span_format(UINT64_MAX - 1, buf);
	tap("a span that is printed is read back as the same");
}

static void check_hostile(void)
{
	static const char alphabet[] = "0123456789.+- \t\nsmhdwMyunec\xc2\xb5\xce\xbc";
	size_t len = 1 << 20;
	char *big = malloc(len), *small;
	uint64_t ns;

	if (!big)
		abort();
	memset(big, '9', len);
	if (span_parse(big, len, S, &ns) != -ERANGE)
		bad("1 MiB of digits");
	memset(big, ' ', len);
	if (span_parse(big, len, S, &ns) != -EINVAL)
		bad("1 MiB of blanks");
	memset(big, 0, len);
	if (span_parse(big, len, S, &ns) != -EINVAL)
		bad("1 MiB of NULs");
	if (span_parse("5\0 s", 4, S, &ns) != -EINVAL)
		bad("a NUL amid it");
	free(big);
	/* Each in a block of its own, whose end the sanitizer knows. */
	for (int i = 0; i < 300000; i++) {
		len = below(24);
		small = malloc(len + !len);
		if (!small)
			abort();
		for (size_t at = 0; at < len; at++)
			small[at] = below(50) ? alphabet[below(sizeof(alphabet) - 1)] : (char)below(256);
		if (!span_parse(small, len, S, &ns) && ns > INT64_MAX && ns != SPAN_INFINITY)
			bad("%.*s: %llu", (int)len, small, (unsigned long long)ns);
		free(small);
	}
	tap("hostile spans");
}

int main(void)
{
	check_good();
	check_refused();
	check_unit();
	check_format();
	check_hostile();
	return tap_done();
}
