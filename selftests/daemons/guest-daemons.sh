# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# What is asked of each daemon to see that it does its work, whatever its supervisor thinks of it.
# Sourced by guest.sh.

patience=${patience:?}	# seconds

probe_nginx()
{
	curl -sS --max-time "$patience" http://127.0.0.1/ | grep -i 'welcome to nginx'
}

probe_redis()
{
	[ "$(redis-cli ping)" = PONG ] && [ "$(redis-cli set knell 42)" = OK ] &&
		[ "$(redis-cli get knell)" = 42 ]
}

probe_postgresql()
{
	[ "$(runuser -u postgres -- psql -tAc 'select 6 * 7')" = 42 ]
}

probe_ssh()
{
	ssh-keyscan -T "$patience" -t ed25519 127.0.0.1 | grep ssh-ed25519
}

probe_chrony()
{
	chronyc -n activity | grep 'sources online'
}

probe_dbus()
{
	dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.ListNames | grep org.freedesktop.DBus
}

probe_avahi()
{
	dbus-send --system --print-reply --dest=org.freedesktop.Avahi / \
		org.freedesktop.Avahi.Server.GetVersionString | grep avahi
}

probe_mosquitto()
{
	mosquitto_pub -t knell/test -m 42 -r -q 1 &&
		[ "$(mosquitto_sub -t knell/test -C 1 -W "$patience")" = 42 ]
}

probe_php()
{
	SCRIPT_FILENAME=/usr/lib/knell-daemons/probe.php REQUEST_METHOD=GET \
		cgi-fcgi -bind -connect /run/php/php8.2-fpm.sock | grep '^42 knell'
}

# A cron that is the first one of the boot, as it believes, runs /etc/cron.d/knell's job.
probe_cron()
{
	wait_for test -e /run/knell-cron-was-here &&
		rm /run/knell-cron-was-here /run/crond.reboot &&
		[ "$(cat /run/crond.pid)" = "$(main_pid cron.service)" ]
}
