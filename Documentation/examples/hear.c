// SPDX-License-Identifier: GPL-2.0-only
/* hear COMMAND [ARG...]: runs it and tells how it ended. Neither SIGCHLD nor polling. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/knell.h>

int main(int argc, char **argv)
{
	int queue = open(KNELL_DEVICE, O_RDWR | O_CLOEXEC);
	struct knell_op add = { KNELL_OP_ADD, KNELL_PROCESS, .flags = KNELL_OPF_NEXT };
	struct knell_submit submit = { .ops = (unsigned long)&add, .nr_ops = 1 };
	struct knell_event ev;

	if (argc < 2 || queue < 0 || ioctl(queue, KNELL_IOC_SUBMIT, &submit) < 0 || add.result)
		return perror(KNELL_DEVICE), 1;
	if (!fork())			/* the next process is watched before it first runs */
		_exit(execvp(argv[1], argv + 1) ? 127 : 0);
	if (read(queue, &ev, sizeof(ev)) != sizeof(ev))		/* sleeps until it is dead */
		return perror("read"), 1;
	printf("pid %d: %s %d, %llu us of CPU, %llu KiB\n", ev.exit.pid,
	       WIFEXITED(ev.exit.status) ? "exit" : "signal",
	       WIFEXITED(ev.exit.status) ? WEXITSTATUS(ev.exit.status) : WTERMSIG(ev.exit.status),
	       (ev.exit.utime_ns + ev.exit.stime_ns) / 1000, ev.exit.maxrss_kb);
	return waitpid(ev.exit.pid, NULL, 0) != ev.exit.pid;	/* cannot block */
}
