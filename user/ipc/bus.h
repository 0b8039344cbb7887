/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has a name on the message bus: Type=dbus. */
#ifndef _KNELLD_BUS_H
#define _KNELLD_BUS_H

#include <stdbool.h>

struct knell_loop;
struct bus_watch;

/* @owned: somebody has the name now; called when it is known first, and when it changes. */
typedef void bus_cb(bool owned, void *arg);

struct bus_watch *bus_watch(struct knell_loop *l, const char *address, const char *name,
			    bus_cb *cb, void *arg);
bool bus_is_missed(void);
void bus_again(const char *address);
void bus_unwatch(struct bus_watch *w);
void bus_close(void);

#endif
