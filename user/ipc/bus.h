/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has a name on the message bus: Type=dbus; and units that the bus asks for. */
#ifndef _KNELLD_BUS_H
#define _KNELLD_BUS_H

#include <stdbool.h>

struct knell_loop;
struct bus_watch;

/* @owned: somebody has the name now; called when it is known first, and when it changes. */
typedef void bus_cb(bool owned, void *arg);

struct bus_watch *bus_watch(struct knell_loop *l, const char *address, const char *name,
			    bus_cb *cb, void *arg);
typedef void bus_start_cb(const char *unit);

void bus_serve(struct knell_loop *l, const char *address, bus_start_cb *start);
/* To whom it may concern: @unit was asked for, and does not come. */
void bus_start_failed(const char *unit, const char *why);
void bus_unwatch(struct bus_watch *w);
void bus_close(void);

#endif
