#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The shell of INTERACTIVE=1, on the console. When it ends, so does the machine.
cat <<'END' >/dev/console

This is a shell in a machine whose PID 1 is knelld; its log comes to this console, too.
Try: ps; kill -9 $(pidof redis-server); cat /proc/1/syscall; cat /proc/1/fdinfo/*
     kill $(pidof nginx); redis-cli ping; /demo/tour.sh
"exit" stops all services and powers off. Ctrl-A X kills QEMU.

END
exec cttyhack sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
