# SPDX-License-Identifier: GPL-2.0-only
# $(wrap): what goes through helpers.c on its way from the libraries to libc. Who links that wants it.

comma := ,
wrapped := read ioctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll syscall timerfd_settime \
	malloc calloc realloc reallocarray aligned_alloc posix_memalign strdup strndup mmap \
	pthread_create
wrap := $(patsubst %,-Wl$(comma)--wrap=%,$(wrapped))
