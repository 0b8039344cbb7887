// SPDX-License-Identifier: GPL-2.0-only
/* Until user/unit's install.c is there, whose this is: all is enabled. */
#include "unit_install.h"

enum unit_state unit_is_enabled(struct unit_dirs *d, const char *name)
{
	(void)d;
	(void)name;
	return UNIT_STATE_ENABLED;
}
