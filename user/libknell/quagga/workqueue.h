/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a module written for Quagga looks for work queues. */
#include "../knell_quagga.h"
