//! Another arm loads the same way: six joints, no gripper, a stand below the base, fixed frames between.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, PI, TAU};
use std::fs;

use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use prehend_robot::{IkOptions, Robot};

use crate::{q, random_q};

/// UR5e: origin xyz, origin rpy, position limit.
const JOINTS: [(&str, &str, f64); 6] = [
    ("0 0 0.1625", "0 0 0", TAU),
    ("0 0 0", "1.5707963267948966 0 0", TAU),
    ("-0.425 0 0", "0 0 0", PI),
    ("-0.3922 0 0.1333", "0 0 0", TAU),
    ("0 -0.0997 0", "1.5707963267948966 0 0", TAU),
    (
        "0 0.0996 0",
        "1.5707963267948966 3.141592653589793 3.141592653589793",
        TAU,
    ),
];

fn ur5e() -> Robot {
    let mut urdf = r#"<robot name="ur5e"><link name="world"/><link name="base_link"/><link name="link0"/>
        <joint name="stand" type="fixed"><parent link="world"/><child link="base_link"/><origin xyz="1 2 3"/></joint>
        <joint name="turn" type="fixed"><parent link="base_link"/><child link="link0"/><origin rpy="0 0 3.141592653589793"/></joint>"#
        .to_owned();
    let mut toml = "name = \"ur5e\"\nbase_link = \"base_link\"\ntcp_link = \"link6\"\n\
                    tcp = { run_speed_m_per_s = 0.5, teach_speed_m_per_s = 0.25 }\n"
        .to_owned();
    let home = [0.0, -FRAC_PI_2, FRAC_PI_2, -FRAC_PI_2, -FRAC_PI_2, 0.0];
    // Written tip first: order in the file must not matter.
    for (idx, (xyz, rpy, limit)) in JOINTS.iter().enumerate().rev() {
        let child = idx + 1;
        urdf += &format!(
            r#"<joint name="j{child}" type="revolute"><parent link="link{idx}"/><child link="link{child}"/>
            <origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="0 0 1"/>
            <limit lower="-{limit}" upper="{limit}" velocity="{PI}" effort="150"/></joint><link name="link{child}"/>"#
        );
    }
    urdf += "</robot>";
    for (idx, home) in home.iter().enumerate() {
        toml += &format!(
            "[[joint]]\nname = \"j{}\"\nhome_rad = {home:?}\nmax_acceleration_rad_per_s2 = 5.0\nmax_jerk_rad_per_s3 = 100.0\n",
            idx + 1
        );
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::write(folder.path().join("robot.urdf"), urdf).expect("temporary file");
    fs::write(folder.path().join("robot.toml"), toml).expect("temporary file");
    Robot::load(folder.path()).expect("a valid arm")
}

#[test]
fn its_forward_kinematics_equals_the_golden_rows() {
    let robot = ur5e();
    assert_eq!(robot.n_joints(), 6);
    assert!(robot.gripper().is_none());
    let cases = [
        (
            [0.0; 6],
            [0.8172, 0.2329, 0.0628],
            [0.0, 0.0, FRAC_1_SQRT_2, FRAC_1_SQRT_2],
        ),
        (
            [0.0, -FRAC_PI_2, FRAC_PI_2, -FRAC_PI_2, -FRAC_PI_2, 0.0],
            [0.4919, 0.1333, 0.4879],
            [0.0, -FRAC_1_SQRT_2, FRAC_1_SQRT_2, 0.0],
        ),
        (
            [0.1, -1.2, 1.3, -0.4, 0.5, 0.6],
            [0.594196, 0.281434, 0.438326],
            [0.017412, 0.229530, 0.613577, 0.755339],
        ),
    ];
    for (values, position, [w, x, y, z]) in cases {
        let pose = robot.forward(&q(&values));
        assert!(
            (pose.translation.vector - Vector3::from(position)).norm() < 1e-6,
            "{pose}"
        );
        let expected = UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z));
        assert!(pose.rotation.angle_to(&expected) < 3e-6, "{pose}");
    }
}

#[test]
fn its_poses_are_reached() {
    let robot = ur5e();
    let solved = (0..200)
        .filter(|idx| {
            let target = robot.forward(&random_q(&robot, *idx));
            robot
                .inverse(&target, robot.home(), &IkOptions::default())
                .is_ok()
        })
        .count();
    assert!(solved >= 198, "only {solved} of 200");
}

#[test]
fn without_an_envelope_speed_is_what_can_still_be_braked() {
    let robot = ur5e();
    let (lower, upper) = robot.limits().velocity_range(0, TAU - 0.1);
    assert!((upper - (2.0_f64 * 0.9 * 5.0 * 0.1).sqrt()).abs() < 1e-9);
    assert_eq!(lower, -PI);
}
