//! The limiter against adversaries, on every robot that ships.

use std::sync::Arc;

use prehend_control::trial::{self, Adversary, Outcome, Trial};
use prehend_control::{Follower, JointBounds, LimitReason, joint_bounds};
use prehend_robot::Robot;
use prehend_types::{JointAccelerations, JointPositions, JointVelocities};

use crate::rig::fr3;

const ROBOTS: [&str; 6] = ["fr3", "panda", "ur5e", "xarm6", "xarm7", "so101"];

fn bounds_of(name: &str) -> Vec<JointBounds> {
    let folder = prehend_types::config::locate(format!("robots/{name}"));
    let robot = Robot::load(&folder.expect("it ships")).expect("it loads");
    let bounds = joint_bounds(&robot).expect("valid limits");
    bounds[..robot.n_joints()].to_vec()
}

#[test]
fn no_adversary_breaks_a_limit_or_leaves_a_motion_that_cannot_stop() {
    for (robot_idx, name) in ROBOTS.into_iter().enumerate() {
        let bounds = bounds_of(name);
        let mut all = Outcome::default();
        for run in 0..24 {
            let adversary = Adversary::drawn(1000 * robot_idx as u64 + run);
            let outcome = trial::run(&Trial {
                bounds: &bounds,
                adversary,
                ticks: 1_500,
                look_every: 1,
            })
            .expect("valid limits");
            assert_eq!(
                outcome.findings.violations(),
                0,
                "{name}, {adversary:?}: {:?}",
                outcome.findings
            );
            all.add(&outcome);
        }
        let found = all.findings;
        assert!(
            found.stops > 100_000 && all.starts_outside > 3,
            "{name}: {all:?}"
        );
        for share in found.worst_share {
            assert!(share > 0.99, "{name}: the limits are reached: {found:?}");
        }
        assert!(
            found.least_slack.expect("looked") < 1e-3,
            "{name}: {found:?}"
        );
    }
}

#[test]
fn climbing_adversaries_find_nothing_either() {
    for (seed, name) in ROBOTS.into_iter().enumerate() {
        let outcome = trial::climb(&bounds_of(name), seed as u64, 12, 800).expect("valid limits");
        assert_eq!(outcome.findings.violations(), 0, "{name}: {outcome:?}");
    }
}

fn follower(bounds: &[JointBounds], dt: f64, q: &[f64], dq: &[f64]) -> Follower {
    let q = JointPositions::from_slice(q).expect("fits");
    let dq = JointVelocities::from_slice(dq).expect("fits");
    let ddq = JointAccelerations::zeros(q.len()).expect("fits");
    Follower::new(bounds, dt, &q, &dq, &ddq).expect("plausible")
}

/// FR3's published envelope of joints 5 and 7 decelerates with 17 rad/s², the joints brake with 10: whoever
/// rides it at 5.26 rad/s towards the stop must have begun to brake long before.
#[test]
fn the_fr3s_envelope_is_ridden_down_within_its_own_acceleration() {
    let robot: Arc<Robot> = fr3();
    let bounds = bounds_of("fr3");
    for joint_idx in [4, 6] {
        let limit = bounds[joint_idx];
        for (rate_hz, way) in [(1000.0, 1.0), (1000.0, -1.0), (100.0, 1.0), (30.0, 1.0)] {
            let dt = 1.0 / rate_hz;
            let mut q = *robot.home();
            q[joint_idx] = -way * 1.2;
            let still = JointVelocities::zeros(7).expect("seven");
            let mut arm = follower(&bounds, dt, &q, &still);
            let (mut fastest, mut envelope) = (0.0_f64, 0);
            let (mut v1, mut a1) = (0.0, 0.0);
            for _ in 0..(6.0 * rate_hz) as usize {
                let mut dq_d = still;
                dq_d[joint_idx] = way * 5.26;
                let mut q_d = *arm.q();
                q_d[joint_idx] += dq_d[joint_idx] * dt;
                arm.follow(&q_d, &dq_d);
                envelope += u32::from(arm.limited().contains(LimitReason::Envelope));
                let (q, v) = (arm.q()[joint_idx], arm.dq()[joint_idx]);
                let a = (v - v1) / dt;
                let (low, high) = robot.limits().velocity_range(joint_idx, q);
                assert!(v >= low - 1e-9 && v <= high + 1e-9, "{q} rad: {v} rad/s");
                assert!(a.abs() <= 10.0 + 1e-6, "{q} rad: {a} rad/s²");
                assert!((a - a1).abs() <= 5000.0 * dt * (1.0 + 1e-9), "{q} rad");
                (v1, a1) = (v, a);
                fastest = fastest.max(v.abs());
            }
            assert!(fastest > 5.2, "it was fast: {fastest}");
            assert!(envelope > 10, "and the envelope was what slowed it down");
            let left = limit.upper - way * arm.q()[joint_idx];
            // Speed is zero from offset²/2D = 6.8 mrad before the stop.
            assert!(left > 0.0 && left < 0.05, "{rate_hz} Hz: {left} rad left");
        }
    }
}

#[test]
fn from_outside_a_joint_only_comes_in() {
    let bounds = bounds_of("panda");
    for by in [0.005, 0.05] {
        let q: Vec<f64> = bounds.iter().map(|bounds| bounds.upper + by).collect();
        let mut arm = follower(&bounds, 0.001, &q, &vec![0.0; q.len()]);
        let further = arm.q().map(|q| q + 1.0);
        let still = *arm.dq();
        for _ in 0..100 {
            assert!(!arm.follow(&further, &still));
            assert!(arm.limited().contains(LimitReason::Position));
            assert!(arm.is_at_rest(), "outward is not allowed");
        }
        let inward = arm.q().map(|q| q - 0.2);
        for _ in 0..3_000 {
            let before = *arm.q();
            arm.follow(&inward, &still);
            for (joint_idx, bounds) in bounds.iter().enumerate() {
                let (before, now) = (before[joint_idx], arm.q()[joint_idx]);
                assert!(now <= before || before < bounds.upper, "{before} {now}");
            }
        }
        assert!(
            arm.q()
                .iter()
                .zip(&bounds)
                .all(|(q, bounds)| *q < bounds.upper)
        );
    }
}

#[test]
fn setpoints_that_are_no_numbers_brake_the_arm_and_are_noted() {
    let bounds = bounds_of("ur5e");
    let q = vec![0.0; bounds.len()];
    let mut arm = follower(&bounds, 0.002, &q, &vec![1.0; q.len()]);
    let mut last = arm.dq()[0];
    while !arm.is_at_rest() {
        let odd = arm.q().map(|_| f64::NAN);
        let dq = *arm.dq();
        assert!(!arm.follow(&odd, &dq));
        assert!(arm.limited().contains(LimitReason::NonFinite));
        assert!(arm.dq()[0] <= last);
        last = arm.dq()[0];
    }
}

#[test]
fn limits_that_nobody_could_use_leave_the_old_ones_in_force() {
    let bounds = bounds_of("so101");
    let q = vec![0.0; bounds.len()];
    let mut arm = follower(&bounds, 0.02, &q, &vec![0.0; q.len()]);
    assert!(arm.set_bounds(&bounds[1..]).is_err());
    let mut bad = bounds.clone();
    bad[2].max_jerk = f64::NAN;
    assert!(arm.set_bounds(&bad).is_err());
    let (far, still) = (arm.q().map(|_| 0.5), *arm.dq());
    for _ in 0..200 {
        arm.follow(&far, &still);
    }
    assert!((arm.q()[2] - 0.5).abs() < 0.1, "it still goes there");
}
