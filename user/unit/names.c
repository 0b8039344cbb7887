// SPDX-License-Identifier: GPL-2.0-only
/* The words that unit files have for enums. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "private.h"

int choice(const char *const *names, size_t nr, const char *value)
{
	for (size_t i = 0; i < nr; i++)
		if (names[i] && !strcmp(value, names[i]))
			return i;
	return -1;
}

#define NAMES(function, type, table)						\
	const char *function(type n)						\
	{									\
		return (size_t)n < ARRAY_SIZE(table) ? (table)[n] : NULL;	\
	}

static const char *const dep_names[] = {
	[DEP_AFTER] = "After", [DEP_BEFORE] = "Before", [DEP_REQUIRES] = "Requires",
	[DEP_REQUISITE] = "Requisite", [DEP_WANTS] = "Wants", [DEP_BINDS_TO] = "BindsTo",
	[DEP_PART_OF] = "PartOf", [DEP_CONFLICTS] = "Conflicts", [DEP_UPHOLDS] = "Upholds",
	[DEP_ON_FAILURE] = "OnFailure", [DEP_ON_SUCCESS] = "OnSuccess",
	[DEP_PROPAGATES_RELOAD_TO] = "PropagatesReloadTo",
	[DEP_RELOAD_PROPAGATED_FROM] = "ReloadPropagatedFrom",
	[DEP_PROPAGATES_STOP_TO] = "PropagatesStopTo",
	[DEP_STOP_PROPAGATED_FROM] = "StopPropagatedFrom",
	[DEP_TRIGGERS] = "Triggers", [DEP_SOCKETS] = "Sockets",
};
NAMES(unit_dep_name, enum dep_kind, dep_names)

static const char *const exec_names[] = {
	[EXEC_START_PRE] = "ExecStartPre", [EXEC_START] = "ExecStart",
	[EXEC_START_POST] = "ExecStartPost", [EXEC_STOP] = "ExecStop",
	[EXEC_STOP_POST] = "ExecStopPost", [EXEC_CONDITION] = "ExecCondition",
	[EXEC_RELOAD] = "ExecReload",
};
NAMES(unit_exec_name, enum exec_kind, exec_names)

static const char *const condition_names[] = {
	[CONDITION_AC_POWER] = "ACPower", [CONDITION_ARCHITECTURE] = "Architecture",
	[CONDITION_CAPABILITY] = "Capability",
	[CONDITION_CONTROL_GROUP_CONTROLLER] = "ControlGroupController",
	[CONDITION_CPU_FEATURE] = "CPUFeature", [CONDITION_CPU_PRESSURE] = "CPUPressure",
	[CONDITION_CPUS] = "CPUs", [CONDITION_CREDENTIAL] = "Credential",
	[CONDITION_DIRECTORY_NOT_EMPTY] = "DirectoryNotEmpty",
	[CONDITION_ENVIRONMENT] = "Environment",
	[CONDITION_FILE_IS_EXECUTABLE] = "FileIsExecutable",
	[CONDITION_FILE_NOT_EMPTY] = "FileNotEmpty", [CONDITION_FIRMWARE] = "Firmware",
	[CONDITION_FIRST_BOOT] = "FirstBoot", [CONDITION_GROUP] = "Group",
	[CONDITION_HOST] = "Host", [CONDITION_IO_PRESSURE] = "IOPressure",
	[CONDITION_KERNEL_COMMAND_LINE] = "KernelCommandLine",
	[CONDITION_KERNEL_VERSION] = "KernelVersion", [CONDITION_MEMORY] = "Memory",
	[CONDITION_MEMORY_PRESSURE] = "MemoryPressure", [CONDITION_NEEDS_UPDATE] = "NeedsUpdate",
	[CONDITION_OS_RELEASE] = "OSRelease", [CONDITION_PATH_EXISTS] = "PathExists",
	[CONDITION_PATH_EXISTS_GLOB] = "PathExistsGlob",
	[CONDITION_PATH_IS_DIRECTORY] = "PathIsDirectory",
	[CONDITION_PATH_IS_ENCRYPTED] = "PathIsEncrypted",
	[CONDITION_PATH_IS_MOUNT_POINT] = "PathIsMountPoint",
	[CONDITION_PATH_IS_READ_WRITE] = "PathIsReadWrite",
	[CONDITION_PATH_IS_SYMBOLIC_LINK] = "PathIsSymbolicLink",
	[CONDITION_SECURITY] = "Security", [CONDITION_USER] = "User",
	[CONDITION_VERSION] = "Version", [CONDITION_VIRTUALIZATION] = "Virtualization",
};
NAMES(unit_condition_name, enum condition_kind, condition_names)

const char *const type_names[] = {
	[TYPE_SIMPLE] = "simple", [TYPE_ONESHOT] = "oneshot", [TYPE_FORKING] = "forking",
	[TYPE_EXEC] = "exec", [TYPE_NOTIFY] = "notify", [TYPE_NOTIFY_RELOAD] = "notify-reload",
	[TYPE_DBUS] = "dbus", [TYPE_IDLE] = "idle", NULL,
};
NAMES(unit_type_name, enum type, type_names)

const char *const restart_names[] = {
	[RESTART_NO] = "no", [RESTART_ALWAYS] = "always", [RESTART_ON_SUCCESS] = "on-success",
	[RESTART_ON_FAILURE] = "on-failure", [RESTART_ON_ABNORMAL] = "on-abnormal",
	[RESTART_ON_ABORT] = "on-abort", [RESTART_ON_WATCHDOG] = "on-watchdog", NULL,
};
NAMES(unit_restart_name, enum restart, restart_names)

const char *const kill_mode_names[] = {
	[KILL_CONTROL_GROUP] = "control-group", [KILL_MIXED] = "mixed",
	[KILL_PROCESS] = "process", [KILL_NONE] = "none", NULL,
};
NAMES(unit_kill_mode_name, enum kill_mode, kill_mode_names)

const char *const emergency_names[] = {
	[EMERGENCY_NONE] = "none", [EMERGENCY_REBOOT] = "reboot",
	[EMERGENCY_REBOOT_FORCE] = "reboot-force",
	[EMERGENCY_REBOOT_IMMEDIATE] = "reboot-immediate", [EMERGENCY_POWEROFF] = "poweroff",
	[EMERGENCY_POWEROFF_FORCE] = "poweroff-force",
	[EMERGENCY_POWEROFF_IMMEDIATE] = "poweroff-immediate", [EMERGENCY_HALT] = "halt",
	[EMERGENCY_HALT_FORCE] = "halt-force", [EMERGENCY_HALT_IMMEDIATE] = "halt-immediate",
	[EMERGENCY_KEXEC] = "kexec", [EMERGENCY_KEXEC_FORCE] = "kexec-force",
	[EMERGENCY_SOFT_REBOOT] = "soft-reboot",
	[EMERGENCY_SOFT_REBOOT_FORCE] = "soft-reboot-force", [EMERGENCY_EXIT] = "exit",
	[EMERGENCY_EXIT_FORCE] = "exit-force", NULL,
};
NAMES(unit_emergency_name, enum emergency, emergency_names)

const char *const job_mode_names[] = {
	[JOB_REPLACE] = "replace", [JOB_FAIL] = "fail",
	[JOB_REPLACE_IRREVERSIBLY] = "replace-irreversibly", [JOB_ISOLATE] = "isolate",
	[JOB_FLUSH] = "flush", [JOB_IGNORE_DEPENDENCIES] = "ignore-dependencies",
	[JOB_IGNORE_REQUIREMENTS] = "ignore-requirements", NULL,
};
NAMES(unit_job_mode_name, enum job_mode, job_mode_names)

static const char *const timer_base_names[] = {
	[TIMER_ACTIVE] = "OnActiveSec", [TIMER_BOOT] = "OnBootSec",
	[TIMER_STARTUP] = "OnStartupSec", [TIMER_UNIT_ACTIVE] = "OnUnitActiveSec",
	[TIMER_UNIT_INACTIVE] = "OnUnitInactiveSec", [TIMER_CALENDAR] = "OnCalendar",
};
NAMES(unit_timer_base_name, enum timer_base, timer_base_names)

static const char *const listen_names[] = {
	[LISTEN_STREAM] = "ListenStream", [LISTEN_DATAGRAM] = "ListenDatagram",
	[LISTEN_SEQPACKET] = "ListenSequentialPacket", [LISTEN_FIFO] = "ListenFIFO",
	[LISTEN_SPECIAL] = "ListenSpecial", [LISTEN_NETLINK] = "ListenNetlink",
	[LISTEN_MQUEUE] = "ListenMessageQueue", [LISTEN_USB] = "ListenUSBFunction",
};
NAMES(unit_listen_name, enum listen_kind, listen_names)

int parse_bool(const char *s, bool *b)
{
	static const char *const words[] = {
		"no", "yes", "0", "1", "false", "true", "off", "on", "n", "y", "f", "t",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcasecmp(s, words[i])) {
			*b = i % 2;
			return 0;
		}
	}
	return -1;
}

/* The number at @s times @sign added to @base, if that is a signal from @least on. */
static int signal_number(const char *s, int base, int sign, int least)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	n = strtoul(s, &end, 10);
	if (*end || n > (unsigned long)SIGRTMAX)
		return -1;
	base += sign * (int)n;
	return base >= least && base <= SIGRTMAX ? base : -1;
}

static int signal_by_name(const char *s)
{
	if (!strcmp(s, "RTMIN"))
		return SIGRTMIN;
	if (!strcmp(s, "RTMAX"))
		return SIGRTMAX;
	if (!strncmp(s, "RTMIN+", 6))
		return signal_number(s + 6, SIGRTMIN, 1, SIGRTMIN);
	if (!strncmp(s, "RTMAX-", 6))
		return signal_number(s + 6, SIGRTMAX, -1, SIGRTMIN);
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigabbrev_np(i) && !strcmp(s, sigabbrev_np(i)))
			return i;
	return -1;
}

int parse_signal(const char *s, int *sig)
{
	int n = signal_number(s, 0, 1, 1);

	if (n < 0)
		n = signal_by_name(strncmp(s, "SIG", 3) ? s : s + 3);
	if (n < 0)
		return -1;
	*sig = n;
	return 0;
}
