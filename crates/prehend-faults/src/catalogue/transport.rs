//! Section T: the link.

mod messages;
mod weather;

use super::{exact, live, skip};
use crate::fault::Fault;
use crate::live as real;
use crate::sim::{Setup, World, sway};

pub(super) const ROWS: &[Fault] = &[
    exact(
        "T1",
        "loss of 1, 5, 10, 30 % both ways",
        "0 violations; no stop at up to 5 %",
        weather::loss,
    ),
    exact(
        "T2",
        "1 to 25 commands in a row are lost, and all from some moment on",
        "deceleration begins <= time to live + 1 driver tick after the last command; 0 violations",
        weather::burst,
    ),
    exact(
        "T3",
        "every message arrives twice",
        "0 executed twice",
        weather::duplicates,
    ),
    exact(
        "T4",
        "reordering by 2 to 50 messages",
        "older ones dropped, 0 violations",
        weather::reordering,
    ),
    exact(
        "T5",
        "delays of 0 to 500 ms, and bunches after stalls",
        "old commands dropped and not replayed, 0 violations",
        weather::bunching,
    ),
    live(
        "T5/live",
        "real connections stall for up to 500 ms, over and over",
        "old commands dropped and not replayed, 0 violations",
        real::bunching,
    ),
    exact(
        "T6",
        "one-way partition: nothing reaches the driver",
        "driver's stop latched <= time to live + 1 tick; the controller knows one status later",
        weather::deaf_driver,
    ),
    live(
        "T6/live",
        "a real connection lets nothing through to the driver",
        "driver's stop latched in the first tick after expiry; 0 violations",
        real::deaf_driver,
    ),
    exact(
        "T7",
        "one-way partition: nothing reaches the controller",
        "the controller stops on the age of the state; 0 violations",
        weather::deaf_controller,
    ),
    live(
        "T7/live",
        "a real connection lets nothing through to the controller",
        "the controller stops the arm on the age of the state; 0 violations",
        real::deaf_controller,
    ),
    exact(
        "T8",
        "a partition heals after 30 s",
        "0 commands executed until a new session, then it moves again",
        weather::healed,
    ),
    live(
        "T8/live",
        "a real connection stalls for 30 s and heals",
        "0 commands executed until a new session, then it moves again",
        real::healed,
    ),
    exact(
        "T9",
        "the link flaps every 200 ms",
        "at most one stop per session; no motion after it",
        weather::flapping,
    ),
    live(
        "T9/live",
        "a real connection flaps every 200 ms",
        "at most one stop per session; no motion after it",
        real::flapping,
    ),
    live(
        "T10",
        "the connection is cut, and both ends find each other again",
        "connected again <= 5 s; no motion until a new session",
        real::reconnect,
    ),
    live(
        "T11",
        "a subscriber on a telemetry key sleeps for 10 s in every message",
        "p99.9 of the age of commands changes by less than 5 %",
        real::slow_telemetry,
    ),
    live(
        "T12",
        "a slow subscriber on the command key",
        "p99.99 of the call that sends <= 50 us; drops counted",
        real::slow_subscriber,
    ),
    live(
        "T13",
        "200 more peers join and leave per second",
        "p99.9 of the loop's period unaffected (within 5 %)",
        real::visitors,
    ),
    live(
        "T14",
        "50 MB of clouds per second on the same machine",
        "p99.9 of the command's latency unchanged (within 5 %)",
        real::cloud_stream,
    ),
    skip(
        "T15",
        "a receiver that does not run for 300 ms, with shared memory on",
        "the gap is seen, and what follows is in step",
        "shared memory is not compiled in: zenoh is built with TCP, UDP and TLS alone",
    ),
    live(
        "T16",
        "a publisher is restarted 1,000 times",
        "memory and locked memory of the receiver grow by less than 1 MB",
        real::restarted_publisher,
    ),
    live(
        "T17",
        "a session is closed while its connection stalls",
        "closed <= 2 s, never on the loop's thread",
        real::close_under_stall,
    ),
    exact(
        "T18",
        "commands truncated, extended and with flipped bits, 1e6 of them",
        "no panic; only what is well-formed is taken, and what it moves stays inside the limits",
        messages::mutations,
    ),
    exact(
        "T19",
        "a command of an older and of a newer version",
        "refused, both versions named",
        messages::versions,
    ),
    exact(
        "T20",
        "sequence numbers pass the end of u32 and of u64",
        "commands go on being followed",
        messages::wrapping,
    ),
    exact(
        "T21",
        "the commands of one robot reach another one, in a session of the same number",
        "0 followed: the payload says which robot it is for",
        messages::crossed,
    ),
    skip(
        "T22",
        "somebody publishes and answers on `**`",
        "no effect on commands",
        "needs zenoh without our rules, which prehend-link alone names: its test `secured` tries it, \
         `who_answers_or_listens_to_everything_is_not_in_the_way`",
    ),
    exact(
        "G12",
        "random schedules of all of this at once, with stalls, stops and new sessions, on five arms",
        "0 violations in 1e5 schedules",
        weather::schedules,
    ),
];

fn swaying(setup: &Setup) -> Result<World, Box<dyn std::error::Error>> {
    let pilot = sway(&setup.bounds()?, setup.robot.home(), 0.5);
    World::new(setup, pilot)
}
