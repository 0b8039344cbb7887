// SPDX-License-Identifier: GPL-2.0-only
/* A service's terminal, and how it is left. The child calls it, too: see exec_child.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ttydefaults.h>
#include <termios.h>
#include <unistd.h>

#include "exec.h"

static const char *tty_of(const struct exec_context *ctx)
{
	return ctx->tty ? ctx->tty : "/dev/console";
}

/* A modem's carrier is not waited for. */
static int open_now(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

/* As one that was just switched on; errors are of no interest, for no terminal can do all. */
static void reset(int fd)
{
	static const cc_t chars[NCCS] = {
		[VINTR] = CINTR, [VQUIT] = CQUIT, [VERASE] = CERASE, [VKILL] = CKILL,
		[VEOF] = CEOF, [VSTART] = CSTART, [VSTOP] = CSTOP, [VSUSP] = CSUSP,
		[VREPRINT] = CREPRINT, [VWERASE] = CWERASE, [VLNEXT] = CLNEXT, [VMIN] = 1,
	};
	struct termios t;

	ioctl(fd, TIOCNXCL);
	ioctl(fd, KDSETMODE, KD_TEXT);
	ioctl(fd, KDSKBMODE, K_UNICODE);
	if (tcgetattr(fd, &t))
		return;
	t.c_iflag &= ~(IGNBRK | BRKINT | ISTRIP | INLCR | IGNCR | IUCLC);
	t.c_iflag |= ICRNL | IMAXBEL | IUTF8;
	t.c_oflag |= ONLCR | OPOST;
	t.c_cflag |= CREAD;
	t.c_lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE;
	memcpy(t.c_cc, chars, sizeof(t.c_cc));
	tcsetattr(fd, TCSANOW, &t);
	tcflush(fd, TCIOFLUSH);
}

/* A virtual console is made anew, or if somebody sees it, cleared. */
static void disallocate(const char *path)
{
	static const char clear[] = "\033[r\033[H\033[3J";
	int fd, n = 0;

	if (strncmp(path, "/dev/tty", 8))
		return;
	for (const char *s = path + 8; *s >= '0' && *s <= '9' && n < 100; s++)
		n = n * 10 + *s - '0';
	fd = n ? open_now("/dev/tty0") : -1;
	if (fd < 0)
		return;
	n = ioctl(fd, VT_DISALLOCATE, n);
	close(fd);
	fd = n < 0 ? open_now(path) : -1;
	if (fd < 0)
		return;
	/* Nobody to tell if that fails. */
	(void)!write(fd, clear, sizeof(clear) - 1);
	close(fd);
}

/* TTYVHangup=, TTYReset=, TTYVTDisallocate=, as far as they are set. */
void tty_revert(const struct exec_context *ctx)
{
	int fd = ctx->tty_vhangup || ctx->tty_reset ? open_now(tty_of(ctx)) : -1;

	if (fd >= 0 && ctx->tty_vhangup) {
		ioctl(fd, TIOCVHANGUP);
		/* That one is hung up, too. */
		close(fd);
		fd = ctx->tty_reset ? open_now(tty_of(ctx)) : -1;
	}
	if (fd >= 0 && ctx->tty_reset)
		reset(fd);
	if (fd >= 0)
		close(fd);
	if (ctx->tty_disallocate)
		disallocate(tty_of(ctx));
}

static void set_size(int fd, const struct exec_context *ctx)
{
	struct winsize size = { 0 };

	if (ctx->tty_rows == UNSET && ctx->tty_columns == UNSET)
		return;
	ioctl(fd, TIOCGWINSZ, &size);
	if (ctx->tty_rows != UNSET)
		size.ws_row = ctx->tty_rows;
	if (ctx->tty_columns != UNSET)
		size.ws_col = ctx->tty_columns;
	ioctl(fd, TIOCSWINSZ, &size);
}

/*
 * The terminal as the controlling one of this session: its descriptor, or -1. It is not waited
 * for, as the manager would wait, too: one that another session has is an error (EPERM), unless
 * it is to be taken away from it.
 */
int tty_open(const struct exec_context *ctx, enum tty_mode mode)
{
	int fd, err;

	tty_revert(ctx);
	fd = open_now(tty_of(ctx));
	if (fd < 0)
		return -1;
	if (!ioctl(fd, TIOCSCTTY, mode == TTY_FORCE)) {
		set_size(fd, ctx);
		return fd;
	}
	err = errno;
	close(fd);
	errno = err;
	return -1;
}
