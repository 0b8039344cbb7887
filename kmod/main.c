// SPDX-License-Identifier: GPL-2.0-only
/*
 * knell: /dev/knell, one pollable queue of what a process manager waits for.
 *
 * A hook finds its watch, the watch's record goes to the queue, read() takes it
 * from there; see Documentation/ and uapi/linux/knell.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/stat.h>

#include "blackbox.h"
#include "file.h"
#include "member.h"
#include "netlink.h"
#include "probe.h"
#include "quota.h"
#include "tree.h"
#include "wakeup.h"
#include "watch.h"

static ushort mode = 0600;
module_param(mode, ushort, 0444);
MODULE_PARM_DESC(mode, "access mode of " KNELL_DEVICE " (default 0600)");

static struct miscdevice knell_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "knell",
	.fops = &knell_fops,
};

static int __init knell_init(void)
{
	int err;

	if (mode & ~(0666)) {
		pr_err("mode=0%o: expected read and write bits only, up to 0666\n", mode);
		return -EINVAL;
	}
	knell_quota_init();
	err = knell_probes_init();
	if (err)
		return err;
	err = knell_watch_init();
	if (err)
		return err;
	err = knell_member_init();
	if (err)
		goto err_watch;
	err = knell_tree_init();
	if (err)
		goto err_member;
	err = knell_netlink_init();
	if (err)
		goto err_tree;
	knell_device.mode = mode;
	err = misc_register(&knell_device);
	if (err)
		goto err_netlink;
	err = knell_region_init(knell_device.this_device);
	if (err)
		goto err_device;
	return 0;

err_device:
	knell_wakeup_exit();
	misc_deregister(&knell_device);
err_netlink:
	knell_netlink_exit();
err_tree:
	knell_tree_exit();
err_member:
	knell_member_exit();
err_watch:
	knell_watch_exit();
	return err;
}

static void __exit knell_exit(void)
{
	knell_region_exit();
	knell_wakeup_exit();
	misc_deregister(&knell_device);
	knell_netlink_exit();
	knell_probes_exit();
	knell_tree_exit();
	knell_member_exit();
	knell_watch_exit();
}

module_init(knell_init);
module_exit(knell_exit);

MODULE_DESCRIPTION("One queue of child exits, timers, doorbells and process trees");
MODULE_AUTHOR("The knell developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(KNELL_VERSION);
