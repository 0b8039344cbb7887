// SPDX-License-Identifier: GPL-2.0-only
/*
 * In what this system runs: by the names that ConditionVirtualization= has for it. A container is
 * asked for first, for that is what matters to a unit even if there is a machine around it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__i386__) || defined(__x86_64__)
#include <cpuid.h>
#endif

#include "private.h"

struct sign {
	const char *text, *name;
};

static const char *const containers[] = {
	"systemd-nspawn", "lxc-libvirt", "lxc", "openvz", "docker", "podman", "rkt", "wsl",
	"proot", "pouch",
};

static const char *known_container(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(containers); i++)
		if (!strcmp(name, containers[i]))
			return containers[i];
	return "container-other";
}

/* The first line of a file; NULL if it is empty or there is none. To be freed. */
static char *line_of(const char *path)
{
	size_t len;
	char *text = file_text(AT_FDCWD, path, &len);

	if (!text)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	if (*text)
		return text;
	free(text);
	return NULL;
}

/* $container of the first process: whoever made the container says there what it is. */
static char *told_to_init(void)
{
	char *text, *found = NULL;
	size_t len;

	if (getpid() == 1)
		return getenv("container") ? xstrdup(getenv("container")) : NULL;
	text = file_text(AT_FDCWD, "/proc/1/environ", &len);
	for (char *s = text; text && s < text + len && !found; s += strlen(s) + 1)
		if (!strncmp(s, "container=", 10))
			found = xstrdup(s + 10);
	free(text);
	return found;
}

/* NULL: none */
const char *virt_container(void)
{
	static const struct sign files[] = {
		{ "/run/.containerenv", "podman" }, { "/.dockerenv", "docker" },
	};
	static const char *const names[] = {
		"/run/host/container-manager", "/run/systemd/container",
	};
	char *name = line_of("/proc/sys/kernel/osrelease");
	const char *found = NULL;

	if (name && (strstr(name, "Microsoft") || strstr(name, "WSL")))
		found = "wsl";
	else if (!access("/proc/vz", F_OK) && access("/proc/bc", F_OK))
		found = "openvz";
	free(name);
	for (size_t i = 0; i < ARRAY_SIZE(names) && !found; i++) {
		name = line_of(names[i]);
		found = name ? known_container(name) : NULL;
		free(name);
	}
	if (found)
		return found;
	name = told_to_init();
	/* These two are sometimes called by another name there. */
	if (name && *name && strcmp(name, "oci"))
		found = known_container(name);
	else if (name && *name)
		found = "container-other";
	free(name);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if ((!found || !strcmp(found, "container-other")) && !access(files[i].text, F_OK))
			return files[i].name;
	return found;
}

static const char *by_sign(const struct sign *signs, size_t nr, const char *text)
{
	for (size_t i = 0; i < nr; i++)
		if (!strncmp(text, signs[i].text, strlen(signs[i].text)))
			return signs[i].name;
	return NULL;
}

static const char *by_dmi(void)
{
	static const char *const fields[] = {
		"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version",
	};
	static const struct sign signs[] = {
		{ "KVM", "kvm" }, { "OpenStack", "kvm" }, { "KubeVirt", "kvm" },
		{ "Amazon EC2", "amazon" }, { "QEMU", "qemu" }, { "VMware", "vmware" },
		{ "VMW", "vmware" }, { "innotek GmbH", "oracle" }, { "VirtualBox", "oracle" },
		{ "Oracle Corporation", "oracle" }, { "Xen", "xen" }, { "Bochs", "bochs" },
		{ "Parallels", "parallels" }, { "BHYVE", "bhyve" }, { "Hyper-V", "microsoft" },
		{ "Apple Virtualization", "apple" }, { "Google Compute Engine", "google" },
	};
	const char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && !found; i++) {
		char *path = xasprintf("/sys/class/dmi/id/%s", fields[i]);
		char *text = line_of(path);

		if (text)
			found = by_sign(signs, ARRAY_SIZE(signs), text);
		free(text);
		free(path);
	}
	return found;
}

#if defined(__i386__) || defined(__x86_64__)
static const char *by_cpu(void)
{
	static const struct sign signs[] = {
		{ "XenVMMXenVMM", "xen" }, { "KVMKVMKVM", "kvm" }, { "Linux KVM Hv", "kvm" },
		{ "TCGTCGTCGTCG", "qemu" }, { "VMwareVMware", "vmware" },
		{ "Microsoft Hv", "microsoft" }, { "bhyve bhyve ", "bhyve" },
		{ "QNXQVMBSQG", "qnx" }, { "ACRNACRNACRN", "acrn" }, { "SRESRESRESRE", "sre" },
	};
	unsigned int eax, ebx, ecx, edx;
	char text[13] = "";

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31))
		return NULL;
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(text, &ebx, 4);
	memcpy(text + 4, &ecx, 4);
	memcpy(text + 8, &edx, 4);
	return by_sign(signs, ARRAY_SIZE(signs), text) ? by_sign(signs, ARRAY_SIZE(signs), text) :
		"vm-other";
}
#else
static const char *by_cpu(void)
{
	return NULL;
}
#endif

static const char *by_files(void)
{
	static const struct sign files[] = {
		{ "/sys/hypervisor/type", NULL },
		{ "/proc/device-tree/hypervisor/compatible", NULL },
		{ "/proc/device-tree/fw-cfg", "qemu" },
	};
	static const struct sign signs[] = { { "xen", "xen" }, { "linux,kvm", "kvm" } };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *text = files[i].name ? NULL : line_of(files[i].text);
		const char *found = text ? by_sign(signs, ARRAY_SIZE(signs), text) : NULL;

		free(text);
		if (found)
			return found;
		if (files[i].name && !access(files[i].text, F_OK))
			return files[i].name;
	}
	return NULL;
}

/* NULL: it is the hardware itself, as far as one can tell */
const char *virt_machine(void)
{
	static const char *const say_so_by_dmi[] = {
		"oracle", "xen", "amazon", "parallels", "google",
	};
	const char *dmi = by_dmi(), *cpu;

	/* They run on the hypervisors of others. */
	for (size_t i = 0; dmi && i < ARRAY_SIZE(say_so_by_dmi); i++)
		if (!strcmp(dmi, say_so_by_dmi[i]))
			return dmi;
	cpu = by_cpu();
	if (cpu && strcmp(cpu, "vm-other"))
		return cpu;
	if (dmi)
		return dmi;
	return cpu ? cpu : by_files();
}
