//! Section D: driver and robot.

mod franka;
mod rules;
mod states;

use super::{exact, skip};
use crate::fault::Fault;
use crate::sim::World;

pub(super) const ROWS: &[Fault] = &[
    exact(
        "D1",
        "the driver's process dies while the arm moves",
        "the controller stops for good; a new driver's session is needed",
        states::dead_driver,
    ),
    exact(
        "D2",
        "the driver tells its state ten times more slowly",
        "the age of the state stops the arm; 0 violations",
        states::slow_states,
    ),
    exact(
        "D3",
        "an encoder jumps by 0.5 rad, in one sample and in two in a row",
        "one is passed over, two stop the arm for good; 0 violations",
        states::encoder_jump,
    ),
    exact(
        "D4",
        "an encoder is stuck while the joint is commanded to move",
        "stopped for good <= 100 ms after the error has reached 0.1 rad",
        states::stuck_encoder,
    ),
    exact(
        "D5",
        "noise on measured velocities, 100 times as much",
        "no oscillation: the commands' jerk as without noise",
        states::noisy_velocity,
    ),
    exact(
        "D6",
        "one joint's torque goes off and it sinks",
        "stopped for good, and the joint is named",
        states::limp_joint,
    ),
    skip(
        "D7",
        "one status packet in 50 of a servo bus is corrupt",
        "at most 2 retries, the loop goes on",
        "no driver in this version speaks on a bus; prehend-drivers' test `vendors` tries it on a stand-in, \
         `corrupt_packets_of_a_servo_bus_never_end_the_loop`",
    ),
    exact(
        "D8",
        "the bus does not answer for 50 to 1,000 ms",
        "the controller stops; its ticks go on; 0 violations",
        rules::blocked_bus,
    ),
    exact(
        "D9",
        "Franka's own controller at 1 kHz: discontinuities, 20 lost packets, start pose; random policy",
        "0 aborts in 1 h over its three tables; 20 lost setpoints are bridged, 21 end the motion",
        franka::franka_rules,
    ),
    exact(
        "D10",
        "UR's own rule: setpoints that need more than 20 rad/s",
        "0 sent",
        rules::ur_rule,
    ),
    skip(
        "D11",
        "xArm's own rules: more than 250 setpoints per second, distant targets",
        "0 sent",
        "no driver for an xArm is in this version; prehend-drivers' test `vendors` tries it on a stand-in, \
         `no_vendor_ever_interferes`",
    ),
    exact(
        "D12",
        "the driver is of another robot with as many joints (Panda, controller FR3)",
        "not armed, the message names both",
        states::wrong_robot,
    ),
    exact(
        "D13",
        "the arm's collision reflex while it moves",
        "stopped for good, no recovery by itself",
        rules::collision,
    ),
    exact(
        "D14",
        "emergency stop with a chunk under way, then released",
        "0 motion after the release until a new plan",
        rules::emergency_stop,
    ),
    skip(
        "D15",
        "a payload that nobody told of",
        "the residual torque at rest refuses to arm",
        "drivers report no torques: the status has positions and velocities only",
    ),
    exact(
        "D16",
        "the arm's cable is pulled during a write, and plugged in again",
        "stopped for good; a new session is needed",
        rules::pulled_cable,
    ),
    exact(
        "D17",
        "the driver sends NaN",
        "brakes within a tick, stopped for good; 0 violations",
        states::nan_state,
    ),
    exact(
        "D18",
        "the driver's clock goes back, by 10 ms and by 1 s",
        "such states are refused and the arm stops",
        states::clock_back,
    ),
];

/// Milliseconds until the controller has latched a stop.
fn until_latched(world: &mut World, most: u64) -> Option<u64> {
    world.run_until(most, |world| world.pc.controller.stop_reason().is_some())
}
