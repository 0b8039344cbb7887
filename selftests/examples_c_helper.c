// SPDX-License-Identifier: GPL-2.0-only
/* The example of README.md, for examples_test.sh to run. */
#include "../Documentation/examples/hear.c"
