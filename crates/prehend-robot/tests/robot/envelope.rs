//! Speed limits that depend on the position, against the maker's formula and numbers.

use crate::{fr3, shipped};

/// FR3, libfranka's test URDF: offset [rad/s], deceleration [rad/s²].
const PUBLISHED: [(f64, f64); 7] = [
    (0.30, 6.0),
    (0.20, 2.585),
    (0.20, 3.5),
    (0.30, 4.0),
    (0.35, 17.0),
    (0.35, 5.5),
    (0.35, 17.0),
];
/// Of all joints, rad/s².
const MAX_ACCELERATION: f64 = 10.0;
const MAX_SPEED: [f64; 7] = [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26];

/// The formula as it is published, for one direction.
fn towards_stop(max_speed: f64, offset: f64, deceleration: f64, distance: f64) -> f64 {
    max_speed.min(0.0_f64.max(-offset + 0.0_f64.max(2.0 * deceleration * distance).sqrt()))
}

/// Positions from one stop to the other, both included.
fn sweep(min: f64, max: f64) -> impl Iterator<Item = f64> {
    (0..=1000).map(move |k| min + (max - min) * f64::from(k) / 1000.0)
}

#[test]
fn the_fr3s_speeds_are_those_of_the_formula() {
    let robot = fr3();
    let limits = robot.limits();
    for (joint_idx, (offset, published)) in PUBLISHED.into_iter().enumerate() {
        let deceleration = published.min(0.9 * MAX_ACCELERATION);
        let (min, max) = (limits.q_min[joint_idx], limits.q_max[joint_idx]);
        for q in sweep(min, max) {
            let (down, up) = limits.velocity_range(joint_idx, q);
            let speed = |distance: f64, deceleration: f64| {
                towards_stop(MAX_SPEED[joint_idx], offset, deceleration, distance)
            };
            assert!(
                (up - speed(max - q, deceleration)).abs() < 1e-12,
                "{joint_idx} {q}"
            );
            assert!(
                (-down - speed(q - min, deceleration)).abs() < 1e-12,
                "{joint_idx} {q}"
            );
            // Nowhere faster than the maker allows.
            assert!(up <= speed(max - q, published) + 1e-12, "{joint_idx} {q}");
            assert!(
                -down <= speed(q - min, published) + 1e-12,
                "{joint_idx} {q}"
            );
        }
    }
}

#[test]
fn full_speed_needs_room_to_brake() {
    // (dq_max + offset)² / (2 deceleration). With the published 17 rad/s² joints 5 and 7 would need only
    // 0.93 rad, but they can brake with 10.
    let room = [0.71, 1.54, 1.14, 1.07, 1.75, 1.87, 1.75];
    let robot = fr3();
    let limits = robot.limits();
    for (joint_idx, room) in room.into_iter().enumerate() {
        let up = |distance: f64| {
            limits
                .velocity_range(joint_idx, limits.q_max[joint_idx] - distance)
                .1
        };
        assert_eq!(up(room + 0.01), MAX_SPEED[joint_idx], "joint {joint_idx}");
        assert!(up(room - 0.01) < MAX_SPEED[joint_idx], "joint {joint_idx}");
    }
}

#[test]
fn speed_ends_before_the_stop() {
    let robot = fr3();
    let limits = robot.limits();
    for (joint_idx, (offset, published)) in PUBLISHED.into_iter().enumerate() {
        let deceleration = published.min(0.9 * MAX_ACCELERATION);
        let margin = offset * offset / (2.0 * deceleration);
        let (min, max) = (limits.q_min[joint_idx], limits.q_max[joint_idx]);
        assert_eq!(limits.velocity_range(joint_idx, max - 0.99 * margin).1, 0.0);
        assert!(limits.velocity_range(joint_idx, max - 1.01 * margin).1 > 0.0);
        assert_eq!(
            limits.velocity_range(joint_idx, min + 0.99 * margin).0,
            -0.0
        );
        assert!(limits.velocity_range(joint_idx, min + 1.01 * margin).0 < 0.0);
    }
}

#[test]
fn the_panda_brakes_with_what_each_joint_has() {
    // Its maker gives no envelope: 0.9 of 15, 7.5, 10, 12.5, 15, 20, 20 rad/s², no offset.
    let robot = shipped("panda");
    let limits = robot.limits();
    for (joint_idx, ddq) in [15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]
        .into_iter()
        .enumerate()
    {
        let (min, max) = (limits.q_min[joint_idx], limits.q_max[joint_idx]);
        let max_speed = limits.dq_max[joint_idx];
        for q in sweep(min, max) {
            let (down, up) = limits.velocity_range(joint_idx, q);
            assert!((up - towards_stop(max_speed, 0.0, 0.9 * ddq, max - q)).abs() < 1e-12);
            assert!((-down - towards_stop(max_speed, 0.0, 0.9 * ddq, q - min)).abs() < 1e-12);
        }
    }
}
