#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The shell of INTERACTIVE=1, on the console. When it ends, so does the machine.
cat <<'END' >/dev/console

This is a shell in a machine whose PID 1 is knelld; its log comes to this console, too.
Try: knellctl; knellctl list; knellctl status crash; kill -9 $(pidof redis-server)
     knellctl history; redis-cli ping; wget -q -O - http://127.0.0.1/; /demo/tour.sh
"exit" or "knellctl poweroff" stops all services and powers off. Ctrl-A X kills QEMU.

END
exec cttyhack sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
