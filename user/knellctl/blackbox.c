// SPDX-License-Identifier: GPL-2.0-only
/* blackbox: what the machine did last before it was reset, out of the black box's image. */
#include <errno.h>
#include <fcntl.h>
#include <linux/knell.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "knellctl.h"

/* No more than an image may have; NULL: said why not. */
static unsigned char *read_image(const char *path, size_t *len, int *status)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *image = NULL;
	ssize_t n = fd < 0 ? -1 : 1;
	size_t size = 0;

	*len = 0;
	while (n > 0 && *len <= KNELL_BOX_MAX_SIZE) {
		if (size - *len < 65536) {
			size = size ? 2 * size : 262144;
			image = realloc(image, size);
			if (!image)
				break;
		}
		n = read(fd, image + *len, size - *len);
		if (n > 0)
			*len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	if (image && !n && *len <= KNELL_BOX_MAX_SIZE)
		return image;
	*status = EX_FAILED;
	if (n > 0)
		complain("%s: no image of a black box: it has more than %u MiB", path,
			 KNELL_BOX_MAX_SIZE >> 20);
	else if (errno == ENOENT && !strcmp(path, KNELL_BOX_FILE))
		complain("there is no black box: the module knell is not loaded, or has neither a "
			 "device tree's region nor box_addr= and box_size=");
	else
		complain("%s: %s", path, strerror(errno));
	if (n < 0 && (errno == EACCES || errno == EPERM))
		*status = EX_DENIED;
	free(image);
	return NULL;
}

static json_t *usec(uint64_t ns)
{
	return json_integer((json_int_t)(ns / 1000));
}

static const char *reason_word(uint32_t reason)
{
	static const char *const words[] = {
		[KNELL_BOX_NONE] = "none", [KNELL_BOX_PANIC] = "panic",
		[KNELL_BOX_REBOOT] = "reboot", [KNELL_BOX_HALT] = "halt",
		[KNELL_BOX_POWER_OFF] = "power-off", [KNELL_BOX_UNLOADED] = "unloaded",
	};

	return reason < ARRAY_SIZE(words) ? words[reason] : "unknown";
}

static const char *kind_word(uint32_t kind)
{
	static const char *const words[] = {
		[KNELL_PROCESS] = "process", [KNELL_TREE] = "tree",
		[KNELL_CHILDREN] = "children",
	};

	return kind < ARRAY_SIZE(words) && words[kind] ? words[kind] : "unknown";
}

static void set(json_t *e, const char *key, json_t *value)
{
	json_object_set_new(e, key, value);
}

/* What is only there if whoever watched it might know. */
static void put_end(json_t *e, const struct knell_box_record *r)
{
	if (r->flags & KNELL_EVF_NOSTATUS) {
		set(e, "statusLost", json_true());
		return;
	}
	put_status(e, r->status);
	set(e, "cpuUsec", usec(r->utime_ns + r->stime_ns));
	set(e, "rssKiB", json_integer((json_int_t)r->maxrss_kb));
	if (r->flags & KNELL_EVF_OOM)
		set(e, "oom", json_true());
	if (r->flags & KNELL_EVF_KILLER) {
		set(e, "killerPid", json_integer(r->killer_pid));
		set(e, "killerUid", json_integer(r->killer_uid));
	}
}

/* As knelld tells of ends, with what only the black box has. */
static json_t *exit_of(const struct knell_box_record *r)
{
	json_t *e = json_pack("{s:I, s:I, s:I, s:{s:o, s:o}, s:i, s:I, s:o, s:o, s:I, s:I, s:s}",
		"seq", (json_int_t)r->seq, "boot", (json_int_t)r->boot, "missed",
		(json_int_t)r->missed, "time", "realtimeUsec", usec(r->real_ns), "monotonicUsec",
		usec(r->time_ns), "pid", r->pid, "uid", (json_int_t)r->uid, "name",
		json_harmless(r->comm), "label", json_harmless(r->label), "queue",
		(json_int_t)r->queue, "watch", (json_int_t)r->watch, "kind",
		kind_word(r->watch_type));

	put_end(e, r);
	if (r->time_ns >= r->start_ns && r->start_ns)
		set(e, "runUsec", usec(r->time_ns - r->start_ns));
	if (r->watch_type == KNELL_TREE)
		set(e, "members", json_integer(r->members));
	if (r->cgroup_id)
		set(e, "cgroup", json_integer((json_int_t)r->cgroup_id));
	return e;
}

/* The latest first, at most as many as were asked for. */
static json_t *exits_of(const struct box *box)
{
	json_t *list = json_array();

	for (size_t i = box->nr; i && (opt.lines < 0 || box->nr - i < (size_t)opt.lines); i--)
		json_array_append_new(list, exit_of(&box->records[i - 1]));
	return list;
}

static json_t *json_of(const struct box *box, bool cold)
{
	const struct knell_box_header *h = &box->header;

	if (cold)
		return json_pack("{s:b, s:i, s:i, s:[]}", "cold", 1, "boots", 0,
				 "tornHeaders", (int)box->torn_headers, "exits");
	return json_pack("{s:b, s:I, s:s, s:I, s:o, s:{s:o}, s:{s:o}, s:o, s:I, s:I, s:I, s:I, "
			 "s:I, s:i, s:o}", "cold", 0, "boots", (json_int_t)h->boots, "reason",
			 reason_word(h->reason), "reasonNumber", (json_int_t)h->reason, "text",
			 json_harmless(h->text), "opened", "realtimeUsec", usec(h->opened_ns),
			 "written", "realtimeUsec", usec(h->real_ns), "uptimeUsec",
			 usec(h->time_ns), "slots", (json_int_t)h->nr_records, "torn",
			 (json_int_t)box->torn, "others", (json_int_t)box->others, "cut",
			 (json_int_t)box->cut, "missed", (json_int_t)box->missed, "tornHeaders",
			 (int)box->torn_headers, "exits", exits_of(box));
}

static void show_reason(const json_t *b)
{
	static const char *const words[] = {
		[KNELL_BOX_NONE] = "nobody said: it is up, or was reset, hung or lost power",
		[KNELL_BOX_PANIC] = "the kernel panicked", [KNELL_BOX_REBOOT] = "it was restarted",
		[KNELL_BOX_HALT] = "it was halted",
		[KNELL_BOX_POWER_OFF] = "it was switched off",
		[KNELL_BOX_UNLOADED] = "the module was removed; what came later is not known",
	};
	json_int_t n = get_int(b, "reasonNumber");
	const char *text = get_str(b, "text");
	enum colour c = n == KNELL_BOX_PANIC ? RED : n == KNELL_BOX_NONE ? YELLOW : PLAIN;

	if (n < (json_int_t)ARRAY_SIZE(words))
		field(stdout, "Ended", c, "%s%s%s", words[n], *text ? ": " : "", text);
	else
		field(stdout, "Ended", c, "for reason %lld%s%s, which is not known here",
		      (long long)n, *text ? ", " : "", text);
}

/* How much of it is not there. */
static void show_losses(const json_t *b)
{
	if (get_int(b, "torn"))
		field(stdout, "Torn", YELLOW, "%lld records, which say nothing any more",
		      (long long)get_int(b, "torn"));
	if (get_int(b, "missed"))
		field(stdout, "Missed", YELLOW, "%lld exits that came too fast",
		      (long long)get_int(b, "missed"));
	if (get_int(b, "cut"))
		field(stdout, "Cut off", YELLOW, "%lld of %lld slots are not in the file",
		      (long long)get_int(b, "cut"), (long long)get_int(b, "slots"));
	if (get_int(b, "others"))
		field(stdout, "Unknown", YELLOW, "%lld records of a later kind",
		      (long long)get_int(b, "others"));
}

static void show_exits(json_t *b)
{
	struct table t = {
		.heads = { "BOOT", "TIME", "LABEL", "NAME", "PID", "END", "RAN", "CPU", "RSS",
			   "KILLED BY" },
		.right = BIT(0) | BIT(4) | BIT(6) | BIT(7) | BIT(8),
	};
	json_t *e;
	size_t i;

	json_array_foreach(get(b, "exits"), i, e) {
		cell(&t, PLAIN, "%lld", (long long)get_int(e, "boot"));
		/* The columns that knelld's history has, too. */
		set(e, "unit", json_string(*get_str(e, "label") ? get_str(e, "label") : "-"));
		set(e, "role", json_string(get_str(e, "name")));
		exit_row(&t, e);
	}
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "No exits.\n");
}

static int show(const struct box *box, bool cold)
{
	json_t *b = json_of(box, cold);
	char when[TIME_MAX], span[SPAN_MAX];

	if (!b) {
		complain("no memory");
		return EX_FAILED;
	}
	if (opt.json)
		return out_json(b);
	if (cold && !opt.plain) {
		print(PLAIN, "Nothing was kept: the RAM was cold.\n");
		if (box->torn_headers)
			print(YELLOW, "There was a header, which is torn.\n");
	} else if (!opt.plain) {
		field(stdout, "Boot", PLAIN, "%lld, from %s", (long long)get_int(b, "boots"),
		      time_words(get(b, "opened"), when));
		show_reason(b);
		field(stdout, "Last word", PLAIN, "%s, %s after it was switched on",
		      time_words(get(b, "written"), when),
		      span_words((uint64_t)get_int(b, "uptimeUsec"), span));
		show_losses(b);
		putchar('\n');
	}
	if (!cold)
		show_exits(b);
	json_decref(b);
	return EX_OK;
}

int cmd_blackbox(const struct verb *cmd, char **args, size_t nr)
{
	const char *path = nr ? args[0] : KNELL_BOX_FILE;
	int status = EX_OK;
	struct box box;
	size_t len;
	unsigned char *image = read_image(path, &len, &status);

	(void)cmd;
	if (!image)
		return status;
	switch (box_read(image, len, &box)) {
	case BOX_COLD:
		status = show(&box, true);
		break;
	case BOX_FOUND:
		status = show(&box, !box.header.boots);
		break;
	case BOX_SWAPPED:
		complain("%s: it was written by a machine of the other byte order", path);
		status = EX_FAILED;
		break;
	case BOX_VERSION:
		complain("%s: its version is %u, only %u is known here", path, box.header.version,
			 KNELL_BOX_VERSION);
		status = EX_FAILED;
		break;
	case BOX_ABSURD:
		complain("%s: its header has sizes that cannot be", path);
		status = EX_FAILED;
		break;
	}
	free(box.records);
	free(image);
	return status;
}
