// SPDX-License-Identifier: GPL-2.0-only
/*
 * insmod FILE [PARAM=VALUE...]: one finit_module(2), no more.
 *
 * busybox's insmod calls init_module(2) once more when finit_module(2) has failed, so a module
 * whose init fails would run it twice. The exit status is 0, or 1 with the reason on stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PARAMS_MAX 4096

int main(int argc, char **argv)
{
	char params[PARAMS_MAX] = "";
	size_t len = 0;
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: insmod FILE [PARAM=VALUE...]\n");
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		int n = snprintf(params + len, sizeof(params) - len, "%s ", argv[i]);

		if (n < 0 || (size_t)n >= sizeof(params) - len) {
			fprintf(stderr, "insmod: parameters longer than %d bytes\n", PARAMS_MAX);
			return 1;
		}
		len += n;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, params, 0)) {
		fprintf(stderr, "insmod: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return 0;
}
