# SPDX-License-Identifier: GPL-2.0-only
# $(wrap): what goes through wraps.c on its way from the libraries to libc. Who links that wants it.

comma := ,
wrapped := read ioctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll syscall timerfd_settime \
	epoll_create1 epoll_ctl eventfd timerfd_create open opendir readdir \
	malloc calloc realloc reallocarray aligned_alloc posix_memalign strdup strndup mmap \
	pthread_create
wrap := $(patsubst %,-Wl$(comma)--wrap=%,$(wrapped))
