// SPDX-License-Identifier: GPL-2.0-only
/* The words for what the manager knows by number; systemd's, where it has one. */
#include "manager.h"

const char *result_name(enum result result)
{
	static const char *const names[RESULTS] = {
		[RESULT_SUCCESS] = "success",
		[RESULT_RESOURCES] = "resources",
		[RESULT_EXIT_CODE] = "exit-code",
		[RESULT_SIGNAL] = "signal",
		[RESULT_CORE_DUMP] = "core-dump",
		[RESULT_TIMEOUT] = "timeout",
		[RESULT_START_LIMIT] = "start-limit-hit",
		[RESULT_DEPENDENCY] = "dependency",
		[RESULT_BAD_UNIT] = "bad-setting",
		[RESULT_WATCHDOG] = "watchdog",
		[RESULT_PROTOCOL] = "protocol",
		[RESULT_CONDITION] = "exec-condition",
	};

	return names[result];
}

const char *job_type_name(enum job_type type)
{
	static const char *const names[] = {
		[JOB_START] = "start", [JOB_VERIFY] = "verify", [JOB_STOP] = "stop",
		[JOB_RELOAD] = "reload", [JOB_RESTART] = "restart",
		[JOB_TRY_RESTART] = "try-restart", [JOB_TRY_RELOAD] = "try-reload",
		[JOB_RELOAD_OR_RESTART] = "reload-or-restart", [JOB_NOTHING] = "nothing",
	};

	return names[type];
}

const char *job_result_name(enum job_result result)
{
	static const char *const names[JOB_RESULTS] = {
		[JR_DONE] = "done", [JR_CANCELED] = "canceled", [JR_TIMEOUT] = "timeout",
		[JR_FAILED] = "failed", [JR_DEPENDENCY] = "dependency",
		[JR_SKIPPED] = "skipped", [JR_ASSERT] = "assertion", [JR_INVALID] = "invalid",
	};

	return names[result];
}

const char *active_name(enum active active)
{
	static const char *const names[] = {
		[INACTIVE] = "inactive", [ACTIVATING] = "activating", [ACTIVE] = "active",
		[RELOADING] = "reloading", [DEACTIVATING] = "deactivating", [FAILED] = "failed",
	};

	return names[active];
}

const char *loaded_name(enum loaded load)
{
	static const char *const names[] = {
		[UNIT_LOADED] = "loaded", [UNIT_NOT_FOUND] = "not-found", [UNIT_BAD] = "bad",
		[UNIT_MASKED] = "masked", [UNIT_STUB] = "stub",
	};

	return names[load];
}
