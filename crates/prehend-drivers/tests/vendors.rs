//! The whole stack against the vendors' own rules: nothing that a controller would have to interfere with is
//! ever sent, what the link loses is bridged or ends in a stop, and each of these judges can say no.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prehend_drivers::DriverError;
use prehend_drivers::vendor::{
    Abort, Axes, ControllerType, Decision, Fault, Findings, Franka, FrankaTable, Ignored, Kind,
    Mismatch, Rig, RigConfig, Rules, Setpoint, So101, Ur, XArm,
};
use prehend_link::messages::StopReason;
use prehend_robot::Robot;
use prehend_types::{JointPositions, Stamp};

const LOST: &str = "communication_constraints_violation";

fn robot(name: &str) -> Arc<Robot> {
    let folder =
        prehend_types::config::locate(Path::new(&format!("robots/{name}"))).expect("shipped");
    Arc::new(Robot::load(&folder).expect("loads"))
}

fn rig(kind: Kind, config: RigConfig, seed: u64) -> Rig {
    Rig::new(kind, &robot(kind.robot()), config, seed).expect("the robot belongs to it")
}

fn ran(kind: Kind, ticks: u64) -> Findings {
    let mut rig = rig(kind, RigConfig::default(), 7);
    rig.run(ticks);
    let found = rig.findings();
    assert!(found.way > 5.0, "it moves: {kind:?} {found:?}");
    assert!(
        found.followed > 0 && found.told_violations == 0,
        "{kind:?} {found:?}"
    );
    found
}

/// Keeps going until the arm moves at speed.
fn moving(kind: Kind, config: RigConfig, seed: u64) -> Rig {
    let mut rig = rig(kind, config, seed);
    for _ in 0..20_000 {
        rig.tick(Fault::None);
        let dq = rig.rules_mut().motion().dq;
        if dq.iter().any(|dq| dq.abs() > 0.3) && rig.findings().ticks.is_multiple_of(20) {
            return rig;
        }
    }
    panic!("{kind:?} never moves");
}

fn alone() -> RigConfig {
    RigConfig {
        has_operator: false,
        ..RigConfig::default()
    }
}

#[test]
fn no_vendor_ever_interferes() {
    for kind in Kind::ALL {
        let found = ran(kind, 30_000);
        // Stops of our own driver are none of the vendor's: the bench counts them.
        assert_eq!(
            (found.aborts, found.dropped(), found.extrapolated),
            (0, 0, 0),
            "{kind:?} {found:?}"
        );
        assert!(found.fastest_point < 20.0, "{kind:?} {found:?}");
    }
}

#[test]
fn a_step_of_a_setpoint_is_seen_by_every_vendor_that_judges_it() {
    for kind in Kind::ALL {
        let mut rig = rig(kind, RigConfig::default(), 3);
        rig.run(100);
        for _ in 0..40 {
            rig.tick(Fault::Step(0.1));
        }
        let found = rig.findings();
        // A servo's bus judges nothing; that the point was far is seen by the rig.
        let is_far = found.fastest_point > 3.2;
        assert!(
            found.interference() > 0 || (kind == Kind::So101 && is_far),
            "{kind:?} {found:?}"
        );
    }
}

#[test]
fn points_at_1_khz_are_lost_on_an_xarm_and_on_a_servo_bus() {
    for kind in [Kind::XArm6, Kind::XArm7, Kind::So101] {
        let config = RigConfig {
            point_period: Some(Duration::from_millis(1)),
            ..RigConfig::default()
        };
        let mut rig = rig(kind, config, 5);
        rig.run(4_000);
        let found = rig.findings();
        assert!(found.lost > 1_000, "{kind:?} {found:?}");
        assert!(found.interference() >= found.lost, "{kind:?} {found:?}");
    }
}

#[test]
fn another_arm_than_the_description_is_refused() {
    let fr3 = robot("fr3");
    let panda = robot("panda");
    let rules = |kind: Kind, robot: &Robot| kind.rules(robot.home(), 0).expect("joints fit");
    for (rules, robot) in [
        (rules(Kind::Fer, &fr3), &fr3),
        (rules(Kind::Fr3, &panda), &panda),
    ] {
        let refused = Rig::with_rules(rules, robot, RigConfig::default(), 0);
        assert!(
            matches!(refused, Err(DriverError::Arm(Mismatch::Model { .. }))),
            "{refused:?}"
        );
    }
    let xarm7 = robot("xarm7");
    let mirrored = XArm::new(Axes::Seven, ControllerType::X3, xarm7.home()).expect("7 joints");
    let refused = Rig::with_rules(Box::new(mirrored), &xarm7, RigConfig::default(), 0);
    match refused {
        Err(DriverError::Arm(Mismatch::Range { joint_idx: 3, .. })) => {}
        other => panic!("joint 4 is mirrored: {other:?}"),
    }
    let six = XArm::new(Axes::Six, ControllerType::X4, xarm7.home());
    assert!(matches!(six, Err(Mismatch::JointCount { .. })), "{six:?}");
}

#[test]
fn franka_bridges_20_lost_points_and_stops_at_the_next() {
    for (seed, kind) in [(11, Kind::Fr3), (12, Kind::Fr3Docs2026), (13, Kind::Fer)] {
        for burst in 1..=25 {
            let mut rig = moving(kind, alone(), seed);
            rig.lose_points(burst);
            let after = rig.findings();
            rig.run(200);
            let found = rig.findings();
            if burst <= 20 {
                assert_eq!(found.aborts, 0, "{kind:?} {burst}: {found:?}");
                assert_eq!(after.extrapolated, u64::from(burst), "{found:?}");
            } else {
                let reason = after.first_abort.map(|(_, abort)| abort.reason);
                assert_eq!(reason, Some(LOST), "{kind:?} {burst}: {found:?}");
                assert_eq!(after.extrapolated, 20);
            }
        }
    }
}

#[test]
fn ur_stops_at_its_time_out_and_stays_stopped() {
    for burst in 1..=25 {
        let mut rig = moving(Kind::Ur5e, alone(), 21);
        rig.lose_points(burst);
        let aborts = rig.findings().aborts;
        assert_eq!(aborts, u64::from(burst >= 10), "{burst} points of 2 ms");
        rig.run(2_000);
        assert_eq!(rig.findings().aborts, aborts, "{burst}");
        assert_eq!(rig.rules_mut().aborted().is_some(), burst >= 10);
        if burst >= 10 {
            assert!(rig.rules_mut().motion().is_at_rest());
            assert_eq!(rig.shell().stop_reason(), StopReason::Fault);
        }
    }
}

#[test]
fn ur_takes_the_time_out_of_the_message_up_to_200_ms() {
    let home = *robot("ur5e").home();
    let at = |tick: u64| Stamp::from_nanos(1_000_000_000 + tick * 2_000_000);
    for (millis, ends) in [
        (None, 10),
        (Some(10), 5),
        (Some(100), 50),
        (Some(5_000), 100),
    ] {
        let mut ur = Ur::ur5e(&home).expect("6 joints");
        let point = Setpoint {
            q: home,
            valid_for: millis.map(Duration::from_millis),
        };
        assert_eq!(ur.step(at(0), Some(&point)), Decision::Follow);
        let end = (1..200).find(|tick| ur.step(at(*tick), None) != Decision::Extrapolate);
        assert_eq!(end, Some(ends), "{millis:?}");
        assert!(ur.aborted().is_some());
        let late = ur.step(at(300), Some(&point));
        assert_eq!(late, Decision::Ignore(Ignored::Stopped), "it latches");
    }
}

#[test]
fn ur_ignores_what_needs_more_than_20_rad_per_s_and_brakes_with_4() {
    let home = *robot("ur5e").home();
    let at = |tick: u64| Stamp::from_nanos(tick * 2_000_000);
    let mut ur = Ur::ur5e(&home).expect("6 joints");
    let point = |q0: f64| {
        let mut q = home;
        q[0] += q0;
        Setpoint { q, valid_for: None }
    };
    assert_eq!(
        ur.step(at(1), Some(&point(0.041))),
        Decision::Ignore(Ignored::TooFast)
    );
    assert_eq!(
        ur.step(at(2), Some(&point(f64::NAN))),
        Decision::Ignore(Ignored::TooFast)
    );
    assert_eq!(
        ur.step(at(3), Some(&point(0.002))),
        Decision::Follow,
        "1 rad/s"
    );
    let ticks = (4..1_000).find(|tick| {
        ur.step(at(*tick), None);
        ur.motion().is_at_rest()
    });
    // 20 ms, and 1 rad/s at 4 rad/s² in 250 ms; rounding may leave a rest for one tick more.
    let expected = 3 + 10 + 125;
    assert!(
        ticks.is_some_and(|ticks| ticks == expected || ticks == expected + 1),
        "{ticks:?}"
    );
}

#[test]
fn franka_tells_what_was_broken() {
    let fr3 = robot("fr3");
    let first = |offset: f64| {
        let mut franka = Franka::new(FrankaTable::FR3_LIBFRANKA, fr3.home()).expect("7 joints");
        let mut q = *fr3.home();
        q[2] += offset;
        match franka.step(Stamp::ZERO, Some(&Setpoint { q, valid_for: None })) {
            Decision::Abort(Abort { reason, joint_idx }) => (reason, joint_idx),
            other => panic!("{other:?}"),
        }
    };
    let named = |reason| (reason, Some(2));
    let start = "joint_position_motion_generator_start_pose_invalid";
    assert_eq!(first(0.1), named(start));
    let velocity = "joint_motion_generator_velocity_discontinuity";
    assert_eq!(first(1.1e-5), named(velocity), "11 rad/s²");
    let acceleration = "joint_motion_generator_acceleration_discontinuity";
    assert_eq!(first(6e-6), named(acceleration), "6 rad/s² in one tick");
}

#[test]
fn when_the_controller_goes_silent_the_driver_brakes_and_no_vendor_notices() {
    for kind in Kind::ALL {
        for burst in [1, 5, 20, 25, 3_000] {
            let mut rig = moving(kind, alone(), 31);
            for _ in 0..burst {
                rig.tick(Fault::CommandLost);
            }
            let found = rig.findings();
            let dropped = [
                found.lost,
                found.too_fast,
                found.distant,
                found.extrapolated,
            ];
            assert_eq!((found.aborts, dropped), (0, [0; 4]), "{kind:?} {burst}");
            assert_eq!(found.told_violations, 0, "{kind:?} {burst}");
            assert_eq!(rig.shell().is_latched(), burst > 100, "{kind:?} {burst}");
            if burst > 100 {
                assert!(rig.shell().is_at_rest() && rig.rules_mut().motion().is_at_rest());
                assert_eq!(rig.shell().stop_reason(), StopReason::Expired);
            }
        }
    }
}

#[test]
fn a_collision_stops_everything_until_it_is_armed_anew() {
    for kind in Kind::ALL {
        let mut rig = moving(kind, alone(), 41);
        rig.rules_mut().collide();
        rig.run(3_000);
        assert!(rig.rules_mut().motion().is_at_rest(), "{kind:?}");
        assert_eq!(rig.shell().stop_reason(), StopReason::Fault, "{kind:?}");
        let way = rig.findings().way;
        // Neither the vendor's side nor the controller's alone moves the arm again.
        assert!(rig.rearm_controller(), "{kind:?}");
        rig.run(1_000);
        assert_eq!(rig.findings().way, way, "{kind:?} moved on old commands");
        assert!(rig.rearm(), "{kind:?}");
        rig.run(3_000);
        assert!(rig.findings().way > way + 0.05, "{kind:?} moves again");
        assert_eq!(rig.findings().aborts, 1, "{kind:?}");
    }
}

#[test]
fn the_arm_recovered_at_its_panel_alone_does_not_move() {
    for kind in Kind::ALL {
        let mut rig = moving(kind, alone(), 43);
        rig.rules_mut().collide();
        rig.run(3_000);
        let way = rig.findings().way;
        assert!(rig.rules_mut().recover(), "{kind:?}");
        rig.run(1_000);
        assert!(rig.shell().is_latched(), "{kind:?}");
        assert_eq!(rig.findings().way, way, "{kind:?} moved by itself");
    }
}

#[test]
fn corrupt_packets_of_a_servo_bus_never_end_the_loop() {
    let found = ran(Kind::So101, 60_000);
    assert_eq!((found.aborts, found.rearmed), (0, 0), "{found:?}");
    let home = *robot("so101").home();
    let mut bus = So101::new(&home, 1).expect("5 joints");
    let point = Setpoint {
        q: home,
        valid_for: None,
    };
    let mut unread = 0;
    for cycle in 0..100_000_u64 {
        let decision = bus.step(Stamp::from_nanos(cycle * 20_000_000), Some(&point));
        assert_eq!(decision, Decision::Follow);
        unread += u64::from(!bus.is_readable());
    }
    let [corrupt, failed] = bus.bus();
    // Of 5 e5 reads one in 50 is corrupt, one in 125,000 three times in a row.
    assert!((9_000..11_500).contains(&corrupt), "{corrupt}");
    assert!(
        (1..20).contains(&failed) && unread <= failed,
        "{failed} {unread}"
    );
}

#[test]
fn an_overloaded_servo_is_named_and_stops_the_arm() {
    let so101 = robot("so101");
    let mut bus = So101::new(so101.home(), 1).expect("5 joints");
    bus.overload(2);
    let abort = bus.aborted().expect("its torque is off");
    assert_eq!(abort.joint_idx, Some(2));
    let mut rig = Rig::with_rules(Box::new(bus), &so101, alone(), 1).expect("its robot");
    rig.run(500);
    assert_eq!(rig.shell().stop_reason(), StopReason::Fault);
    assert_eq!(rig.findings().way, 0.0);
}

#[test]
fn setpoints_for_another_number_of_joints_are_never_followed() {
    for kind in Kind::ALL {
        let robot = robot(kind.robot());
        for n_joints in (0..=8).filter(|n| *n != robot.n_joints()) {
            let mut rules = kind.rules(robot.home(), 1).expect("its own robot");
            let setpoint = Setpoint {
                q: JointPositions::zeros(n_joints).expect("at most eight"),
                valid_for: None,
            };
            let (mut now, still) = (Stamp::from_nanos(1_000_000_000), *rules.motion());
            for _ in 0..50 {
                now = now.after(rules.tick());
                let decision = rules.step(now, Some(&setpoint));
                assert_ne!(decision, Decision::Follow, "{kind:?}, {n_joints} joints");
            }
            assert_eq!(rules.motion().q, still.q, "{kind:?}, {n_joints} joints");
        }
    }
}
