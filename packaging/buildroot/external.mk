# SPDX-License-Identifier: GPL-2.0-only
include $(BR2_EXTERNAL_KNELL_PATH)/package/knell/knell.mk
