// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the black box is: RAM that nobody else uses and that survives a warm
 * reset. A device tree says so by a node "knell,blackbox" with a memory-region;
 * where there is none the administrator does, by box_addr= and box_size=, and
 * keeps the kernel away from it by memmap=. A region that will not do is told
 * of and left alone: the module works without.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": blackbox: " fmt

#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/sysfs.h>

#include <linux/knell_blackbox.h>

#include "blackbox.h"
#include "compat.h"
#include "wakeup.h"

static unsigned long long box_addr;
module_param(box_addr, ullong, 0444);
MODULE_PARM_DESC(box_addr, "where the black box is, a physical address");

static unsigned long long box_size;
module_param(box_size, ullong, 0444);
MODULE_PARM_DESC(box_size, "its size in bytes, whole pages, up to 16 MiB");

static uint box_record_size = KNELL_BOX_RECORD_SIZE;
module_param(box_record_size, uint, 0444);
MODULE_PARM_DESC(box_record_size, "bytes of a record, a multiple of 256 (default 256)");

static bool wakeup;
module_param(wakeup, bool, 0444);
MODULE_PARM_DESC(wakeup, "an unread record may keep the machine awake (default: device tree's)");

/**
 * struct knell_region - of the black box
 * @dev: of the module, in sysfs; whose files the images are
 * @res: claimed; NULL if there is none
 * @map: of it, write-combining
 */
static struct knell_region {
	struct device *dev;
	struct resource *res;
	void *map;
} knell_region;

static ssize_t knell_region_found(struct file *file, struct kobject *kobj,
				  knell_bin_attribute *attr, char *buf, loff_t off, size_t count)
{
	return memory_read_from_buffer(buf, count, &off, knell_box_found(), knell_box_size());
}

/* sysfs asks for no more than there is. */
static ssize_t knell_region_live(struct file *file, struct kobject *kobj,
				 knell_bin_attribute *attr, char *buf, loff_t off, size_t count)
{
	knell_box_read(buf, off, count);
	return count;
}

static struct bin_attribute knell_region_files[] = {
	{ .attr = { .name = "blackbox", .mode = 0400 }, .read = knell_region_found },
	{ .attr = { .name = "blackbox_live", .mode = 0400 }, .read = knell_region_live },
};

/* Of a region that is none: what was expected, or NULL. */
static const char *knell_region_wrong(u64 addr, u64 size, u32 record_size)
{
	if (size < KNELL_BOX_MIN_SIZE)
		return "too small: expected 4096 bytes at least";
	if (size > KNELL_BOX_MAX_SIZE)
		return "too large: expected 16 MiB at most";
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !IS_ALIGNED(size, PAGE_SIZE))
		return "misaligned: expected whole pages";
	if (addr + size < addr || addr + size - 1 > iomem_resource.end)
		return "expected an address that the machine has";
	if (record_size < KNELL_BOX_RECORD_SIZE || record_size > KNELL_BOX_RECORD_MAX ||
	    record_size % KNELL_BOX_RECORD_SIZE)
		return "expected a record size that is a multiple of 256, up to 4096";
	if (region_intersects(addr, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT)
		return "overlaps System RAM: expected what memmap= or no-map keeps from the kernel";
	return NULL;
}

/* Does the device tree say that there is RAM, if it says of any where that is? */
static bool knell_region_is_ram(u64 addr, u64 size)
{
	struct device_node *node;
	bool told = false, ram = false;
	struct resource res;
	int i;

	for_each_node_by_type(node, "memory") {
		for (i = 0; !of_address_to_resource(node, i, &res); i++) {
			told = true;
			ram |= addr >= res.start && addr + size - 1 <= res.end;
		}
	}
	return ram || !told;
}

static int knell_region_map(u64 addr, u64 size, u32 record_size)
{
	int err;

	knell_region.map = memremap(addr, size, MEMREMAP_WC);
	if (!knell_region.map)
		return -ENOMEM;
	err = knell_box_open(knell_region.map, size, record_size);
	if (err)
		memunmap(knell_region.map);
	return err;
}

/* Images that nobody can see are no reason to keep none. */
static void knell_region_show(void)
{
	struct bin_attribute *file;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knell_region_files); i++) {
		file = &knell_region_files[i];
		sysfs_bin_attr_init(file);
		file->size = knell_box_size();
		if (sysfs_create_bin_file(&knell_region.dev->kobj, file))
			pr_err("no file \"%s\"\n", file->attr.name);
	}
}

/* @who: names it. 0, or it has been said why not. */
static int knell_region_open(const char *who, u64 addr, u64 size, u32 record_size)
{
	const char *wrong = knell_region_wrong(addr, size, record_size);
	struct resource *res;
	int err = -EINVAL;

	if (!wrong && knell_region.res) {
		wrong = "there is one already: expected no second";
		err = -EEXIST;
	}
	if (wrong)
		goto err_say;
	res = request_mem_region(addr, size, "knell black box");
	err = -EBUSY;
	wrong = "overlaps what another driver uses";
	if (!res)
		goto err_say;
	err = knell_region_map(addr, size, record_size);
	wrong = err == -ENXIO ? "does not hold what is written: expected RAM" : "no memory";
	if (err)
		goto err_release;
	knell_region.res = res;
	knell_region_show();
	return 0;

err_release:
	release_mem_region(addr, size);
err_say:
	pr_err("%s: %#llx bytes at %#llx: %s\n", who, size, addr, wrong);
	return err;
}

static void knell_region_close(void)
{
	unsigned int i;

	if (!knell_region.res)
		return;
	for (i = 0; i < ARRAY_SIZE(knell_region_files); i++)
		sysfs_remove_bin_file(&knell_region.dev->kobj, &knell_region_files[i]);
	knell_box_close();
	memunmap(knell_region.map);
	release_mem_region(knell_region.res->start, resource_size(knell_region.res));
}

/*
 * Of what the administrator names. Where nothing answers, arm64 does not survive a
 * look at what is there.
 */
static void knell_region_of_options(void)
{
	static const char who[] = "box_addr=, box_size=";

	if (knell_region_is_ram(box_addr, box_size))
		knell_region_open(who, box_addr, box_size, box_record_size);
	else
		pr_err("%s: %#llx bytes at %#llx: expected what the device tree says is RAM\n",
		       who, box_size, box_addr);
}

/* 0, or it has been said why not. */
static int knell_region_of_node(struct device *dev)
{
	u32 record_size = KNELL_BOX_RECORD_SIZE;
	struct reserved_mem *mem = NULL;
	struct device_node *node;

	node = of_parse_phandle(dev->of_node, "memory-region", 0);
	if (node)
		mem = of_reserved_mem_lookup(node);
	of_node_put(node);
	if (!mem) {
		dev_err(dev, "expected memory-region, a phandle to a child of /reserved-memory\n");
		return -ENODEV;
	}
	of_property_read_u32(dev->of_node, "knell,record-size", &record_size);
	return knell_region_open(dev_name(dev), mem->base, mem->size, record_size);
}

static int knell_region_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	int err;

	err = knell_region_of_node(dev);
	if (!of_property_read_bool(dev->of_node, "wakeup-source"))
		return err;
	/* It does not take a region to keep a machine awake. */
	err = knell_wakeup_init(knell_region.dev);
	if (err)
		dev_err(dev, "no wakeup source: %d\n", err);
	return 0;
}

static const struct of_device_id knell_region_ids[] = {
	{ .compatible = "knell,blackbox" },
	{ }
};
MODULE_DEVICE_TABLE(of, knell_region_ids);

/* What hooks use goes with the module, not before. */
static struct platform_driver knell_region_driver = {
	.probe = knell_region_probe,
	.driver = {
		.name = "knell-blackbox",
		.of_match_table = knell_region_ids,
		.suppress_bind_attrs = true,
	},
};

/**
 * knell_region_init() - find the black box, and the wakeup source. May sleep
 * @dev: of the module, in sysfs
 *
 * What is missing or will not do is no error.
 *
 * Return: 0, or what the driver core says
 */
int knell_region_init(struct device *dev)
{
	int err;

	knell_region.dev = dev;
	if (wakeup) {
		err = knell_wakeup_init(dev);
		if (err)
			pr_err("wakeup=1: no wakeup source: %d\n", err);
	}
	if (box_addr || box_size)
		knell_region_of_options();
	err = platform_driver_register(&knell_region_driver);
	if (err)
		knell_region_close();
	return err;
}

/**
 * knell_region_exit() - the module goes; there are no hooks. May sleep
 */
void knell_region_exit(void)
{
	platform_driver_unregister(&knell_region_driver);
	knell_region_close();
}
