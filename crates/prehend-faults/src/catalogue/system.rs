//! Section O: clocks, operating system, resources.

use super::{live, skip};
use crate::fault::Fault;
use crate::live as real;

pub(super) const ROWS: &[Fault] = &[
    skip(
        "O1",
        "the wall clock is set by +-1 s, +-1 h, to 1970, 2038, 2106",
        "no effect on motion; 0 violations",
        "a shared machine's clock is not set for a test; controller, gate and shell take monotonic stamps as \
         arguments, and the wall clock labels messages and logs only",
    ),
    skip(
        "O2",
        "the machine is suspended and resumed",
        "stale: latched stop",
        "this machine cannot be suspended; stamps are of CLOCK_MONOTONIC, which does not count that time, so a \
         suspend between two commands would not be seen",
    ),
    skip(
        "O3",
        "a coarse timer (4 ms)",
        "1 kHz is refused at start, the rate that holds is offered",
        "not written yet: the loop does not test its rate at start, `prehend doctor` measures the timer",
    ),
    skip(
        "O4",
        "memory locking is not permitted",
        "warns and runs; page faults of the loop counted",
        "page faults are not counted by anything",
    ),
    live(
        "O5",
        "40 file descriptors, all of them taken",
        "no panic; control goes on",
        real::few_descriptors,
    ),
    skip(
        "O6",
        "a thread cannot be started",
        "an error at start only",
        "the limit does not bind the superuser, whom this machine has; the error has a type of its own",
    ),
    live(
        "O7",
        "no permission for real-time scheduling",
        "runs, and says what follows",
        real::no_realtime,
    ),
    skip(
        "O8",
        "the processor slows down, or loses a core",
        "misses counted, 0 violations",
        "needs the machine to itself; C20 takes the time away by other means",
    ),
    skip(
        "O9",
        "training is killed for want of memory",
        "control survives",
        "needs a machine whose memory may run out",
    ),
    live(
        "O10",
        "a panic in a thread beside the loop",
        "reported with an error; the arm stops; nothing hangs",
        real::panicking_policy,
    ),
    skip(
        "O11",
        "24 h of work",
        "memory, descriptors, threads grow by less than 1 %",
        "a day, not twenty minutes",
    ),
    live(
        "O12",
        "the disk is written to and synced all the time",
        "p99.9 of the loop's period unaffected (within 5 %)",
        real::busy_disk,
    ),
];
