/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: the kernel tells of each fork and each signal while somebody wants to know. */
#ifndef _KNELL_PROBE_H
#define _KNELL_PROBE_H

int knell_probes_get(void);
void knell_probes_put(void);

int knell_probes_init(void);
void knell_probes_exit(void);

#endif /* _KNELL_PROBE_H */
