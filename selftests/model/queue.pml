/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of a queue for SPIN: what kmod/queue.c, file.c, watch.c and keep.c do with
 * records, step by step, while hooks, readers, DEL, TRIGGER and ATTACH come in between.
 *
 * One step here is what the kernel does under queue->lock, or without any lock one access to
 * what others see. Each function has the name that it has in kmod/, without "knell_".
 * model.sh compiles it with the numbers below, and once for each fault that it must find.
 *
 * It must hold, in every order of steps:
 *
 *	order		ready and reading are in the order in which things happened
 *	once		a record is committed once for each file, again only if it was to be
 *			acknowledged and was not, and never after its watch was DELed
 *	no loss		when nothing moves any more, all that has happened is with a reader of
 *			the last holder, unless a DEL took it back or the holder before has it
 *	the sum		of what bells were told is the number of TRIGGERs
 *	no sleep	nobody sleeps over a record that he may read, or over a lost queue
 *	counters	pending and unacked are the lengths of their lists
 */

/* Watches: 0 fires once and is to be acknowledged, 1 fires once, 2 is a doorbell. */
#define WATCHES	3
#define ACK	0
#define BELL	2

#ifndef READERS
#define READERS	1	/* threads of the first holder that read */
#endif
#ifndef BATCH
#define BATCH	2	/* records that one read has room for */
#endif
#ifndef RINGS
#define RINGS	2	/* TRIGGERs of the doorbell */
#endif
#ifndef DELS
#define DELS	1	/* 1: somebody DELs watch 0, acknowledged or not; 2: the doorbell, too */
#endif
#ifndef TAKEOVER
#define TAKEOVER 0	/* does the first holder die, and a second one ATTACH? */
#endif
#ifndef SIGNALS
#define SIGNALS	0	/* readers whose sleep a signal may end */
#endif

#define FILES	2
#define NOBODY	255

mtype = { ARMED, PENDING, DELIVERED, DEAD };

/* ---- the queue, as in struct knell_queue ---- */

chan ready = [WATCHES] of { byte };
chan reading = [WATCHES] of { byte };
chan delivered = [WATCHES] of { byte };
byte pending, unacked;
byte seq;
bool gated;
byte file;			/* the one that is served */
bool mutex;
bool reader_mutex[FILES];

mtype state[WATCHES];
byte rec_seq[WATCHES];
byte count, shown;		/* of struct knell_user */

/* Who is on the list of sleepers, and who of them was woken. */
bool listed[FILES * READERS];
bool awake[FILES * READERS];

/* ---- what really happened, for the invariants ---- */

bool fired[WATCHES];
bool deled[WATCHES];
byte given[FILES * WATCHES];
byte rung, told, shown_at_del;
byte at_work;			/* hooks and others who still have something to do */

#define GIVEN(f, w)	given[(f) * WATCHES + (w)]

inline lock(m)   { atomic { !m -> m = true } }
inline unlock(m) { m = false }

/* Each list by itself in order, and what is being read before what waits. */
inline check_lists()
{
	assert(pending == len(ready) + len(reading));
	assert(unacked == len(delivered));
	last = 0;
	i = 0;
	do
	:: i < len(reading) -> reading?r; assert(rec_seq[r] > last); last = rec_seq[r]; reading!r; i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < len(ready) -> ready?r; assert(rec_seq[r] > last); last = rec_seq[r]; ready!r; i++
	:: else -> break
	od;
	i = 0; r = 0; last = 0
}

/* Under queue->lock. */
inline post(w, posted)
{
	if
	:: state[w] == ARMED ->
		state[w] = PENDING;
		seq++;
		rec_seq[w] = seq;
		pending++;
		ready!w;
		posted = true
	:: else -> posted = false
	fi
}

/* Under queue->lock: off whichever list it is on. */
inline unpost(w)
{
#ifdef FAULT_DEL
	skip
#else
	if
	:: ready??[eval(w)] -> ready??eval(w); pending--
	:: reading??[eval(w)] -> reading??eval(w); pending--
	:: delivered??[eval(w)] -> delivered??eval(w); unacked--
	:: else
	fi
#endif
}

/* In the place of @to's first, in their order. */
inline splice(from, to)
{
	do
	:: len(to) > 0 -> to?r; from!r
	:: else -> break
	od;
	do
	:: len(from) > 0 -> from?r; to!r
	:: else -> break
	od;
	r = 0
}

#define readable	(len(ready) > 0 && !gated)

/* One of those who sleep exclusively; who was woken is off the list. */
inline wake_one()
{
	atomic {
		i = 0;
		do
		:: i < FILES * READERS && !listed[i] -> i++
		:: i < FILES * READERS && listed[i] -> listed[i] = false; awake[i] = true; break
		:: i == FILES * READERS -> break
		od;
		i = 0
	}
}

inline wake_all()
{
	d_step {
		i = 0;
		do
		:: i < FILES * READERS ->
			if
			:: listed[i] -> listed[i] = false; awake[i] = true
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

/* ---- who does something to it ---- */

/* A process dies: the hook of its watch. */
proctype hook(byte w)
{
	byte i, r, last;
	bool posted;

	d_step {
		if
		:: state[w] == ARMED -> fired[w] = true
		:: else
		fi;
		post(w, posted);
		check_lists()
	}
	if
	:: posted -> wake_one()
	:: else
	fi;
	at_work--
}

/* SUBMIT of a TRIGGER. */
proctype ringer()
{
	byte i, r, last, n;
	bool posted;

	do
	:: n < RINGS ->
		lock(mutex);
		posted = false;
		d_step {
			if
			:: state[BELL] != DEAD ->
				count++;
				rung++;
				post(BELL, posted);
				check_lists()
			:: else
			fi
		}
		if
		:: posted -> wake_one()
		:: else
		fi;
		unlock(mutex);
		n++
	:: else -> break
	od;
	at_work--
}

/* SUBMIT of a DEL, at any time; after the record was read it is its acknowledgement. */
proctype deleter(byte w)
{
	byte i, r, last;

	lock(mutex);
	if
	:: state[w] != DEAD ->
		d_step {
			unpost(w);
			state[w] = DEAD;
			deled[w] = true;
			if
			:: w == BELL -> shown_at_del = shown + count; shown = 0; count = 0
			:: else
			fi;
			check_lists()
		}
	:: else
	fi;
	unlock(mutex);
	at_work--
}

/* ---- read() ---- */

/* @n records move to reading; what was there is none, for there is one reader at a time. */
inline peek(me)
{
	d_step {
		n = 0;
		if
		:: file != me || gated
		:: else ->
			assert(len(reading) == 0);
			do
			:: n < BATCH && len(ready) > 0 ->
				ready?w;
				assert(state[w] == PENDING);
				reading!w;
				peeked[n] = rec_seq[w];
				n++;
				if
				:: w == BELL -> shown = shown + count; count = 0
				:: else
				fi
			:: else -> break
			od
		fi;
		w = 0;
		check_lists()
	}
}

/* What is on reading up to seq @upto is taken; the rest goes back. */
inline commit(me)
{
	lock(mutex);
#ifdef FAULT_REVOKED
	if
	:: false
	:: else ->
#else
	if
	:: file != me -> stale = true
	:: else ->
#endif
		d_step {
			k = len(reading);
			do
			:: k > 0 ->
				k--;
				reading?w;
				if
				:: rec_seq[w] > upto -> reading!w
				:: else ->
					assert(!deled[w]);
					assert(state[w] == PENDING);
					pending--;
					GIVEN(me, w)++;
					if
					:: w == BELL ->
						told = told + shown;
						shown = 0;
						state[w] = ARMED
					:: w == ACK ->
						state[w] = DELIVERED;
#ifndef FAULT_ACK
						delivered!w;
						unacked++
#endif
					:: else -> state[w] = DEAD
					fi
				fi
			:: else -> break
			od;
			wake = (len(reading) > 0);
#ifdef FAULT_REST
			do
			:: len(reading) > 0 -> reading?w; ready!w
			:: else -> break
			od;
#else
			splice(reading, ready);
#endif
			/* ops->again: it may have rung while its record was on the way. */
#ifndef FAULT_AGAIN
			if
			:: state[BELL] == ARMED && count -> post(BELL, posted); wake = wake || posted
			:: else
			fi;
#endif
			posted = false; w = 0; k = 0;
			check_lists()
		}
		if
		:: wake -> wake_one()
		:: else
		fi
	fi;
	unlock(mutex)
}

#define stirs(me)	(readable || file != me)

proctype reader(byte me; byte slot; bool signals)
{
	byte i, r, w, k, n, upto, last;
	byte peeked[BATCH];
	bool stale, wake, posted, gone;

again:
	/* knell_file_try() */
	if
	:: readable ->
		lock(reader_mutex[me]);
		peek(me);
		if
		:: n ->
			/* copy_to_iter(): user memory may fault anywhere. */
			if
			:: upto = 0
			:: upto = peeked[0]
			:: n > 1 -> upto = peeked[n - 1]
			fi;
			commit(me)
		:: else
		fi;
		unlock(reader_mutex[me]);
		d_step {
			upto = 0; wake = false;
			k = 0;
			do
			:: k < BATCH -> peeked[k] = 0; k++
			:: else -> break
			od;
			k = 0
		}
		n = 0;
		/* It returns what it has; the caller comes back. */
		goto leave
	:: else
	fi;
	if
	:: file != me -> goto leave
	:: else
	fi;
	/* knell_file_wait() */
	do
	::
#ifdef FAULT_LOOK
		if
		:: stirs(me) -> break
		:: else
		fi;
		d_step { listed[slot] = true; awake[slot] = false }
#else
		d_step { listed[slot] = true; awake[slot] = false }
		if
		:: stirs(me) -> break
		:: else
		fi;
#endif
end_asleep:
		if
		:: awake[slot]
		:: signals -> goto interrupted
		fi
	od;
	atomic { listed[slot] = false; awake[slot] = false }
	goto again;

interrupted:
	atomic { listed[slot] = false; awake[slot] = false }
	gone = true;

leave:
	/* knell_file_pass_on() */
#ifndef FAULT_PASS_ON
	if
	:: readable -> wake_one()
	:: else
	fi;
#endif
	if
	:: stale || gone || file != me
	:: else -> goto again
	fi
}

/* ---- KNELL_IOC_ATTACH ---- */

/* The first holder is dead, whatever step its threads are at; those in the kernel go on. */
proctype successor()
{
	byte i, r, w, k, last;

	/* knell_queue_serve() */
	lock(mutex);
	d_step {
		/* delivered, reading, ready, in this order, become ready */
		splice(reading, ready);
		k = len(delivered);
		pending = pending + k;
		unacked = 0;
		do
		:: k > 0 -> k--; delivered?w; state[w] = PENDING; delivered!w
		:: else -> break
		od;
		splice(delivered, ready);
		w = 0;
		gated = true;
		file = 1;
		check_lists()
	}
	wake_all();
	unlock(mutex);
	run reader(1, READERS, false);
	/* Having read all of LIST: knell_queue_open_gate() */
	lock(mutex);
	gated = false;
#ifndef FAULT_GATE
	if
	:: readable -> wake_one()
	:: else
	fi;
#endif
	unlock(mutex);
	at_work--
}

/* ---- the end ---- */

#define may_sleep(f)	(file != f || !readable)

/* When nobody can move any more. */
proctype judge()
{
	byte w;

	timeout;
	assert(!at_work);
	assert(!mutex);
	d_step {
		/* Whoever is of the file that is served would be awake. */
#if SIGNALS < READERS || TAKEOVER
		assert(!readable);
		assert(len(ready) == 0 && len(reading) == 0);
#endif
		w = 0;
		do
		:: w < BELL ->
			assert(GIVEN(0, w) <= 1 && GIVEN(1, w) <= 1);
			if
			:: w == ACK -> assert(!fired[w] || deled[w] || GIVEN(file, w) == 1)
			:: else ->
				assert(GIVEN(0, w) + GIVEN(1, w) <= 1);
				assert(!fired[w] || deled[w] || GIVEN(0, w) + GIVEN(1, w) == 1)
			fi;
			w++
		:: else -> break
		od;
		w = 0;
		assert(told + shown_at_del + count + shown == rung);
		assert(told + shown_at_del == rung || SIGNALS >= READERS)
	}
}

init {
	byte n;

	atomic {
		state[0] = ARMED;
		state[1] = ARMED;
		state[BELL] = ARMED;
		at_work = 2 + (RINGS > 0) + DELS + TAKEOVER;
		do
		:: n < READERS -> run reader(0, n, n < SIGNALS); n++
		:: else -> break
		od;
		n = 0;
		run hook(0);
		run hook(1);
#if RINGS
		run ringer();
#endif
#if DELS
		run deleter(ACK);
#endif
#if DELS > 1
		run deleter(BELL);
#endif
#if TAKEOVER
		run successor();
#endif
		run judge()
	}
}
