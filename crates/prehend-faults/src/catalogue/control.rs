//! Section C: the control loop.

mod limits;
mod numbers;
mod plans;
mod senders;

use std::time::Duration;

use prehend_control::JointBounds;
use prehend_types::{JointPositions, Stamp};

use super::{exact, live, skip, torture};
use crate::fault::Fault;
use crate::live as real;
use crate::sim::{Offer, joint_plan};

pub(super) const ROWS: &[Fault] = &[
    exact(
        "C1",
        "policy returns NaN in one joint, one tick",
        "refused within a tick, counted once; the plan goes on; 0 violations",
        numbers::one_nan,
    ),
    exact(
        "C2",
        "NaN for more than 3 policy ticks",
        "latched stop; first slower command <= 1 tick after the 4th; 0 violations",
        numbers::many_nan,
    ),
    exact(
        "C3",
        "+-infinity, 1e30, -0.0, subnormals, i32::MIN from the policy",
        "infinity as NaN: refused, counted, the plan goes on; 0 violations; p99.9 of a tick with subnormals within 5 %",
        numbers::odd_numbers,
    ),
    exact(
        "C4",
        "square wave between the position limits, every tick",
        "0 violations and a stop at any moment in 1e7 ticks",
        torture::square_wave,
    ),
    exact(
        "C5",
        "random jumps of the target of up to 2 pi",
        "0 violations",
        torture::random_jumps,
    ),
    exact(
        "C6",
        "policies searched for those that come closest to a limit",
        "0 violations in 1e8 ticks",
        torture::adversary,
    ),
    exact(
        "C7",
        "the arm stands 0.3 rad from where its driver tells it to be",
        "not armed: 0 commands sent, the message names joint and distance",
        limits::armed_elsewhere,
    ),
    exact(
        "C8",
        "start 0.005 and 0.05 rad outside a position limit",
        "0.005: inward motion only, whatever is asked for; 0.05: refused",
        limits::start_outside,
    ),
    exact(
        "C9",
        "a state above the speed limit",
        "not armed; what follows from such a motion only gets slower, 0 NaN",
        limits::over_limit_state,
    ),
    exact(
        "C10",
        "FR3 joints 5 and 7 driven into their stops at full speed",
        "full speed is reached; 0 violations, the position-dependent speed limit included",
        limits::envelope,
    ),
    exact(
        "C11",
        "inference takes 5 and 50 times as long, for ever, and 0 to 300 ms at random",
        "at rest no later after the plan's end than its arm needs from full speed; 0 violations",
        plans::slow_inference,
    ),
    live(
        "C12",
        "the policy's process is killed (`kill -9`) while the arm moves",
        "latched stop, smooth at the driver; the loop lives; the end is reported",
        real::policy_killed,
    ),
    exact(
        "C13",
        "plans of the wrong length, for another number of joints, of impossible duration",
        "each refused; at rest when the plan before has ended; 0 violations",
        plans::wrong_shape,
    ),
    exact(
        "C14",
        "an older chunk arrives after a newer one",
        "dropped: not one command differs",
        plans::old_chunk,
    ),
    exact(
        "C15",
        "a chunk arrives when its first actions are past",
        "those are dropped, the rest is blended in; 0 violations at the seam",
        plans::late_chunk,
    ),
    exact(
        "C16",
        "the camera freezes: every chunk starts at the same moment",
        "refused for its age, then at rest; 0 violations",
        plans::frozen_camera,
    ),
    exact(
        "C17",
        "an observation from 10 s in the future",
        "refused and counted; 0 violations",
        plans::from_the_future,
    ),
    live(
        "C18",
        "the control process does not run for 10 periods (SIGSTOP)",
        "10 commands in the next 10 periods, none closer than 0.8 of a period",
        real::stall_of_ten_periods,
    ),
    live(
        "C19",
        "the control process is stopped (SIGSTOP) for 100 ms, 2 s, 60 s, and goes on",
        "the driver stops by itself; 0 commands executed after expiry; no motion until a new session",
        real::stalls,
    ),
    live(
        "C20",
        "busy threads, two for every core",
        "0 violations; every period without a command on the wire is counted by the loop",
        real::hogs,
    ),
    skip(
        "C21",
        "heap allocation, lock or system call on the loop's thread",
        "0 in 1e6 ticks",
        "needs an allocator of its own that counts: prehend-control's test `allocation` runs the loop's own thread \
         for 1e6 ticks, and counts what it allocates and how often it waits",
    ),
    live(
        "C22",
        "the log's reader does not read (full pipe) at the highest level",
        "ticks unaffected: p99.9 of the period within 5 %; records dropped and counted; 0 violations",
        real::blocked_log,
    ),
    skip(
        "C23",
        "the log level is raised while running",
        "as C22",
        "the level is fixed at start; C22 runs at the highest one",
    ),
    exact(
        "C24",
        "a second controller sends into a running session",
        "0 of its commands executed; what the arm is told does not differ in one bit",
        senders::second_controller,
    ),
    exact(
        "C25",
        "stop in every state: disarmed, armed, moving, stopping, stopped, and before the first command",
        "latched stop in all: no motion until a new session; 0 violations",
        senders::stop_everywhere,
    ),
    exact(
        "C26",
        "stop messages at 1e5 per second",
        "stopped as by one; 0 violations",
        senders::stop_flood,
    ),
    exact(
        "C27",
        "plans through a singular pose, and far out of reach",
        "no step beyond a limit, 0 violations",
        limits::singular,
    ),
    exact(
        "C28",
        "the gripper is told to open and close at every tick",
        "limited in rate: no more than 10 changes of direction per second at the driver",
        plans::gripper_chatter,
    ),
    exact(
        "C29",
        "limits are tightened while moving",
        "inside the new limits without exceeding the old jerk",
        limits::tightened,
    ),
    exact(
        "C30",
        "the clock has run for 1e9 ticks before",
        "every command the same as at its start",
        plans::long_clock,
    ),
];

/// A joint plan of one step that asks for `value` in one joint.
fn plan_with(now: Stamp, q: &JointPositions, joint_idx: usize, value: f64) -> Option<Offer> {
    let n_joints = q.len();
    let values = |_| {
        std::array::from_fn(|j| match () {
            () if j == joint_idx => value,
            () if j < n_joints => q[j],
            () => 0.0,
        })
    };
    joint_plan(now, Duration::from_millis(50), values, n_joints, 2).map(Offer::Joints)
}

/// Longest time that any joint needs from its highest speed to rest, s.
fn stop_time(bounds: &[JointBounds]) -> f64 {
    let times = bounds
        .iter()
        .map(|b| b.max_velocity / b.max_acceleration + b.max_acceleration / b.max_jerk);
    times.fold(0.0, f64::max)
}
