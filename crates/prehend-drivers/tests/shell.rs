//! The driver's safety shell, without physics: whatever happens to commands, the arm ends at rest
//! inside its limits, and nothing old moves it.

use std::time::Duration;

use prehend_control::{ArmError, ControlError, JointBounds};
use prehend_drivers::{Shell, ShellConfig, WireReport, tick};
use prehend_link::Received;
use prehend_link::messages::{CommandMode, JointCommand as Message, StopReason};
use prehend_types::{
    GripperState, JointCommand, JointPositions, JointVelocities, Plant, RobotState, Stamp,
};
use proptest::prelude::*;

const N: usize = 3;
const ROBOT: &str = "fr3";
const EPOCH: u64 = 100;
const DT_NANOS: u64 = 5_000_000;
const COMMAND_NANOS: u64 = 2_000_000;

fn bounds() -> [JointBounds; N] {
    [JointBounds {
        lower: -2.8,
        upper: 2.8,
        max_velocity: 2.5,
        max_acceleration: 10.0,
        max_jerk: 5000.0,
        envelope: None,
    }; N]
}

fn state(q: f64) -> RobotState {
    RobotState {
        stamp: Stamp::ZERO,
        q: JointPositions::from_slice(&[q; N]).expect("fits"),
        dq: JointVelocities::zeros(N).expect("fits"),
        gripper: GripperState {
            width: 0.08,
            commanded: 1.0,
            is_grasping: false,
        },
    }
}

fn shell() -> Shell {
    let config = ShellConfig {
        dt_s: DT_NANOS as f64 * 1e-9,
        command_dt_s: COMMAND_NANOS as f64 * 1e-9,
        max_valid_for: Duration::from_millis(200),
        max_jump_rad: 0.1,
        max_gripper_turns_per_s: 5.0,
    };
    let mut shell = Shell::new(config, ROBOT, &bounds(), &state(0.0), 0).expect("valid");
    shell.arm(EPOCH, &state(0.0)).expect("the first session");
    shell
}

/// Position, velocity: speeds up with 4 rad/s² to 1 rad/s, then goes on evenly.
fn ramp(t: f64) -> (f64, f64) {
    if t < 0.25 {
        (2.0 * t * t, 4.0 * t)
    } else {
        (0.125 + (t - 0.25), 1.0)
    }
}

fn message(seq: u64, sent_nanos: u64) -> Message {
    let (q, dq) = ramp(sent_nanos as f64 * 1e-9);
    Message {
        robot: ROBOT.to_owned(),
        epoch: EPOCH,
        seq,
        stamp_nanos: sent_nanos,
        sent_nanos,
        valid_for_nanos: 50_000_000,
        q_d: vec![q; N],
        dq_d: vec![dq; N],
        gripper_opening: 0.3,
        mode: CommandMode::Track,
    }
}

fn received(message: &Message, at: Stamp) -> Received<Message> {
    Received {
        message: message.clone(),
        at,
        sender: Some([1; 16]),
    }
}

/// Runs the shell on simulated time. `send` says which commands arrive; returns what the arm is told.
fn run(
    shell: &mut Shell,
    from_tick: u64,
    ticks: u64,
    send: impl Fn(u64) -> bool,
) -> Vec<JointCommand> {
    let per_tick = |tick: u64| {
        let (begin, end) = ((tick - 1) * DT_NANOS, tick * DT_NANOS);
        (begin.div_ceil(COMMAND_NANOS)..end.div_ceil(COMMAND_NANOS)).collect::<Vec<_>>()
    };
    (from_tick..from_tick + ticks)
        .map(|tick| {
            for seq in per_tick(tick).into_iter().filter(|seq| send(*seq)) {
                let sent = seq * COMMAND_NANOS;
                shell.receive(&received(
                    &message(seq, sent),
                    Stamp::from_nanos(sent + 200_000),
                ));
            }
            let now = Stamp::from_nanos(tick * DT_NANOS);
            let (command, expires) = shell.next(now);
            if let Some(expires) = expires {
                shell.executed(expires, now);
            }
            command
        })
        .collect()
}

/// Highest speed and acceleration of what the arm was told, by differences.
fn extremes(told: &[JointCommand]) -> (f64, f64) {
    let dt = DT_NANOS as f64 * 1e-9;
    let speeds: Vec<f64> = told
        .windows(2)
        .map(|w| (w[1].q_d[0] - w[0].q_d[0]) / dt)
        .collect();
    let fastest = speeds.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    let hardest = speeds
        .windows(2)
        .fold(0.0_f64, |max, w| max.max(((w[1] - w[0]) / dt).abs()));
    (fastest, hardest)
}

/// The arm is where its sensors say, not where it is told to be: held by something, or moved by hand.
#[test]
fn an_arm_that_is_not_where_it_is_told_to_be_is_not_armed() {
    let mut shell = shell();
    let mut elsewhere = state(0.0);
    elsewhere.q[1] += 0.3;
    shell.observe(&elsewhere);
    let refusal = shell.refusal().expect("0.3 rad");
    assert_eq!((refusal.joint_idx, refusal.limit_rad), (1, 0.1));
    assert!((refusal.distance_rad - 0.3).abs() < 1e-12);
    // A command that would begin where the arm is told to be, and one that begins where it is.
    for (seq, q) in [(1, 0.0), (2, 0.3)] {
        let mut command = message(seq, 0);
        command.q_d[1] = q;
        shell.receive(&received(&command, Stamp::ZERO));
        assert_eq!(shell.next(Stamp::ZERO).1, None, "nothing is followed");
    }
    assert_eq!(shell.report().refused_at_arming, 2);
    // Put back, it is armed.
    shell.observe(&state(0.0));
    assert_eq!(shell.refusal(), None);
    shell.receive(&received(&message(3, 0), Stamp::ZERO));
    assert!(shell.next(Stamp::ZERO).1.is_some());
}

#[test]
fn a_steady_stream_is_followed_smoothly() {
    let mut shell = shell();
    let told = run(&mut shell, 1, 200, |_| true);
    assert_eq!(shell.stop_reason(), StopReason::None);
    let (fastest, hardest) = extremes(&told);
    assert!(fastest < 1.01, "{fastest}");
    assert!(
        hardest < 5.5,
        "rates of sender and driver beat: {hardest} rad/s²"
    );
    let report = shell.report();
    assert_eq!(
        (report.applied, report.limit_violations, report.gaps),
        (200, 0, 0)
    );
    assert_eq!(report.expired_executed, 0);
}

#[test]
fn when_commands_cease_the_arm_stops_inside_its_limits_and_stays() {
    let mut shell = shell();
    let told = run(&mut shell, 1, 300, |seq| seq < 250);
    assert_eq!(shell.stop_reason(), StopReason::Expired);
    assert!(shell.is_at_rest());
    let (_, hardest) = extremes(&told);
    assert!(hardest < 10.5, "{hardest} rad/s²");
    let moved_on = told[299].q_d[0] - told[100].q_d[0];
    assert!(
        (0.04..0.08).contains(&moved_on),
        "1 rad/s at 10 rad/s² takes 0.05 rad: {moved_on}"
    );
    assert_eq!(
        told[299].gripper.opening, 0.3,
        "what is held is not dropped"
    );

    let after = run(&mut shell, 301, 100, |_| true);
    assert!(
        after.iter().all(|command| command.q_d == told[299].q_d),
        "a stop latches"
    );
    let report = shell.report();
    assert!(report.ignored_while_stopped > 200, "{report:?}");
    assert_eq!((report.expiry_stops, report.expired_executed), (1, 0));
}

#[test]
fn a_short_loss_neither_freezes_nor_lurches() {
    let mut shell = shell();
    // 16 commands, 32 ms, are lost; their time to live is 50 ms.
    let told = run(&mut shell, 1, 300, |seq| !(250..266).contains(&seq));
    assert_eq!(shell.stop_reason(), StopReason::None);
    let (fastest, hardest) = extremes(&told);
    assert!(fastest < 1.5, "{fastest} rad/s");
    assert!(
        hardest < 10.0 * (1.0 + 1e-6),
        "{hardest} rad/s²; freezing and jumping would take 200 and more"
    );
    assert!(told[120].dq_d[0] > 0.5, "it goes on");
    // Caught up with the commands, which end at 1.000 s; the tick at 1.000 s is the 200th.
    let behind = ramp(1.0).0 - told[199].q_d[0];
    assert!(behind.abs() < 1e-3, "{behind} rad");
    let report = shell.report();
    assert_eq!((report.gaps, report.told_violations), (16, 0));
}

/// A controller that does not limit its gripper: the driver does.
#[test]
fn a_gripper_that_is_told_to_open_and_close_at_every_command_turns_a_few_times() {
    let mut shell = shell();
    let (mut last, mut way, mut turns) = (1.0, 0.0, 0);
    for seq in 0..1000 {
        let sent = seq * COMMAND_NANOS;
        let chatter = Message {
            gripper_opening: (seq % 2) as f64,
            ..message(seq, sent)
        };
        let now = Stamp::from_nanos(sent + 100_000);
        shell.receive(&received(&chatter, now));
        let opening = shell.next(now).0.gripper.opening;
        let moved = opening - last;
        if moved != 0.0 {
            turns += u32::from(moved * way < 0.0);
            (way, last) = (moved, opening);
        }
    }
    assert!(
        (10..=15).contains(&turns),
        "{turns} in 2 s, 6.25 per second and 2"
    );
    assert!(shell.report().gripper_held_back > 400);
}

#[test]
fn a_stop_command_stops_and_latches_until_a_new_epoch() {
    let mut shell = shell();
    run(&mut shell, 1, 100, |_| true);
    let sent = 100 * DT_NANOS;
    let stop = Message {
        mode: CommandMode::Stop,
        ..message(100_000, sent)
    };
    shell.receive(&received(&stop, Stamp::from_nanos(sent)));
    let told = run(&mut shell, 101, 100, |_| false);
    assert_eq!(shell.stop_reason(), StopReason::Requested);
    assert!(shell.is_at_rest());
    shell
        .arm(EPOCH + 1, &state(told[99].q_d[0]))
        .expect("this arm");
    assert_eq!(shell.stop_reason(), StopReason::NotArmed);
    let after = run(&mut shell, 201, 20, |_| true);
    assert!(
        after.iter().all(|command| command.q_d == told[99].q_d),
        "old epoch never moves it"
    );
    assert_eq!(shell.report().gate.wrong_epoch, 50);
}

/// Anybody may stop, with any number and without a setpoint: it must not look like a command out of line.
#[test]
fn a_stop_of_a_visitor_breaks_no_promise_of_those_who_command() {
    let mut shell = shell();
    run(&mut shell, 1, 100, |_| true);
    let sent = 100 * DT_NANOS;
    let before = shell.report();
    let stop = Message {
        mode: CommandMode::Stop,
        q_d: vec![0.0; N],
        dq_d: vec![0.0; N],
        ..message(0, sent)
    };
    shell.receive(&received(&stop, Stamp::from_nanos(sent)));
    run(&mut shell, 101, 20, |_| true);
    let after = shell.report();
    assert_eq!((after.requested_stops, after.told_violations), (1, 0));
    let faults = |report: &WireReport| (report.limit_violations, report.out_of_order, report.gaps);
    assert_eq!(faults(&after), faults(&before));
}

#[test]
fn a_command_far_from_the_arm_is_not_followed() {
    let mut shell = shell();
    let far = Message {
        q_d: vec![0.11, 0.0, 0.0],
        dq_d: vec![0.0; N],
        ..message(0, 0)
    };
    let fast = Message {
        dq_d: vec![0.0, 1e300, 0.0],
        ..message(1, 0)
    };
    shell.receive(&received(&far, Stamp::ZERO));
    shell.receive(&received(&fast, Stamp::ZERO));
    let (command, expires) = shell.next(Stamp::from_nanos(1_000_000));
    assert_eq!((command.q_d, expires), (state(0.0).q, None));
    assert_eq!(shell.report().jumps_refused, 2);
    assert_eq!(shell.stop_reason(), StopReason::NotArmed);
}

/// A session that begins 0.3 rad from where the arm stands never moves it, and says which joint it is.
#[test]
fn a_session_that_begins_far_from_the_arm_is_not_armed() {
    let mut shell = shell();
    for seq in 0..50 {
        let sent = seq * COMMAND_NANOS;
        let far = Message {
            q_d: vec![0.05, 0.3, -0.2],
            dq_d: vec![0.0; N],
            ..message(seq, sent)
        };
        shell.receive(&received(&far, Stamp::from_nanos(sent + 1000)));
        let (command, expires) = shell.next(Stamp::from_nanos(sent + 2000));
        assert_eq!((command.q_d, expires), (state(0.0).q, None));
    }
    assert_eq!(shell.stop_reason(), StopReason::NotArmed);
    assert_eq!(
        (shell.report().applied, shell.report().jumps_refused),
        (0, 50)
    );
    let error = shell.arm_error().expect("refused");
    assert!(matches!(error, ArmError::Distance { joint_idx: 1, distance, .. } if distance == 0.3));
    shell.arm(EPOCH + 1, &state(0.0)).expect("this arm");
    assert_eq!(shell.arm_error(), None);
}

/// Whoever moves the arm first in a session is the only one who does.
#[test]
fn two_controllers_never_move_one_arm_in_turns() {
    let mut shell = shell();
    for seq in 0..200 {
        let sent = seq * COMMAND_NANOS;
        let at = Stamp::from_nanos(sent + 1000);
        shell.receive(&received(&message(seq, sent), at));
        // The second one takes numbers ahead, so that order alone would let it win.
        let other = Received {
            sender: Some([2; 16]),
            ..received(&message(seq + 1000, sent), at)
        };
        shell.receive(&other);
        shell.next(at);
        assert_eq!(shell.newest(at).map(|(seq, _)| seq), Some(seq));
    }
    let gate = shell.report().gate;
    assert_eq!((gate.accepted, gate.other_sender), (200, 200));
}

#[test]
fn a_session_that_was_used_is_never_armed_again() {
    let mut shell = shell();
    run(&mut shell, 1, 20, |_| true);
    for epoch in [0, EPOCH - 1, EPOCH] {
        let again = shell.arm(epoch, &state(0.0));
        assert!(matches!(again, Err(ControlError::OldEpoch { spent, .. }) if spent == EPOCH));
        assert_eq!(shell.stop_reason(), StopReason::None, "it goes on");
    }
    shell.arm(EPOCH + 1, &state(0.0)).expect("a new one");
}

/// What breaks has to be seen to: asking for a session is not enough.
#[test]
fn a_fault_is_left_only_by_who_acknowledges_it() {
    let mut shell = shell();
    run(&mut shell, 1, 100, |_| true);
    shell.stop(StopReason::Fault);
    let told = run(&mut shell, 101, 100, |_| true);
    let here = state(told[99].q_d[0]);
    let refused = shell.arm(EPOCH + 1, &here).expect_err("at fault");
    assert!(refused.to_string().contains("acknowledges"), "{refused}");
    assert_eq!(shell.stop_reason(), StopReason::Fault);
    assert!(shell.fault().is_some() && !shell.is_acknowledged());
    shell.arm_acknowledging(EPOCH + 1, &here).expect("seen to");
    assert!(shell.fault().is_none() && shell.is_acknowledged());
    shell.arm(EPOCH + 2, &here).expect("nothing broke since");
    assert!(!shell.is_acknowledged());
}

/// 1e5 stops in one tick, of which each would do.
#[test]
fn a_flood_of_stops_stops() {
    let mut shell = shell();
    let told = run(&mut shell, 1, 100, |_| true);
    assert!(told[99].dq_d[0] > 0.9, "it moves");
    let sent = 100 * DT_NANOS;
    let stop = Message {
        mode: CommandMode::Stop,
        ..message(0, sent)
    };
    for _ in 0..100_000 {
        shell.receive(&received(&stop, Stamp::from_nanos(sent)));
    }
    let told = run(&mut shell, 101, 100, |_| true);
    assert!(told[0].dq_d[0] < 0.99, "brakes in the next tick");
    assert_eq!(shell.stop_reason(), StopReason::Requested);
    assert!(shell.is_at_rest());
    let report = shell.report();
    assert_eq!((report.requested_stops, report.told_violations), (1, 0));
}

/// Setpoints that walk faster than the arm may, and past its limits.
#[test]
fn commands_beyond_the_limits_are_followed_only_as_far_as_the_limits_allow() {
    for (step, from) in [(0.09, 0.0), (-0.09, 0.0), (0.02, 2.5)] {
        let mut shell = shell();
        shell.arm(EPOCH + 1, &state(from)).expect("this arm");
        let mut told = Vec::new();
        for k in 0..400_u64 {
            let now = Stamp::from_nanos((k + 1) * DT_NANOS);
            let walking = Message {
                epoch: EPOCH + 1,
                stamp_nanos: now.as_nanos(),
                q_d: vec![from + step * (k + 1) as f64; N],
                dq_d: vec![0.0; N],
                ..message(k, now.as_nanos())
            };
            shell.receive(&received(&walking, now));
            told.push(shell.next(now).0);
        }
        let (fastest, hardest) = extremes(&told);
        assert!(
            fastest <= 2.5 && hardest < 10.0 * (1.0 + 1e-6),
            "{fastest} {hardest}"
        );
        assert!(told.iter().all(|command| command.q_d[0].abs() <= 2.8));
        let report = shell.report();
        assert!(
            report.limit_violations > 0 && report.held_back > 0,
            "{report:?}"
        );
        assert_eq!(report.told_violations, 0);
        assert!(told[399].dq_d[0] == 0.0, "refused as jumps, they expire");
    }
}

/// The wire is cut while the arm heads for a limit as fast as it may.
#[test]
fn the_stop_ends_inside_the_position_limit_wherever_the_wire_is_cut() {
    for cut in 60..110 {
        let mut shell = shell();
        shell.arm(EPOCH + 1, &state(2.0)).expect("this arm");
        let mut told = Vec::new();
        for k in 0..300_u64 {
            let now = Stamp::from_nanos((k + 1) * DT_NANOS);
            let t = (k + 1) as f64 * 5e-3;
            // 4 rad/s² for half the way, then -4 rad/s² onto the limit: 0.8 rad in 0.894 s.
            let turn = 0.2_f64.sqrt();
            let (q, dq) = if t < turn {
                (2.0 + 2.0 * t * t, 4.0 * t)
            } else {
                let left = (2.0 * turn - t).max(0.0);
                (2.8 - 1e-6 - 2.0 * left * left, 4.0 * left)
            };
            let command = Message {
                epoch: EPOCH + 1,
                stamp_nanos: now.as_nanos(),
                q_d: vec![q; N],
                dq_d: vec![dq; N],
                ..message(k, now.as_nanos())
            };
            if k < cut {
                shell.receive(&received(&command, now));
            }
            told.push(shell.next(now).0);
        }
        assert_eq!(shell.stop_reason(), StopReason::Expired);
        assert!(shell.is_at_rest());
        assert!(
            told.iter().all(|command| command.q_d[0] <= 2.8),
            "cut at {cut}"
        );
        assert_eq!(shell.report().told_violations, 0, "cut at {cut}");
    }
}

#[test]
fn an_accepted_command_that_waits_too_long_is_not_executed() {
    let mut shell = shell();
    shell.receive(&received(&message(0, 0), Stamp::from_nanos(1_000_000)));
    let (_, expires) = shell.next(Stamp::from_nanos(50_000_000));
    assert_eq!(expires, None);
    let report = shell.report();
    assert_eq!(
        (report.expired_unused, report.applied, report.expiry_stops),
        (1, 0, 1)
    );
}

#[test]
fn junk_is_counted_and_moves_nothing() {
    let mut shell = shell();
    for bad in [f64::NAN, f64::INFINITY] {
        let junk = Message {
            q_d: vec![bad; N],
            ..message(0, 0)
        };
        shell.receive(&received(&junk, Stamp::ZERO));
    }
    assert_eq!(shell.next(Stamp::ZERO).0.q_d, state(0.0).q);
    let report = shell.report();
    assert_eq!(
        (report.non_finite, report.gate.non_finite, report.applied),
        (2, 2, 0)
    );
}

#[test]
fn an_execution_after_expiry_would_be_counted() {
    let mut shell = shell();
    shell.executed(Stamp::from_nanos(10), Stamp::from_nanos(10));
    assert_eq!(shell.report().expired_executed, 1);
}

/// An arm that fails on its third command.
struct Frail(u32);

#[derive(Debug, thiserror::Error)]
#[error("the cable came off")]
struct CableOff;

impl Plant for Frail {
    type Error = CableOff;
    fn read(&mut self) -> Result<RobotState, CableOff> {
        Ok(state(0.0))
    }
    fn write(&mut self, _: &JointCommand) -> Result<(), CableOff> {
        self.0 += 1;
        if self.0 == 3 { Err(CableOff) } else { Ok(()) }
    }
}

#[test]
fn a_fault_of_the_arm_stops_and_latches() {
    let (mut shell, mut arm) = (shell(), Frail(0));
    for seq in 0..5 {
        let now = Stamp::now();
        let mut command = message(seq, now.as_nanos());
        command.q_d = vec![0.0; N];
        command.dq_d = vec![0.0; N];
        shell.receive(&received(&command, now));
        assert_eq!(tick(&mut shell, &mut arm).is_err(), seq == 2);
    }
    assert_eq!(shell.stop_reason(), StopReason::Fault);
    let report = shell.report();
    assert_eq!((report.applied, report.ignored_while_stopped), (3, 2));
    assert_eq!(report.expired_executed, 0);
}

proptest! {
    #[test]
    fn whatever_is_lost_the_arm_stays_calm_and_ends_at_rest(
        kept in proptest::collection::vec(any::<bool>(), 500),
        share in 1..5_usize,
    ) {
        let mut shell = shell();
        // Of every 20 commands, 40 ms, `share` pass for sure and the others by chance.
        let told = run(&mut shell, 1, 300, |seq| {
            seq < 500 && (seq as usize % 20 < share || kept[seq as usize])
        });
        let (fastest, hardest) = extremes(&told);
        prop_assert!(fastest < 1.6, "{fastest} rad/s");
        prop_assert!(hardest < 10.0 * (1.0 + 1e-6), "{hardest} rad/s²");
        prop_assert!(shell.is_at_rest());
        prop_assert_eq!(shell.stop_reason(), StopReason::Expired);
        let report = shell.report();
        prop_assert_eq!((report.expired_executed, report.expiry_stops), (0, 1));
        prop_assert_eq!(report.told_violations, 0);
    }
}
