//! What holds for every robot in `robots/`, also for the next one.

use std::fs;

use nalgebra::{Point3, Vector3};
use prehend_robot::import::{self, ImportOptions};
use prehend_robot::{IkOptions, Link, LinkShape, Motion, Part, Robot};
use prehend_types::{JointPositions, Pose};

use crate::{random_q, robots_folder, shipped};

/// Every folder there but `grippers`.
fn all() -> Vec<Robot> {
    let entries = fs::read_dir(robots_folder()).expect("robots/");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.into_string().expect("plain"))
        .filter(|name| name != "grippers")
        .collect();
    names.sort();
    assert_eq!(names, ["fr3", "panda", "so101", "ur5e", "xarm6", "xarm7"]);
    names.iter().map(|name| shipped(name)).collect()
}

#[test]
fn every_robot_is_named_as_its_folder() {
    for robot in all() {
        assert!(
            robots_folder().join(robot.name()).exists(),
            "{}",
            robot.name()
        );
    }
}

#[test]
fn masses_are_the_published_ones() {
    // Arms without hands, kg.
    let published = [
        ("fr3", 17.89),
        ("panda", 16.18),
        ("ur5e", 4.0 + 3.761 + 8.058 + 2.846 + 1.37 + 1.3 + 0.365),
        ("xarm6", 2.7 + 9.35),
        ("xarm7", 2.7 + 10.43),
        ("so101", 0.147 + 0.100006 + 0.103 + 0.104 + 0.079),
    ];
    for (name, expected) in published {
        let robot = shipped(name);
        let arm = robot.links().iter().filter(|link| link.part == Part::Arm);
        let mass: f64 = arm.map(|link| link.inertial.mass).sum();
        assert!((mass - expected).abs() < 0.01, "{name}: {mass} {expected}");
    }
}

#[test]
fn inertias_are_those_of_bodies() {
    for robot in all() {
        for link in robot.links().iter().filter(|link| link.inertial.mass > 0.0) {
            let mut moments = link.inertial.inertia.symmetric_eigenvalues();
            moments.as_mut_slice().sort_by(f64::total_cmp);
            let place = format!("{} {}: {moments:?}", robot.name(), link.name);
            assert!(moments[0] > 0.0, "{place}");
            let sum = moments[0] + moments[1];
            assert!(moments[2] <= sum * (1.0 + 1e-3), "{place}");
        }
    }
}

#[test]
fn the_pandas_link_4_is_the_published_one_repaired() {
    let shipped_folder = robots_folder().join("panda");
    let text = fs::read_to_string(shipped_folder.join("robot.urdf")).expect("shipped");
    let shipped = shipped("panda");
    let start = text.find(r#"<link name="panda_link4">"#).expect("link 4");
    let from = start + text[start..].find("<inertia ").expect("its inertia");
    let to = from + text[from..].find("/>").expect("its end");
    let published = r#"<inertia ixx="0.00784586" ixy="-0.00339592" ixz="0.00158704" iyy="0.00649543" iyz="-0.00181478" izz="0.01003080""#;
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("robot.urdf");
    fs::write(&path, text[..from].to_owned() + published + &text[to..]).expect("temporary file");
    let toml = shipped_folder.join("robot.toml");
    fs::copy(toml, folder.path().join("robot.toml")).expect("temporary file");

    let refused = Robot::load(folder.path()).expect_err("no body is like that");
    let said = refused.to_string();
    assert!(
        said.contains("panda_link4") && said.contains("not physical"),
        "{said}"
    );

    let options = ImportOptions {
        repair_inertias: true,
        ..ImportOptions::default()
    };
    let imported = import::load(&path, &options).expect("repaired");
    let link =
        |robot: &Robot| robot.links()[robot.link_idx("panda_link4").expect("link 4")].inertial;
    let difference = link(&imported.robot).inertia - link(&shipped).inertia;
    assert!(difference.amax() < 1e-8, "{difference}");
}

#[test]
fn home_is_inside_the_limits_with_room_to_move() {
    for robot in all() {
        let limits = robot.limits();
        assert!(limits.contains(robot.home()), "{}", robot.name());
        for (joint_idx, q) in robot.home().iter().enumerate() {
            let (down, up) = limits.velocity_range(joint_idx, *q);
            assert!(
                down < -0.1 && up > 0.1,
                "{} joint {joint_idx}",
                robot.name()
            );
        }
    }
}

/// How many arm joints move a link.
fn n_moving(links: &[Link], mut link_idx: usize) -> usize {
    let mut count = 0;
    loop {
        let link = &links[link_idx];
        count += usize::from(matches!(
            link.motion,
            Motion::Revolute { .. } | Motion::Prismatic { .. }
        ));
        match link.parent_idx {
            Some(parent_idx) => link_idx = parent_idx,
            None => return count,
        }
    }
}

/// Smallest distance of two capsules, by sampling one and projecting on the other, m.
fn distance(a: (Vector3<f64>, Vector3<f64>, f64), b: (Vector3<f64>, Vector3<f64>, f64)) -> f64 {
    let mut smallest = f64::INFINITY;
    for k in 0..=200 {
        let point = a.0.lerp(&a.1, f64::from(k) / 200.0);
        let along = b.1 - b.0;
        let t = if along.norm_squared() > 0.0 {
            ((point - b.0).dot(&along) / along.norm_squared()).clamp(0.0, 1.0)
        } else {
            0.0
        };
        smallest = smallest.min((point - b.0 - along * t).norm());
    }
    smallest - a.2 - b.2
}

/// Pairs of links, not neighbours, whose shapes overlap at home; `self_distance` leaves those out, so it
/// cannot say so.
fn overlaps_at_home(robot: &Robot) -> Vec<String> {
    let links = robot.links();
    let mut poses = vec![Pose::identity(); links.len()];
    robot.link_poses(robot.home(), 0.0, &mut poses);
    let capsules = |link_idx: usize| {
        let shapes: &[LinkShape] = match robot.gripper() {
            Some(gripper) if gripper.hand_idx == link_idx => &gripper.self_collision,
            Some(_) if links[link_idx].part != Part::Arm => &[],
            _ => &links[link_idx].shapes,
        };
        let pose = poses[link_idx];
        shapes
            .iter()
            .map(|shape| {
                let (a, b, radius) = shape.bounding_capsule();
                let moved = |p: Vector3<f64>| (pose * Point3::from(p)).coords;
                (moved(a), moved(b), radius)
            })
            .collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for first in 0..links.len() {
        for second in first + 1..links.len() {
            if n_moving(links, first).abs_diff(n_moving(links, second)) < 2 {
                continue;
            }
            for a in capsules(first) {
                for b in capsules(second) {
                    let apart = distance(a, b);
                    if apart <= 0.0 {
                        found.push(format!(
                            "{} {} {apart:.3}",
                            links[first].name, links[second].name
                        ));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn home_is_free_of_self_collision() {
    for robot in all() {
        let none: [String; 0] = [];
        assert_eq!(overlaps_at_home(&robot), none, "{}", robot.name());
        let distance = robot.self_distance(robot.home());
        assert!(
            distance > 0.0 && distance.is_finite(),
            "{} {distance}",
            robot.name()
        );
    }
}

#[test]
fn gravity_at_home_leaves_a_quarter_of_the_torque() {
    for robot in all() {
        let tau = robot.gravity_torques(robot.home());
        for (joint_idx, (tau, limit)) in tau.iter().zip(robot.limits().tau_max.iter()).enumerate() {
            assert!(
                tau.abs() < 0.75 * limit,
                "{} joint {joint_idx}: {tau} N m of {limit}",
                robot.name()
            );
        }
        let heaviest = tau.iter().fold(0.0_f64, |most, tau| most.max(tau.abs()));
        assert!(
            heaviest > 0.02 * robot.limits().tau_max[1],
            "{} weighs nothing: {tau:?}",
            robot.name()
        );
    }
}

#[test]
fn limits_are_in_the_order_of_what_arms_do() {
    // Catches degrees for radians and swapped columns, which load without complaint.
    for robot in all() {
        let limits = robot.limits();
        for joint_idx in 0..robot.n_joints() {
            let (dq, ddq) = (limits.dq_max[joint_idx], limits.ddq_max[joint_idx]);
            let jerk = limits.dddq_max[joint_idx];
            assert!((1.0..10.0).contains(&dq), "{} {dq}", robot.name());
            assert!(ddq >= dq && ddq <= 20.0, "{} {ddq}", robot.name());
            assert!(
                jerk >= 10.0 * ddq && jerk <= 10_000.0,
                "{} {jerk}",
                robot.name()
            );
        }
    }
}

/// Reached by forward kinematics, not by what the solver says of itself.
fn is_solved(robot: &Robot, q: &JointPositions, seed: &JointPositions) -> bool {
    let target = robot.forward(q);
    let Ok(found) = robot.inverse(&target, seed, &IkOptions::default()) else {
        return false;
    };
    let reached = robot.forward(&found);
    (reached.translation.vector - target.translation.vector).norm() <= 1e-4
        && reached.rotation.angle_to(&target.rotation) <= 1e-3
        && robot.limits().contains(&found)
}

#[test]
fn inverse_undoes_forward() {
    for robot in all() {
        let n = 200;
        let solved = (0..n)
            .filter(|idx| is_solved(&robot, &random_q(&robot, *idx), robot.home()))
            .count();
        assert!(
            solved as u64 >= n * 98 / 100,
            "{}: only {solved} of {n}",
            robot.name()
        );
    }
}

#[test]
fn tools_point_down_at_home() {
    for robot in all() {
        let down = robot.forward(robot.home()).rotation * Vector3::z();
        assert!(
            (down + Vector3::z()).norm() < 1e-6,
            "{} {down}",
            robot.name()
        );
    }
}

#[test]
fn fingers_close_on_the_tool_centre_point_along_its_y_axis() {
    for robot in all() {
        let Some(gripper) = robot.gripper() else {
            continue;
        };
        let mut poses = vec![Pose::identity(); robot.links().len()];
        for width in [0.0, 0.5 * gripper.max_width, gripper.max_width] {
            robot.link_poses(robot.home(), width, &mut poses);
            let tcp = poses[robot.tcp_idx()];
            for (finger, side) in [(&gripper.left, 1.0), (&gripper.right, -1.0)] {
                let tcp_from_pad =
                    tcp.inverse() * poses[finger.link_idx] * finger.pad.link_from_shape;
                let half = finger.pad.shape.support(&Vector3::y());
                let inner = tcp_from_pad.translation.vector - Vector3::y() * side * half;
                let expected = Vector3::y() * side * width / 2.0;
                assert!(
                    (inner - expected).amax() < 1e-3,
                    "{} {width}: {inner}",
                    robot.name()
                );
            }
        }
    }
}
