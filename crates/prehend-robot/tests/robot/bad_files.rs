//! Descriptions that must be refused, each with the words a user needs to repair it.

use std::fs;

use prehend_robot::Robot;

use crate::fr3_folder;

/// Replaces `from` by `to` in the shipped file, loads, and expects every part of the message.
fn check(file: &str, from: &str, to: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("temporary folder");
    for name in ["robot.urdf", "robot.toml"] {
        let text = fs::read_to_string(fr3_folder().join(name)).expect("shipped file");
        let text = if name == file {
            assert!(text.contains(from), "{file} no longer contains {from:?}");
            text.replacen(from, to, 1)
        } else {
            text
        };
        fs::write(folder.path().join(name), text).expect("temporary file");
    }
    let Err(error) = Robot::load(folder.path()) else {
        panic!("{to:?} must be refused");
    };
    let shown = error.to_string();
    for part in expected.iter().chain(&[file]) {
        assert!(shown.contains(part), "{to:?}: {part:?} is not in: {shown}");
    }
}

fn urdf(from: &str, to: &str, expected: &[&str]) {
    check("robot.urdf", from, to, expected);
}

fn toml(from: &str, to: &str, expected: &[&str]) {
    check("robot.toml", from, to, expected);
}

const JOINT_3: &str = r#"<origin xyz="0 -0.316 0""#;

#[test]
fn numbers_that_are_none() {
    for bad in ["NaN", "nan", "inf", "-inf", "1e400", "1e7"] {
        let to = format!(r#"<origin xyz="0 {bad} 0""#);
        urdf(
            JOINT_3,
            &to,
            &["fr3_joint3", "<origin>", "xyz", bad, "finite"],
        );
    }
    for bad in ["0x10", "1,5", "abc", "-"] {
        let to = format!(r#"<origin xyz="0 {bad} 0""#);
        urdf(JOINT_3, &to, &["fr3_joint3", "xyz", bad, "is not a number"]);
    }
    urdf(
        r#"mass value="2.3966""#,
        r#"mass value="NaN""#,
        &["fr3_link0", "<mass>", "value", "NaN"],
    );
    urdf(
        r#"upper="2.7437""#,
        r#"upper="inf""#,
        &["fr3_joint1", "<limit>", "upper", "inf"],
    );
}

#[test]
fn vectors_of_another_length() {
    urdf(
        JOINT_3,
        r#"<origin xyz="0 -0.316""#,
        &["fr3_joint3", "xyz", "has 2 numbers, needs 3"],
    );
    urdf(
        JOINT_3,
        r#"<origin xyz="0 -0.316 0 0""#,
        &["xyz", "has 4 numbers, needs 3"],
    );
    // urdf-rs keeps the tokens that parse and takes this for three numbers.
    urdf(
        JOINT_3,
        r#"<origin xyz="0 -0.316 abc 0""#,
        &["xyz", "`abc` is not a number"],
    );
    urdf(JOINT_3, r#"<origin xyz="""#, &["xyz", "is empty"]);
}

#[test]
fn lines_are_those_of_the_element() {
    let text = fs::read_to_string(fr3_folder().join("robot.urdf")).expect("shipped file");
    let line = 1 + text
        .lines()
        .position(|line| line.contains(JOINT_3))
        .expect("joint 3");
    urdf(
        JOINT_3,
        r#"<origin xyz="0 NaN 0""#,
        &[&format!("robot.urdf:{line}: ")],
    );
}

#[test]
fn limits_that_are_missing_or_senseless() {
    let limit = r#"<limit lower="-2.7437" upper="2.7437" velocity="2.62" effort="87"/>"#;
    let joint_1 = |to: &str, expected: &[&str]| {
        urdf(limit, to, &[&["fr3_joint1"], expected].concat());
    };
    joint_1(
        "",
        &["<limit>", "missing", "lower, upper, velocity and effort"],
    );
    joint_1(
        r#"<limit upper="1" velocity="1" effort="1"/>"#,
        &["lower", "attribute is missing"],
    );
    joint_1(
        r#"<limit lower="1" upper="-1" velocity="1" effort="1"/>"#,
        &["1 is not below upper -1"],
    );
    joint_1(
        r#"<limit lower="-1" upper="1" effort="1"/>"#,
        &["velocity", "missing"],
    );
    joint_1(
        r#"<limit lower="-1" upper="1" velocity="0" effort="1"/>"#,
        &["velocity", "greater than 0"],
    );
    joint_1(
        r#"<limit lower="-1" upper="1" velocity="1" effort="-1"/>"#,
        &["effort", "greater than 0"],
    );
}

#[test]
fn trees_that_are_none() {
    let joint_2 = "<parent link=\"fr3_link1\"/>\n    <child link=\"fr3_link2\"/>";
    let parent_7 =
        |name: &str| format!("<parent link=\"{name}\"/>\n    <child link=\"fr3_link2\"/>");
    urdf(joint_2, &parent_7("fr3_link7"), &["cycle"]);
    urdf(joint_2, &parent_7("fr3_link2"), &["cycle"]);
    urdf(
        joint_2,
        &parent_7("nowhere"),
        &["fr3_joint2", "parent", "no link \"nowhere\""],
    );
    urdf(
        joint_2,
        "<parent link=\"fr3_link1\"/>\n    <child link=\"fr3_link1\"/>",
        &[
            "fr3_joint2",
            "child",
            "already hangs from joint \"fr3_joint1\"",
        ],
    );
    urdf(
        "</robot>",
        "<link name=\"lost\"/></robot>",
        &["link \"lost\"", "not connected"],
    );
    urdf(
        "</robot>",
        "<link name=\"fr3_link3\"/></robot>",
        &["fr3_link3", "another link has this name"],
    );
    let base_hangs = r#"<joint name="loop" type="fixed"><parent link="fr3_link7"/><child link="fr3_link0"/></joint></robot>"#;
    urdf("</robot>", base_hangs, &["cycle"]);
}

#[test]
fn joints_that_cannot_be_moved() {
    urdf(
        r#"mimic joint="fr3_finger_joint1""#,
        r#"mimic joint="thumb""#,
        &["fr3_finger_joint2", "mimic", "no joint \"thumb\""],
    );
    urdf(
        r#"mimic joint="fr3_finger_joint1""#,
        r#"mimic joint="fr3_finger_joint2""#,
        &["fr3_finger_joint2", "mimic"],
    );
    urdf(
        r#"multiplier="1""#,
        r#"multiplier="-1""#,
        &["fr3_finger_joint2", "multiplier 1"],
    );
    urdf(
        r#"type="revolute""#,
        r#"type="floating""#,
        &["fr3_joint1", "type", "floating", "revolute"],
    );
    urdf(
        r#"<axis xyz="0 0 1""#,
        r#"<axis xyz="0 0 0""#,
        &["fr3_joint1", "<axis>", "length 0.0000"],
    );
    urdf(
        r#"<axis xyz="0 0 1""#,
        r#"<axis xyz="0 0 5""#,
        &["fr3_joint1", "<axis>", "length 5.0000"],
    );
}

#[test]
fn bodies_that_cannot_be() {
    let inertia = r#"ixx="0.0090" ixy="0" ixz="0.0020" iyy="0.0115" iyz="0" izz="0.0085""#;
    let with =
        |to: &str, expected: &[&str]| urdf(inertia, to, &[&["fr3_link0"], expected].concat());
    // Link 4 of the older arm as published: 0.0037 + 0.0080 < 0.0127.
    with(
        r#"ixx="0.00784586" ixy="-0.00339592" ixz="0.00158704" iyy="0.00649543" iyz="-0.00181478" izz="0.01003080""#,
        &["not physical", "none above the sum"],
    );
    with(
        r#"ixx="-1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1""#,
        &["not physical", "positive"],
    );
    with(
        r#"ixx="1" ixy="0" ixz="0" iyy="1" iyz="0""#,
        &["izz", "missing"],
    );
    urdf(
        r#"mass value="2.3966""#,
        r#"mass value="0""#,
        &["fr3_link0", "greater than 0"],
    );
}

#[test]
fn shapes_and_meshes() {
    let capsule = r#"<capsule radius="0.06" length="0.03"/>"#;
    let with =
        |to: &str, expected: &[&str]| urdf(capsule, to, &[&["fr3_link0"], expected].concat());
    with(
        r#"<capsule radius="-0.06" length="0.03"/>"#,
        &["radius", "greater than 0"],
    );
    with(r#"<box size="1 0 1"/>"#, &["size", "greater than 0"]);
    with(
        r#"<cone radius="1"/>"#,
        &["<cone>", "capsule, box, cylinder or sphere"],
    );
    with("", &["shape", "missing"]);
    with(
        r#"<mesh filename="hand.stl"/>"#,
        &["filename", "no mesh file", "hand.stl"],
    );
    with(
        r#"<mesh filename="package://fr3/hand.stl"/>"#,
        &["filename", "no mesh file", "hand.stl"],
    );
    with(
        r#"<mesh filename="package://fr3/../../etc/passwd"/>"#,
        &["leads out of the robot's folder"],
    );
    with(
        r#"<mesh filename="/etc/passwd"/>"#,
        &["leads out of the robot's folder"],
    );
    with(
        r#"<mesh filename="http://example.com/a.stl"/>"#,
        &["http://", "copy the mesh"],
    );
    with(
        r#"<mesh filename="robot.toml"/>"#,
        &["is not a mesh that is read", "convert it to .stl or .obj"],
    );
    let visual = r#"<link name="fr3_link8"><visual><geometry><mesh filename="a.stl"/></geometry></visual></link>"#;
    urdf(
        r#"<link name="fr3_link8"/>"#,
        visual,
        &["fr3_link8", "no mesh file", "a.stl"],
    );
}

#[test]
fn xml_that_is_none() {
    urdf("</robot>", "", &["not a readable URDF"]);
    urdf("<robot", "<sdf", &["not a readable URDF"]);
    let bomb = r#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><robot"#;
    urdf("<robot", bomb, &["not a readable URDF", "DTD"]);
}

#[test]
fn deep_nesting_does_no_harm() {
    // A parser that recurses dies here; elements that are not URDF are ignored, as the format says.
    let folder = tempfile::tempdir().expect("temporary folder");
    let text = fs::read_to_string(fr3_folder().join("robot.urdf")).expect("shipped file");
    let deep = format!("{}{}</robot>", "<a>".repeat(20_000), "</a>".repeat(20_000));
    fs::write(
        folder.path().join("robot.urdf"),
        text.replace("</robot>", &deep),
    )
    .expect("file");
    fs::copy(
        fr3_folder().join("robot.toml"),
        folder.path().join("robot.toml"),
    )
    .expect("file");
    assert!(Robot::load(folder.path()).is_ok());
}

#[test]
fn toml_that_does_not_fit() {
    toml(
        "home_rad = 0.0",
        "home_deg = 0.0",
        &["unknown field `home_deg`", "did you mean `home_rad`?"],
    );
    toml(
        "max_jerk_rad_per_s3 = 5000.0",
        "",
        &["max_jerk_rad_per_s3", "missing"],
    );
    toml(
        "max_acceleration_rad_per_s2 = 10.0",
        "max_acceleration_rad_per_s2 = nan",
        &[
            "joint[0] (\"fr3_joint1\").max_acceleration_rad_per_s2",
            "NaN",
        ],
    );
    toml(
        "max_jerk_rad_per_s3 = 5000.0",
        "max_jerk_rad_per_s3 = -1.0",
        &["max_jerk_rad_per_s3", "greater than 0"],
    );
    toml(
        "home_rad = -0.7853981633974483",
        "home_rad = -45.0",
        &["joint[1] (\"fr3_joint2\").home_rad", "-45", "-1.7837"],
    );
    toml(
        "name = \"fr3_joint3\"",
        "name = \"fr3_joint9\"",
        &["joint[2].name", "no joint \"fr3_joint9\"", "fr3_joint3"],
    );
    toml(
        "name = \"fr3_joint3\"",
        "name = \"fr3_joint4\"",
        &["joint[3] (\"fr3_joint4\").name", "listed twice"],
    );
    toml(
        "base_link = \"fr3_link0\"",
        "base_link = \"floor\"",
        &["base_link", "no link \"floor\""],
    );
    toml(
        "tcp_link = \"fr3_hand_tcp\"",
        "tcp_link = \"fr3_link4\"",
        &["joint[4].name", "fr3_joint5", "base to tip"],
    );
    toml(
        "hand_link = \"fr3_hand\"",
        "hand_link = \"fr3_link7\"",
        &["gripper.hand_link", "fr3_finger_joint1", "fr3_link7"],
    );
    toml(
        "max_width_m = 0.08",
        "max_width_m = 0.10",
        &[
            "gripper.max_width_m",
            "is 0.1",
            "fr3_finger_joint1",
            "to 0.04",
        ],
    );
    toml(
        "speed_m_per_s = 0.1",
        "speed_m_per_s = 0.3",
        &["gripper.speed_m_per_s", "above max_speed_m_per_s"],
    );
    toml(
        "force_n = 30.0",
        "force_n = 30.0\nmax_turns_per_s = 0.0",
        &["gripper.max_turns_per_s"],
    );
    toml(
        "pad_size_m = [0.0175, 0.0152, 0.0185]",
        "pad_size_m = [0.0175, 0.0152]",
        &["robot.toml:", "array of length 3"],
    );
    toml(
        "joint = \"fr3_finger_joint1\"",
        "joint = \"finger\"",
        &["gripper.left.joint", "no joint \"finger\""],
    );
}

#[test]
fn envelopes_that_are_none() {
    let joint_2 = "envelope = { offset_rad_per_s = 0.20, deceleration_rad_per_s2 = 2.585 }";
    let with = |offset: &str, deceleration: &str, expected: &[&str]| {
        let to = format!(
            "envelope = {{ offset_rad_per_s = {offset}, deceleration_rad_per_s2 = {deceleration} }}"
        );
        let expected = [&["joint[1] (\"fr3_joint2\").envelope"], expected].concat();
        toml(joint_2, &to, &expected);
    };
    for bad in ["nan", "inf", "-0.1"] {
        with(bad, "2.585", &["offset_rad_per_s", "at least 0"]);
    }
    for bad in ["nan", "inf", "-1.0", "0.0"] {
        with("0.2", bad, &["deceleration_rad_per_s2", "greater than 0"]);
    }
    // 3.04 rad/s is what 2.585 rad/s² brake on half of the range.
    with(
        "3.04",
        "2.585",
        &["offset_rad_per_s", "is 3.04", "no speed"],
    );
    toml(
        joint_2,
        "envelope = { offset_rad_per_s = 0.20 }",
        &["robot.toml:", "deceleration_rad_per_s2"],
    );
    toml(
        joint_2,
        "envelope = { offset_rad_per_s = 0.20, decelaration_rad_per_s2 = 2.0 }",
        &["did you mean `deceleration_rad_per_s2`?"],
    );
}

#[test]
fn a_joint_that_nobody_names() {
    toml(
        "[[joint]]\nname = \"fr3_joint7\"\nhome_rad = 0.7853981633974483\nmax_acceleration_rad_per_s2 = 10.0\nmax_jerk_rad_per_s3 = 5000.0\narmature_kg_m2 = 0.1\nenvelope = { offset_rad_per_s = 0.35, deceleration_rad_per_s2 = 17.0 }\n",
        "",
        &["joint \"fr3_joint7\"", "no [[joint]] of this name"],
    );
}

#[test]
fn a_folder_without_files() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let shown = Robot::load(folder.path())
        .expect_err("nothing there")
        .to_string();
    assert!(
        shown.contains("robot.urdf") && shown.contains("robot.toml"),
        "{shown}"
    );
}
