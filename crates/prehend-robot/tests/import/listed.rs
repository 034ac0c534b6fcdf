//! What is not kept is listed, or refused.

use prehend_robot::import::{ImportOptions, Weight, load};

use crate::{corpus, good, import_text};

fn urdf(link: &str, joint: &str) -> String {
    format!(
        "<robot name=\"r\">\n<link name=\"a\">{link}</link>\n<link name=\"b\"/>\n<joint name=\"j\" type=\"revolute\">\
         <parent link=\"a\"/><child link=\"b\"/><axis xyz=\"0 0 1\"/>\
         <limit lower=\"-1\" upper=\"1\" velocity=\"1\" effort=\"1\"/>{joint}</joint>\n</robot>\n"
    )
}

#[test]
fn strict_refuses_the_first_loss_with_file_and_line() {
    let text = urdf(
        "",
        "\n<safety_controller soft_lower_limit=\"-0.5\" k_velocity=\"1\"/>",
    );
    let imported = import_text("s.urdf", &text, &ImportOptions::default()).expect("listed only");
    assert_eq!(imported.dropped.len(), 1);
    let dropped = &imported.dropped[0];
    assert_eq!((dropped.line, dropped.weight), (5, Weight::Loss));
    assert!(
        dropped.element.contains("joint \"j\" <safety_controller>"),
        "{dropped:?}"
    );
    let strict = ImportOptions {
        strict: true,
        ..ImportOptions::default()
    };
    let shown = import_text("s.urdf", &text, &strict)
        .expect_err("strict")
        .to_string();
    assert!(
        shown.contains("s.urdf:5: joint \"j\" <safety_controller>"),
        "{shown}"
    );
    assert!(shown.contains("strict"), "{shown}");
}

#[test]
fn looks_are_listed_but_no_reason_to_refuse() {
    let text = urdf(
        "<visual><geometry><mesh filename=\"gone.dae\"/></geometry></visual>",
        "",
    );
    let strict = ImportOptions {
        strict: true,
        ..ImportOptions::default()
    };
    let imported = import_text("v.urdf", &text, &strict).expect("nothing is lost");
    assert_eq!(imported.dropped.len(), 1);
    assert_eq!(imported.dropped[0].weight, Weight::Note);
    // The little arm as well.
    for name in ["good/little.urdf", "good/little.xml"] {
        let imported = load(&corpus(name), &strict).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(imported.dropped.iter().all(|d| d.weight == Weight::Note));
    }
}

#[test]
fn what_mjcf_has_and_robots_here_have_not_is_listed() {
    let text = r#"<mujoco><worldbody><body name="base"><freejoint/>
        <body name="arm" gravcomp="1"><joint name="j" range="-1 1" stiffness="3"/>
        <geom type="hfield" hfield="h"/><geom type="sphere" size="0.1"/>
        <composite type="grid"/>
        </body></body></worldbody>
        <equality><weld body1="base" body2="arm"/></equality>
        <tendon><spatial/></tendon>
        <actuator><muscle joint="j"/></actuator>
        <flexible/></mujoco>"#;
    let imported = import_text("d.xml", text, &ImportOptions::default()).expect("one joint");
    let lost: Vec<&str> = imported
        .dropped
        .iter()
        .filter(|d| d.weight == Weight::Loss)
        .map(|d| d.element.as_str())
        .collect();
    for element in [
        "freejoint",
        "body \"arm\"",
        "joint \"j\"",
        "geom",
        "composite",
        "weld",
        "spatial",
        "muscle",
        "flexible",
    ] {
        assert!(
            lost.iter().any(|l| l.contains(element)),
            "{element} is not in {lost:?}"
        );
    }
    assert!(
        imported
            .dropped
            .iter()
            .all(|d| d.line >= 1 && d.file.ends_with("d.xml"))
    );
}

#[test]
fn impossible_inertias_are_repaired_only_when_asked() {
    let name = "bad/f04_triangle.urdf";
    let repair = ImportOptions {
        repair_inertias: true,
        ..ImportOptions::default()
    };
    assert!(load(&corpus(name), &ImportOptions::default()).is_err());
    let imported = load(&corpus(name), &repair).expect("repaired");
    let told = &imported.dropped[0];
    assert_eq!((told.line, told.weight), (5, Weight::Loss));
    assert!(told.why.contains("repaired"), "{told:?}");
    let inertia = imported.robot.links()[0].inertial.inertia;
    let mut moments: Vec<f64> = inertia.symmetric_eigenvalues().iter().copied().collect();
    moments.sort_by(f64::total_cmp);
    assert!(
        (moments[2] - moments[0] - moments[1]).abs() < 1e-12,
        "{moments:?}"
    );
    // A frame with the mass of nothing weighs nothing; a negative moment says nothing.
    let frame = load(&corpus("bad/f04_frame.urdf"), &repair).expect("a frame");
    assert_eq!(frame.robot.links()[0].inertial.mass, 0.0);
    assert!(load(&corpus("bad/f04_negative.urdf"), &repair).is_err());
}

#[test]
fn what_is_guessed_is_told_and_written_down() {
    let imported = good("little.xml");
    for (of, what) in [
        ("j1", "speed limit 1 rad/s"),
        ("left_joint", "gripper from 0 to 0.06 m, 25 N"),
    ] {
        let told = imported
            .assumed
            .iter()
            .find(|a| a.of == of && a.what == what);
        assert!(
            told.is_some(),
            "{of} {what} is not in {:?}",
            imported.assumed
        );
        assert!(
            imported.robot_toml().contains(what),
            "{}",
            imported.robot_toml()
        );
    }
}

#[test]
fn limits_in_degrees_are_told() {
    let text = std::fs::read_to_string(corpus("good/little.urdf")).expect("little.urdf");
    let text = text.replace("upper=\"2.5\"", "upper=\"143\"");
    let imported =
        import_text("d.urdf", &text, &ImportOptions::default()).expect("an arm may be so");
    let report = imported.report(Vec::new());
    let [only] = report.suspicious.as_slice() else {
        panic!("{:?}", report.suspicious);
    };
    assert_eq!((only.value, only.meant), (143.0, "degrees"));
    assert!(report.to_string().contains("suspicious: joint"), "{report}");
    assert_eq!(good("little.urdf").report(Vec::new()).suspicious, []);
}
