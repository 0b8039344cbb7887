// SPDX-License-Identifier: GPL-2.0-only
/* Small files. */
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "sup.h"

void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path, -errno);
	close(fd);
}

void write_file(const char *path, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		die(path, -ENAMETOOLONG);
	write_text(path, text);
}

/* All of it, as a string; -errno if it cannot be read: a process may be gone. */
long read_text(const char *path, char *buf, size_t size)
{
	ssize_t n, len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf + len, size - 1 - (size_t)len);
		len += n > 0 ? n : 0;
	} while (n > 0);
	close(fd);
	buf[len] = 0;
	return n < 0 ? -errno : len;
}

void make_dir(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		die(path, -errno);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	if (nftw(path, remove_one, 64, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		die(path, -errno);
}
