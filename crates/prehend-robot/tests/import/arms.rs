//! The same little arm as URDF and as MJCF, and what both keep.

use nalgebra::{Matrix3, Point3, UnitQuaternion, Vector3};
use prehend_robot::import::{ActuatorKind, Format, ImportOptions};
use prehend_robot::{Motion, Part, Robot};
use prehend_types::{JointVelocities, Pose};

use crate::{good, import_text, random_q};

/// Largest difference of position, m, or of an entry of the rotation matrix.
fn difference(a: &Pose, b: &Pose) -> f64 {
    let matrix = |pose: &Pose| -> Matrix3<f64> { *pose.rotation.to_rotation_matrix().matrix() };
    let turned = (matrix(a) - matrix(b)).amax();
    turned.max((a.translation.vector - b.translation.vector).amax())
}

fn poses(robot: &Robot, q: &prehend_types::JointPositions, width: f64) -> Vec<Pose> {
    let mut poses = vec![Pose::identity(); robot.links().len()];
    robot.link_poses(q, width, &mut poses);
    poses
}

#[test]
fn both_formats_give_the_same_kinematics_to_1e_12() {
    let (urdf, mjcf) = (good("little.urdf").robot, good("little.xml").robot);
    assert_eq!(urdf.joint_names(), mjcf.joint_names());
    assert_eq!(urdf.n_joints(), 4);
    let mut worst: f64 = 0.0;
    for idx in 0..1000 {
        let q = random_q(&urdf, idx);
        worst = worst.max(difference(&urdf.forward(&q), &mjcf.forward(&q)));
        let (a, b) = (poses(&urdf, &q, 0.02), poses(&mjcf, &q, 0.02));
        for (link_idx, link) in urdf.links().iter().enumerate() {
            let other = mjcf.link_idx(&link.name).expect("the same links");
            worst = worst.max(difference(&a[link_idx], &b[other]));
        }
    }
    println!(
        "largest difference of 1000 poses of {} links: {worst:.2e}",
        urdf.links().len()
    );
    assert!(worst < 1e-12, "{worst}");
}

#[test]
fn both_formats_give_the_same_dynamics() {
    let (urdf, mjcf) = (good("little.urdf").robot, good("little.xml").robot);
    for idx in 0..100 {
        let q = random_q(&urdf, idx);
        let (a, b) = (urdf.gravity_torques(&q), mjcf.gravity_torques(&q));
        for (a, b) in a.iter().zip(b.iter()) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        // Armature is only in the MJCF: 0.02 on each joint.
        let gap = mjcf.mass_matrix(&q) - urdf.mass_matrix(&q);
        for row in 0..4 {
            for column in 0..4 {
                let expected = if row == column { 0.02 } else { 0.0 };
                assert!((gap[(row, column)] - expected).abs() < 1e-12, "{gap}");
            }
        }
    }
}

#[test]
fn limits_damping_and_friction_stay_on_the_joints() {
    for name in ["little.urdf", "little.xml"] {
        let robot = good(name).robot;
        let limits = robot.limits();
        let range: Vec<[f64; 2]> = (0..4).map(|i| [limits.q_min[i], limits.q_max[i]]).collect();
        assert_eq!(
            range,
            [[-2.0, 2.0], [-1.5, 1.0], [-0.05, 0.1], [-2.5, 2.5]],
            "{name}"
        );
        assert_eq!(
            limits.dq_max.iter().copied().collect::<Vec<_>>(),
            [1.0, 1.0, 0.1, 1.0]
        );
        assert_eq!(
            limits.tau_max.iter().copied().collect::<Vec<_>>(),
            [40.0, 30.0, 80.0, 12.0],
            "{name}"
        );
        for joint in robot.joint_dynamics() {
            assert_eq!((joint.damping, joint.friction), (0.5, 0.1));
        }
        let dq = JointVelocities::from_slice(&[2.0, -1.0, 0.0, 0.5]).expect("four");
        let tau = robot.friction_torques(&dq);
        for (tau, expected) in tau.iter().zip([1.1, -0.6, 0.0, 0.35]) {
            assert!((tau - expected).abs() < 1e-12, "{tau:?}");
        }
    }
}

#[test]
fn a_following_finger_opens_as_the_leading_one() {
    // Its axis points the same way and its range is negative: multiplier -1.
    for name in ["little.urdf", "little.xml"] {
        let robot = good(name).robot;
        let gripper = robot.gripper().expect("two fingers");
        assert_eq!(gripper.max_width, 0.06);
        let at = |width: f64, idx: usize| poses(&robot, robot.home(), width)[idx];
        let [left, right] = [gripper.left.link_idx, gripper.right.link_idx];
        let hand = at(0.0, gripper.hand_idx);
        for (idx, side) in [(left, 1.0), (right, -1.0)] {
            let moved = at(0.04, idx).translation.vector - at(0.0, idx).translation.vector;
            let expected = hand.rotation * Vector3::y() * (0.02 * side);
            assert!((moved - expected).norm() < 1e-12, "{name}: {moved}");
            assert!(matches!(robot.links()[idx].motion, Motion::Finger { .. }));
        }
        assert_eq!(robot.links()[right].part, Part::RightFinger);
        // The pads touch when closed.
        for (finger, side) in [(&gripper.left, 1.0), (&gripper.right, -1.0)] {
            let [low, high] = finger.pad.extent(
                &(hand.inverse() * at(0.0, finger.link_idx)),
                &(Vector3::y() * side),
            );
            assert!(
                low.abs() < 1e-12 && (high - 0.01).abs() < 1e-12,
                "{name}: {low} {high}"
            );
        }
    }
}

#[test]
fn the_tool_is_the_frame_that_is_named_so() {
    for name in ["little.urdf", "little.xml"] {
        let robot = good(name).robot;
        assert_eq!(robot.links()[robot.tcp_idx()].name, "hand_tcp", "{name}");
        assert_eq!(robot.links()[0].name, "base");
    }
    let options = ImportOptions {
        tcp_link: Some("upper".to_owned()),
        name: Some("short".to_owned()),
        ..ImportOptions::default()
    };
    let path = crate::corpus("good/little.urdf");
    let short = prehend_robot::import::load(&path, &options).expect("a shorter arm");
    assert_eq!((short.robot.n_joints(), short.robot.name()), (2, "short"));
    assert!(short.robot.gripper().is_none());
    // j3, j4 and two fingers stand still now, and that is said.
    let held = short.dropped.iter().filter(|d| d.why.contains("held at"));
    assert_eq!(held.count(), 4);
}

#[test]
fn home_is_the_key_or_the_middle() {
    let mjcf = good("little.xml").robot;
    assert_eq!(
        mjcf.home().iter().copied().collect::<Vec<_>>(),
        [0.1, -0.3, 0.02, 0.4]
    );
    let urdf = good("little.urdf").robot;
    assert_eq!(
        urdf.home().iter().copied().collect::<Vec<_>>(),
        [0.0, -0.25, 0.025, 0.0]
    );
}

#[test]
fn actuators_are_told_with_their_gains() {
    let imported = good("little.xml");
    let report = imported.report(Vec::new());
    assert_eq!(report.format, Format::Mjcf);
    let told: Vec<_> = report
        .actuators
        .iter()
        .map(|a| (a.name.as_str(), a.kind, a.kp, a.kv, a.force))
        .collect();
    let position = ActuatorKind::Position;
    assert_eq!(
        told,
        [
            ("a1", position, 800.0, 40.0, Some(40.0)),
            ("a2", position, 500.0, 30.0, Some(30.0)),
            ("a3", ActuatorKind::Motor, 0.0, 0.0, Some(8.0)),
            ("a4", position, 800.0, 40.0, Some(12.0)),
            ("grip", ActuatorKind::Motor, 0.0, 0.0, Some(50.0)),
        ]
    );
    // 50 N on a tendon with coefficients ±0.5.
    assert_eq!(imported.robot.gripper().expect("fingers").force, 25.0);
}

#[test]
fn euler_angles_follow_the_sequence_of_the_file() {
    let turn = |axis: Vector3<f64>, degrees: f64| {
        let unit = nalgebra::Unit::new_normalize(axis);
        UnitQuaternion::from_axis_angle(&unit, degrees.to_radians())
    };
    let (x, y, z) = (
        turn(Vector3::x(), 20.0),
        turn(Vector3::y(), 30.0),
        turn(Vector3::z(), 40.0),
    );
    let cases = [
        ("", "euler=\"20 30 40\"", x * y * z), // The default: turning with the body, degrees.
        ("eulerseq=\"XYZ\"", "euler=\"20 30 40\"", z * y * x), // URDF's rpy.
        ("eulerseq=\"zyx\"", "euler=\"40 30 20\"", z * y * x),
        ("eulerseq=\"zXy\"", "euler=\"40 20 30\"", x * z * y),
        ("", "axisangle=\"0 0 2 40\"", z),
        (
            "angle=\"radian\"",
            "axisangle=\"0 0 1 0.6981317007977318\"",
            z,
        ),
        ("", "xyaxes=\"0 1 0 -1 0.5 0\"", {
            turn(Vector3::z(), 90.0) // The second axis is squared up first.
        }),
        ("", "zaxis=\"1 0 0\"", turn(Vector3::y(), 90.0)),
        ("", "zaxis=\"0 0 -3\"", turn(Vector3::x(), 180.0)),
        ("", "quat=\"2 0 0 0\"", UnitQuaternion::identity()),
    ];
    for (compiler, orientation, expected) in cases {
        let text = format!(
            r#"<mujoco><compiler {compiler}/><worldbody><body name="base"><body name="arm" {orientation}>
            <joint name="j" range="-1 1"/></body></body></worldbody></mujoco>"#
        );
        let robot = import_text("e.xml", &text, &ImportOptions::default())
            .expect("one joint")
            .robot;
        let arm = &robot.links()[robot.link_idx("arm").expect("arm")];
        let angle = arm.parent_from_joint.rotation.angle_to(&expected);
        assert!(angle < 1e-7, "{compiler} {orientation}: {angle}");
    }
}

#[test]
fn several_angles_in_one_rpy_turn_about_fixed_axes() {
    // F7: loaders that compose them the other way put the SO-101 gripper 0.44 m off.
    let joints = [
        (
            "base",
            "shoulder",
            ".0388353 0 .0624",
            "3.141592653589793 0 -3.141592653589793",
        ),
        (
            "shoulder",
            "upper",
            "-.0303992 -.0182778 -.0542",
            "-1.5707963267948966 -1.5707963267948966 0",
        ),
        (
            "upper",
            "lower",
            "-.11257 -.028 0",
            "0 0 1.5707963267948966",
        ),
        (
            "lower",
            "wrist",
            "-.1349 .0052 0",
            "0 0 -1.5707963267948966",
        ),
        (
            "wrist",
            "gripper",
            "0 -.0611 .0181",
            "1.5707963267948966 .0486795 3.141592653589793",
        ),
    ];
    let mut text = r#"<robot name="so101"><link name="base"/>"#.to_owned();
    for (parent, child, xyz, rpy) in joints {
        text += &format!(
            r#"<joint name="to_{child}" type="revolute"><parent link="{parent}"/><child link="{child}"/>
            <origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="0 0 1"/>
            <limit lower="-1" upper="1" velocity="10" effort="10"/></joint><link name="{child}"/>"#
        );
    }
    text += r#"<link name="frame"/><joint name="f" type="fixed"><parent link="gripper"/><child link="frame"/>
        <origin xyz="-.0079 -.000218121 -.0981274" rpy="0 3.141592653589793 0"/></joint></robot>"#;
    let robot = import_text("so101.urdf", &text, &ImportOptions::default())
        .expect("five joints")
        .robot;
    let tool = robot.forward(robot.home()).translation.vector;
    // The published zero pose.
    let expected = Vector3::new(0.3914, 0.0, 0.2265);
    assert!((tool - expected).amax() < 1e-4, "{tool}");
}

#[test]
fn masses_of_geoms_are_those_of_the_solids() {
    let density = 800.0;
    let text = format!(
        r#"<mujoco><worldbody><body name="base"><body name="arm"><joint name="j" range="-1 1"/>
        <geom type="box" size="0.1 0.2 0.3" pos="0.5 0 0" density="{density}"/>
        <geom type="sphere" size="0.1" mass="2" pos="-0.5 0 0"/>
        <geom type="capsule" size="0.05 0.1" mass="1" contype="0" conaffinity="0"/>
        </body></body></worldbody></mujoco>"#
    );
    let robot = import_text("m.xml", &text, &ImportOptions::default())
        .expect("one joint")
        .robot;
    let arm = &robot.links()[robot.link_idx("arm").expect("arm")];
    assert_eq!(arm.shapes.len(), 2, "what nothing touches still weighs");
    let box_mass = density * 0.2 * 0.4 * 0.6;
    let mass = box_mass + 3.0;
    assert!((arm.inertial.mass - mass).abs() < 1e-12);
    let center = (box_mass * 0.5 - 2.0 * 0.5) / mass;
    assert!((arm.inertial.center_of_mass - Vector3::new(center, 0.0, 0.0)).norm() < 1e-12);
    // About z, by hand; the capsule's from integrating discs and half balls numerically.
    let (r, h, n) = (0.05_f64, 0.1_f64, 200_000);
    let mut capsule = [0.0; 2];
    for k in 0..n {
        let z = (h + r) * (f64::from(k) + 0.5) / f64::from(n);
        let over = (z - h).max(0.0);
        let square = r * r - over * over;
        capsule[0] += square;
        capsule[1] += square * square / 2.0;
    }
    let about = |i: f64, m: f64, x: f64| i + m * (x - center).powi(2);
    let expected = about(box_mass / 12.0 * (0.04 + 0.16), box_mass, 0.5)
        + about(0.4 * 2.0 * 0.01, 2.0, -0.5)
        + about(capsule[1] / capsule[0], 1.0, 0.0);
    assert!(
        (arm.inertial.inertia[(2, 2)] - expected).abs() < 1e-9,
        "{expected}"
    );
}

#[test]
fn more_joints_than_an_arm_has_are_refused_with_a_way_out() {
    let mut text = r#"<robot name="long"><link name="l0"/>"#.to_owned();
    for idx in 1..=9 {
        text += &format!(
            r#"<joint name="j{idx}" type="revolute"><parent link="l{}"/><child link="l{idx}"/><axis xyz="0 0 1"/>
            <limit lower="-1" upper="1" velocity="1" effort="1"/></joint><link name="l{idx}"/>"#,
            idx - 1
        );
    }
    text += "</robot>";
    let options = ImportOptions::default();
    let shown = import_text("long.urdf", &text, &options)
        .expect_err("9")
        .to_string();
    assert!(
        shown.contains("9 joints") && shown.contains("tcp_link"),
        "{shown}"
    );
    let options = ImportOptions {
        tcp_link: Some("l8".to_owned()),
        ..options
    };
    assert_eq!(
        import_text("long.urdf", &text, &options)
            .expect("8")
            .robot
            .n_joints(),
        8
    );
    let options = ImportOptions {
        tcp_link: Some("l99".to_owned()),
        ..options
    };
    let shown = import_text("long.urdf", &text, &options)
        .expect_err("none")
        .to_string();
    assert!(shown.contains("no link or site \"l99\""), "{shown}");
}

#[test]
fn a_locked_joint_and_an_offset_coupling_stand_where_the_file_says() {
    let text = r#"<mujoco><compiler angle="radian"/><worldbody><body name="base">
        <body name="arm"><joint name="j" range="-1 1"/>
          <body name="locked" pos="1 0 0"><joint name="k" range="-1 1"/></body>
          <body name="geared" pos="2 0 0"><joint name="g" range="-9 9"/></body>
        </body></body></worldbody>
        <equality><joint joint1="k" polycoef="0.5"/><joint joint1="g" joint2="j" polycoef="0.25 2"/></equality>
        <keyframe><key name="home" qpos="0.3 0 0"/></keyframe></mujoco>"#;
    let imported = import_text("c.xml", text, &ImportOptions::default()).expect("one joint");
    let robot = &imported.robot;
    assert_eq!(robot.joint_names(), ["j"]);
    let angle = |name: &str| {
        let link = &robot.links()[robot.link_idx(name).expect("a link")];
        (link.parent_from_joint.rotation * Point3::new(1.0, 0.0, 0.0)).coords
    };
    assert!((angle("locked") - Vector3::new(libm::cos(0.5), libm::sin(0.5), 0.0)).norm() < 1e-12);
    let held: f64 = 0.25 + 2.0 * 0.3;
    assert!((angle("geared") - Vector3::new(libm::cos(held), libm::sin(held), 0.0)).norm() < 1e-12);
    assert!(
        imported
            .dropped
            .iter()
            .any(|d| d.why.contains("follows \"j\""))
    );
}

#[test]
fn a_revolute_jaw_is_not_taken_for_a_joint_of_the_arm() {
    let joint = |name: &str, parent: &str, child: &str| {
        format!(
            r#"<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/>
            <origin xyz="0 0 0.1"/><axis xyz="0 1 0"/>
            <limit lower="-1" upper="1" velocity="1" effort="1"/></joint><link name="{child}"/>"#
        )
    };
    let text = format!(
        r#"<robot name="r"><link name="base"/>{}{}{}</robot>"#,
        joint("elbow", "base", "upper"),
        joint("wrist", "upper", "palm"),
        joint("gripper", "palm", "jaw")
    );
    let imported = import_text("r.urdf", &text, &ImportOptions::default()).expect("two joints");
    assert_eq!(imported.robot.joint_names(), ["elbow", "wrist"]);
    assert_eq!(
        imported.robot.links()[imported.robot.tcp_idx()].name,
        "palm"
    );
    let held = imported
        .dropped
        .iter()
        .find(|d| d.element.contains("gripper"));
    assert!(
        held.is_some_and(|d| d.why.contains("held at 0")),
        "{held:?}"
    );
}
