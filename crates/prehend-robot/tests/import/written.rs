//! What an import writes is read again as the same robot.

use prehend_robot::import::{ImportOptions, run};
use prehend_robot::{Robot, RobotError};

use crate::{corpus, good, random_q};

#[test]
fn the_written_folder_is_the_imported_robot() {
    for name in ["little.urdf", "little.xml", "meshes.urdf", "parts.xml"] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let out = folder.path().join("robots/mine");
        let imported = good(name);
        let written = imported.write(&out).expect("an empty folder");
        assert!(written.len() >= 2, "{written:?}");
        let robot = Robot::load(&out).unwrap_or_else(|error| panic!("{name}: {error}"));
        let first = &imported.robot;
        assert_eq!(robot.content_hash(), first.content_hash(), "{name}");
        assert_eq!(robot.limits(), first.limits(), "{name}");
        assert_eq!(robot.home(), first.home(), "{name}");
        assert_eq!(robot.joint_dynamics(), first.joint_dynamics(), "{name}");
        assert_eq!(
            robot.gripper().map(|g| g.max_width),
            first.gripper().map(|g| g.max_width)
        );
        for idx in 0..100 {
            let q = random_q(&robot, idx);
            let (a, b) = (robot.forward(&q), first.forward(&q));
            let turned =
                a.rotation.to_rotation_matrix().matrix() - b.rotation.to_rotation_matrix().matrix();
            assert!(turned.amax() < 1e-12, "{name}");
            assert!(
                (a.translation.vector - b.translation.vector).amax() < 1e-12,
                "{name}"
            );
            for (a, b) in robot
                .gravity_torques(&q)
                .iter()
                .zip(first.gravity_torques(&q).iter())
            {
                assert!((a - b).abs() < 1e-11, "{name}: {a} {b}");
            }
        }
        for (a, b) in robot.links().iter().zip(first.links()) {
            assert_eq!(
                (&a.name, a.shapes.len()),
                (&b.name, b.shapes.len()),
                "{name}"
            );
            for (a, b) in a.shapes.iter().zip(&b.shapes) {
                for k in 0..30 {
                    let k = f64::from(k);
                    let direction = nalgebra::Vector3::new(
                        libm::sin(k),
                        libm::cos(2.0 * k),
                        libm::sin(3.0 * k),
                    );
                    let direction = direction.normalize();
                    let pose = prehend_types::Pose::identity();
                    let (a, b) = (a.extent(&pose, &direction), b.extent(&pose, &direction));
                    assert!(
                        (a[0] - b[0]).abs() < 1e-8 && (a[1] - b[1]).abs() < 1e-8,
                        "{name}: {a:?} {b:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_corrected_file_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let imported = good("little.urdf");
    imported.write(folder.path()).expect("an empty folder");
    let error = imported
        .write(folder.path())
        .expect_err("it is there already");
    assert!(matches!(error, RobotError::Write { .. }), "{error}");
    assert!(error.to_string().contains("it exists"), "{error}");
}

#[test]
fn a_program_can_read_the_report() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let out = folder.path().join("mine");
    let path = corpus("good/little.xml");
    let report = run(&path, &ImportOptions::default(), Some(&out)).expect("an import");
    let json = serde_json::to_value(&report).expect("a report");
    assert_eq!(json["format"], "mjcf");
    assert_eq!(json["joints"].as_array().map(Vec::len), Some(4));
    assert_eq!(json["dropped"][0]["weight"], "note");
    assert_eq!(json["written"].as_array().map(Vec::len), Some(2));
    let shown = report.to_string();
    assert!(
        shown.contains("4 joints") && shown.contains("wrote "),
        "{shown}"
    );
}

#[test]
fn the_shipped_robot_imports_as_itself_and_keeps_its_hash() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../robots/fr3");
    let shipped = Robot::load(&folder).expect("robots/fr3");
    // What models/fr3_pick_place was made for.
    assert_eq!(
        shipped.content_hash(),
        "9284706922c72001e02f4c203c4253ebc88bc518043ce3ef70014eb1800086ef"
    );
    let imported =
        prehend_robot::import::load(&folder.join("robot.urdf"), &ImportOptions::default())
            .expect("a bare URDF")
            .robot;
    assert_eq!(imported.joint_names(), shipped.joint_names());
    assert_eq!(imported.limits().q_max, shipped.limits().q_max);
    assert_eq!(imported.gripper().map(|g| g.max_width), Some(0.08));
    for idx in 0..50 {
        let q = random_q(&shipped, idx);
        let gap = imported.forward(&q).translation.vector - shipped.forward(&q).translation.vector;
        assert!(gap.amax() < 1e-15, "{gap}");
    }
}
