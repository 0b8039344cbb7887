// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes to its end while it is being looked at, or is in somebody's way when it has not. The
 * sanitizers see what is used after it is gone.
 */
#include "host.h"

/*
 * A service that says $LIFE_SAYS by sd_notify(3), one message for each word. At "wait" it waits
 * until $LIFE_GO is there, at "sleep" it stays.
 */
static void __attribute__((constructor)) live(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *go = getenv("LIFE_GO");
	char *words = getenv("LIFE_SAYS"), *word;
	const struct timespec tick = { .tv_nsec = 10000000 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (!words || !path || !go)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	while ((word = strsep(&words, " "))) {
		if (!strcmp(word, "wait"))
			while (access(go, F_OK))
				nanosleep(&tick, NULL);
		else if (!strcmp(word, "sleep"))
			execl("/bin/sleep", "sleep", "100000", (char *)NULL);
		/* There may be nobody any more who listens. */
		else if (sendto(fd, word, strlen(word), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			continue;
	}
	_exit(0);
}

static void cancel_job_of(fixture *self, const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *job = strstr(ask(self, "UnitStatus", name, ""), "\"job\":");
	const char *id = job ? strstr(job, "\"id\":") : NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char call[128];

	snprintf(call, sizeof(call), "{\"method\":\"io.knell.Manager.CancelJob\","
		 "\"parameters\":{\"id\":%d}}", id ? atoi(id + 5) : 0);
	strcpy(to.sun_path, path_of(self, "control"));
	/* The reply, or the end of the connection. */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    write(fd, call, strlen(call) + 1) < 0 || read(fd, call, sizeof(call)) < 0)
		fprintf(stderr, "# CancelJob: %m\n");
	close(fd);
}

static void talker_unit(fixture *self, const char *name, const char *keys, const char *says)
{
	unit(self, name, "[Service]\nType=notify\nNotifyAccess=all\n%s\n"
	     "Environment=LIFE_GO=@/go \"LIFE_SAYS=%s\"\nExecStart=%s\n", keys, says, myself());
}

/* Nothing of it is waited for, so its end comes with the message itself. */
TEST_F_TIMEOUT(knelld, a_message_that_is_the_end, LIMIT_S)
{
	pid_t a, b;

	talker_unit(self, "a.service", "KillMode=none", "READY=1 wait STOPPING=1 STATUS=x sleep");
	talker_unit(self, "b.service", "KillMode=none\nWatchdogSec=1h",
		    "READY=1 wait WATCHDOG=trigger STATUS=x sleep");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	a = main_pid(self, "a.service");
	b = main_pid(self, "b.service");
	unit(self, "go", "\n");
	EXPECT_TRUE(told(self, "a.service: finished"));
	EXPECT_TRUE(told(self, "b.service: failed, result watchdog"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_EQ(0, kill(a, SIGKILL));
	EXPECT_EQ(0, kill(b, SIGKILL));
	EXPECT_TRUE(dies(a) && dies(b));
	ENDS;
}

/* The message and the death of who has said it are there at once. */
TEST_F_TIMEOUT(knelld, a_last_word_and_the_end, LIMIT_S)
{
	char name[32];

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "a%d.service", i);
		talker_unit(self, name, i % 2 ? "KillMode=none" : "KillMode=process",
			    i % 4 < 2 ? "READY=1 wait STOPPING=1" :
			    "READY=1 wait WATCHDOG=trigger");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 8 started, 0 failed"));
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	unit(self, "go", "\n");
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "a%d.service", i);
		ASSERT_TRUE(dies(main_pid(self, name)));
	}
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	for (int i = 0; i < 8; i++) {
		char text[64];

		snprintf(text, sizeof(text), "a%d.service: %s", i,
			 i % 4 < 2 ? "finished" : "failed, result watchdog");
		EXPECT_TRUE(told(self, text));
	}
	ENDS;
}

/* Somebody has started the instance that would be the first: the next one is as good. */
TEST_F_TIMEOUT(knelld, an_instance_that_is_taken, LIMIT_S)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char c;

	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nAccept=yes\n");
	unit(self, "a@.service", "[Service]\n"
	     "ExecStart=/bin/sh -c 'echo x >&3; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	ASSERT_TRUE(asked(self, "StartUnits", "a@0.service", "\"result\":\"done\""));
	ASSERT_TRUE(is(self, "a.socket", "active"));
	strcpy(to.sun_path, path_of(self, "s"));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, sizeof(to)));
	EXPECT_EQ(1, read(fd, &c, 1));
	EXPECT_TRUE(told(self, "a@1.service: started"));
	close(fd);
	ENDS;
}

/* Two that cannot be without each other: each fails for the other's sake, and only once. */
TEST_F_TIMEOUT(knelld, two_that_require_each_other, LIMIT_S)
{
	unit(self, "slow.service", "[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.1; done'\n");
	unit(self, "a.service", "[Unit]\nRequires=b.service\nAfter=slow.service\n" SLEEPER
	     "[Install]\nWantedBy=never.target\n");
	unit(self, "b.service", "[Unit]\nRequires=a.service\nAfter=slow.service\n" SLEEPER
	     "[Install]\nWantedBy=never.target\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	ask(self, "StartUnits", "a.service", ",\"noBlock\":true");
	ASSERT_TRUE(asked(self, "UnitStatus", "a.service", "\"code\":\"waiting\""));
	cancel_job_of(self, "a.service");
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "b.service", "inactive"));
	unit(self, "go", "\n");
	ENDS;
}

/*
 * The stop of a unit cancels its restart, which is the end of one that is bound to it, which is to
 * be stopped by the same request.
 */
TEST_F_TIMEOUT(knelld, a_request_amid_another, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=1ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Unit]\nBindsTo=a.service\n" SLEEPER);
	unit(self, "c.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStop=/bin/sh -c 'until [ -e @/go ]; do sleep 0.1; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 0 failed"));
	ASSERT_TRUE(appears(self, "control"));
	ask(self, "StopUnits", "c.service", ",\"noBlock\":true");
	ASSERT_TRUE(is(self, "c.service", "deactivating"));
	kill(main_pid(self, "a.service"), SIGKILL);
	/* Its restart waits for the stop of what is behind it. */
	ASSERT_TRUE(told(self, "a.service: restart in"));
	ASSERT_TRUE(becomes(self, "a.service", "\"type\":\"restart\""));
	ask(self, "StopUnits", "a.service", ",\"noBlock\":true");
	/* It may be amid its own restart. */
	EXPECT_TRUE(becomes(self, "b.service", "\"active\":\"inactive\""));
	EXPECT_TRUE(becomes(self, "a.service", "\"active\":\"inactive\""));
	unit(self, "go", "\n");
	EXPECT_TRUE(told(self, "c.service: stopped"));
	EXPECT_FALSE(has(self, "timeout"));
	ENDS;
}

/* A time beyond the clock is none, however far. */
TEST_F_TIMEOUT(knelld, times_beyond_the_clock, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nJobTimeoutSec=18446744073s\n"
	     "JobRunningTimeoutSec=18446744073s\n"
	     "[Service]\nType=oneshot\nTimeoutStartSec=18446744073s\n"
	     "ExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.1; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	EXPECT_TRUE(is(self, "a.service", "activating"));
	unit(self, "go", "\n");
	EXPECT_TRUE(told(self, "a.service: finished"));
	EXPECT_FALSE(has(self, "cannot set its timer"));
	EXPECT_FALSE(has(self, "too long"));
	ENDS;
}

TEST_HARNESS_MAIN
