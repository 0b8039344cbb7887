// SPDX-License-Identifier: GPL-2.0-only
/* usage: crash PID: has that process go on at address 0, as by a defect of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
	int status;

	if (pid < 1 || ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) != pid || ptrace(PTRACE_GETREGS, pid, 0, &regs)) {
		perror("crash");
		return 1;
	}
	regs.rip = 0;
	/* It is asleep in a system call, which is not to be begun again. */
	regs.orig_rax = -1;
	return ptrace(PTRACE_SETREGS, pid, 0, &regs) || ptrace(PTRACE_DETACH, pid, 0, 0);
}
