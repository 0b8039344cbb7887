# SPDX-License-Identifier: GPL-2.0-only
"""What the page says of each program, and which of its figures it has in which table."""

from dataclasses import dataclass, field


@dataclass
class Table:
    """Ways beneath each other, figures beside each other: for each kernel that has them."""

    columns: list                       # (name, heading)
    ours: str = 'knell'                 # knell's way, beside which the others are held
    also_ours: tuple = ()               # knell in another manner: no peer
    pairs: dict = field(default_factory=dict)   # peers that are held beside another of knell's
    no_peers: tuple = ('baseline',)
    more_is_better: tuple = ()
    caption: str = ''


@dataclass
class Costs:
    """Figures without peers, one beneath the other: (name, way, what it is)."""

    rows: list


@dataclass
class Picture:
    """A picture, of the stock kernel unless it has all."""

    name: str
    kind: str           # "kernels": a mark for each; "figures": one for each; "bars"; "scale"
    title: str
    figures: list       # (name, heading)
    ours: tuple = ('knell',)
    leave_out: tuple = ('baseline',)


@dataclass
class Section:
    """A program, or a part of it."""

    title: str
    program: str
    text: str
    parts: list


EXITS = '''
2,000 children (and 500 in the second table) sleep; all are let go together, and end. The manager has to learn of
each which it was and how it ended, and to leave nothing behind. Counted are its instructions for each exit, less
those of a manager that does not watch (``baseline``, which only waits until the last one is gone); all that the
machine does, the children's dying included; its system calls; and what it takes to begin to watch a child. In the
last column children end one at a time and the manager is asleep each time. Ways take turns, the median of three
rounds counts, each exit's status is random and is compared.

``knell`` and ``pidfd_info`` have zombies reaped by the kernel (``SA_NOCLDWAIT``), and so has ``proc_connector``,
which needs root and hears of every process of the machine; ``knell_waitid`` calls waitid(2) for each as well,
``pidfd_epoll`` and ``signalfd`` have to, ``io_uring_waitid`` has one of them under way for each child. What a
record of knell has in it besides (CPU time, memory, the cgroup, who killed it), the others would have to ask for
by another call.
'''

CHILDREN = '''
The same through event loops, each a process of its own with children that sleep until they are killed, watched
by the loop's own means: the instructions of the manager for the exit of its only child, and of one of 10,001; then
2,000 that are killed at once: system calls, counted by the kernel's trace, and instructions for each exit.
``pidfd_epoll`` is no loop but the bare calls. libevent knows no children: it watches SIGCHLD, and waitid(2) is
called until there is none, as its users do. ``libknell/nocldwait`` is libknell with zombies reaped by the kernel.
'''

FD = '''
An eventfd becomes readable, the manager hears of it and asks to be told the next time: once asleep, woken by a
writer, and once in a burst of 64, with nobody asleep. All that both sides do is counted but the reading and the
answer to the writer; the second column of each has what it is over reading the descriptor without any watching.
'''

KILL = '''
1,000 processes, which are the members of one tree of knell's and alone in a control group, are killed: by one
call on the tree, by ``cgroup.kill``, by kill(2) for each line of ``cgroup.procs``, and by walks over ``/proc``. The
instructions of who kills, for each process.
'''

TIMERS = '''
A million timers are added to a loop, then 393,754 of them cancelled, in random order. By instructions in the guest,
and on the machine that ran it by CPU time in nanoseconds, which is good for a ratio and no more. Timers of libev,
libuv and libevent are memory of their caller and are there before the clock starts; libknell and sd-event allocate
theirs.
'''

DISPATCH = '''
What a loop takes for each task that it runs: of one task that is ready in every turn, the same while a descriptor is
watched that never becomes readable, and a hundred tasks with that descriptor. ``quagga_calls`` is what Quagga's
loop asks of the kernel for each, and nothing else of it. libknell keeps its statistics meanwhile, which none of the
others has.
'''

POOL = '''
A job handed to a pool of libknell's, against a thread made for it: instructions (ns on the machine that ran it) for
an empty job, with 40 under way, 1, 500; TLB flushes between two CPUs; threads made for 10,000 jobs.
'''

SUPERVISORS = '''
Each supervisor runs services that do nothing and are restarted always, configured in the cheapest way that it has;
they take turns in one boot. Of its own processes, with 100 services: system calls and context switches in a minute
in which nothing happens; system calls until all is quiet after a service was killed, those of the new process up
to its execve(2) included; instructions for that, and with what the kernel's threads do meanwhile; and for a service
that ends at once, for each restart. Then all of 1,000 are killed together.
'''

MEMORY = '''
What no other process has mapped (``Private_*`` of ``smaps_rollup``); of that, what is no file's; and with a part of
what is shared. In KiB, with 100 services and with 1,000. The libraries are mapped by another process, too, as on a
machine where more than one program runs. A supervisor's text is its own, but busybox's, which is the guest's shell.
'''

COSTS = '''
What there is to pay for parts of it, and for what lies beside: processes that are in no tree while there are trees,
tracepoints that are off, the black box. In instructions, and bytes of kernel memory.
'''

SCALE = '''
A queue has 10, 1,000, 10,000, 100,000 timers that are far off, and meanwhile each of these is counted.
'''

QUEUE = Table([('exit_mgr_insns', 'manager, insns'), ('exit_total_insns', 'machine, insns'),
               ('exit_syscalls', 'system calls'), ('enrol_insns', 'to watch, insns'),
               ('exit_single_insns', 'one at a time, insns')],
              also_ours=('knell_waitid',))

SECTIONS = [
    Section('Exits of children', 'exits', EXITS, [
        Picture('exits', 'kernels', 'Manager, instructions per exit over nobody watching',
                [('exit_mgr_insns', '')], ('knell', 'knell_waitid')),
        QUEUE,
        Table([(name + '_500', heading) for name, heading in QUEUE.columns[:4]],
              also_ours=('knell_waitid',), caption='500 children'),
    ]),
    Section('Children in event loops', 'children', CHILDREN, [
        Picture('loops', 'figures', 'Manager, instructions per exit',
                [('exit_live_0', 'the only child'), ('exit_live_10000', 'one of 10,001'),
                 ('exit_storm_insns', '2,000 at once')],
                ('libknell', 'libknell-pidfd', 'libknell/nocldwait'), ()),
        Table([('exit_live_0', 'only child, insns'), ('exit_live_10000', 'of 10,001, insns'),
               ('exit_storm_insns', 'at once, insns'), ('exit_storm_calls', 'at once, system calls')],
              ours='libknell', also_ours=('libknell-pidfd', 'libknell/nocldwait')),
    ]),
    Section('Ready descriptors', 'fd', FD, [
        Picture('fd', 'bars', 'A descriptor becomes ready: asleep, woken, armed again; instructions',
                [('fd_wake_insns', '')], ('knell', 'knell_edge'), ()),
        Table([('fd_wake_insns', 'asleep, insns'), ('fd_wake_over_insns', 'asleep, over reading'),
               ('fd_wake_syscalls', 'asleep, calls'), ('fd_wake_insns_burst', 'burst, insns'),
               ('fd_wake_over_insns_burst', 'burst, over reading'), ('fd_wake_syscalls_burst', 'burst, calls')],
              also_ours=('knell_edge',), pairs={'epoll_edge': 'knell_edge'}),
    ]),
    Section('To kill a service', 'kill', KILL, [
        Picture('kill', 'bars', 'To kill 1,000 processes, instructions for each',
                [('tree_kill_insns', '')]),
        Table([('tree_kill_insns', 'insns'), ('tree_kill_ratio', "times knell's")]),
    ]),
    Section('Timers of event loops', 'timers', TIMERS, [
        Table([('timer_insert_insns', 'add, insns'), ('timer_cancel_insns', 'cancel, insns')],
              ours='libknell'),
        Table([('timer_insert', 'add, ns'), ('timer_cancel', 'cancel, ns')],
              ours='libknell'),
    ]),
    Section('Tasks of event loops', 'dispatch', DISPATCH, [
        Picture('dispatch', 'bars', 'A task that is ready in every turn, instructions',
                [('dispatch_insns', '')], ('libknell', 'libknell-pidfd'), ()),
        Table([('dispatch_insns', 'one, insns'), ('dispatch_fd_insns', 'and a descriptor'),
               ('dispatch_100_insns', '100 and a descriptor')],
              ours='libknell', also_ours=('libknell-pidfd',)),
        Table([('dispatch', 'one, ns'), ('dispatch_fd', 'and a descriptor'),
               ('dispatch_100', '100 and a descriptor')],
              ours='libknell', also_ours=('libknell-pidfd',)),
    ]),
    Section('A pool of threads', 'pool', POOL, [
        Table([('pool_cpu', 'a job, of 40'), ('pool_cpu_1', 'alone'), ('pool_cpu_500', 'of 500'),
               ('pool_ipi', 'TLB flushes')], ours='libknell'),
        Costs([('pool_threads', '40_at_a_time', 'threads made for 10,000 jobs, 40 at a time'),
               ('pool_threads', 'after_keep_alive', 'of them left when nothing is to be done')]),
    ]),
    Section('Threads that wait', 'blocked', '''
The time that two threads take which run, beside 5,000 that wait, against alone.
''', [
        Table([('blocked_ratio', 'times as long')], ours='libknell'),
        Costs([('yield_ratio', 'threads', 'beside 500 that call sched_yield(2): there it does cost')]),
    ]),
    Section('Supervisors', 'supervisors', SUPERVISORS, [
        Picture('respawn', 'bars', 'A service is killed: instructions until all is quiet',
                [('respawn_insns', '')], ('knelld', 'knelld_pidfd'), ()),
        Table([('idle_syscalls', 'idle, calls'), ('idle_switches', 'idle, switches'),
               ('respawn_syscalls', 'killed, calls'), ('respawn_insns', 'killed, insns'),
               ('respawn_machine_insns', 'killed, with the kernel'), ('flap_insns', 'a restart, insns'),
               ('burst_1000_insns', '1,000 killed, insns')],
              ours='knelld', also_ours=()),
    ]),
    Section('Memory of supervisors', 'supervisors', MEMORY, [
        Picture('memory', 'bars', 'Private memory with 100 services, KiB',
                [('private_kib_100', '')], ('knelld', 'knelld_pidfd'), ()),
        Table([('private_kib_100', '100: private'), ('anon_kib_100', '100: anonymous'),
               ('pss_kib_100', '100: and shared'), ('private_kib_1000', '1,000: private'),
               ('anon_kib_1000', '1,000: anonymous'), ('pss_kib_1000', '1,000: and shared')],
              ours='knelld'),
    ]),
]

COST_PROGRAMS = [
    ('exits', Costs([
        ('add_insns', 'batch_1', 'an ADD of a process by its pid, alone in its SUBMIT'),
        ('add_insns', 'batch_1000', 'one of 1,000 in a SUBMIT'),
        ('del_insns', 'batch_1000', 'a DEL, one of 1,000'),
        ('read_insns', 'room_1', 'a record, read alone'),
        ('read_insns', 'room_64', 'one of 64 in a read'),
        ('close_insns', 'armed', 'a watch that is armed when its queue is closed')])),
    ('probes', Costs([
        ('fork_nonmember_insns', 'median', 'a fork in no tree, while there are trees: more by'),
        ('signal_nonmember_insns', 'blocked', 'a signal to a process in no tree: more by'),
        ('fork_member_insns', 'one_tree', "the whole life of a member's child: more by"),
        ('fork_member_insns', 'four_trees', 'of a member of four trees, one inside the other: more by'),
        ('signal_member_insns', 'blocked', 'a signal to a member: more by')])),
    ('observe', Costs([
        ('trace_off_insns', 'add', 'tracepoints that are off: an ADD, more by'),
        ('trace_off_insns', 'deliver', 'a record read, more by'),
        ('trace_off_insns', 'exit', 'an exit that is watched and read, more by'),
        ('box_hook_insns', 'process', "a black box: the hook of a process's death, more by"),
        ('box_hook_insns', 'tree', 'of a killed member of a tree, more by'),
        ('box_exit_insns', 'alone', "an exit that comes alone, with the writer's interrupt, more by")])),
    ('bytes', Costs([
        ('bytes_process', 'memcg', 'bytes of a PROCESS watch'),
        ('bytes_timer', 'memcg', 'of a TIMER'),
        ('bytes_tree', 'memcg', 'of a TREE'),
        ('bytes_member', 'memcg', 'of its member')])),
]

CURVES = {
    'scale_add_insns': 'ADD of a doorbell',
    'scale_add_timer_insns': 'ADD of a timer',
    'scale_add_pid_insns': 'ADD by pid',
    'scale_add_dead_insns': 'ADD of a dead process',
    'scale_exit_insns': 'exit, watched less not',
    'scale_fire_insns': 'timer, due to read',
}
