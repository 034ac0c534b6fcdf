//! `prehend objects`, seen from outside.

use std::path::Path;

use serde_json::Value;

use crate::common::{BOX, box_obj, check_refused, report, text};

/// `objects generate` of a few training objects.
fn generate<'a>(out: &'a str, limit: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = [
        "objects", "generate", "--split", "train", "--out", out, "--limit", limit, "--json",
    ];
    [&args[..], more].concat()
}

/// All files of a folder of objects, with their names.
fn files(out: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(out.join("objects")).expect("made");
    let mut files: Vec<_> = folder
        .map(|entry| {
            let entry = entry.expect("lists");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("reads"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn objects_are_the_same_bytes_for_any_number_of_workers_and_however_often_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let first = generate(text(&one), "4", &["--trials", "3", "--workers", "1"]);
    let whole = report(&first, 0);
    assert_eq!(whole["objects"], 4);
    assert_eq!(whole["made"], 4);
    assert_eq!(whole["split"], "train");
    assert!(whole["trials_per_s"].as_f64() > Some(0.0), "{whole}");
    let ended: u64 = ["held", "missed", "dropped", "collided"]
        .map(|outcome| whole["outcomes"][outcome].as_u64().expect("a count"))
        .iter()
        .sum();
    assert_eq!(whole["n"], ended);
    assert!(whole["successes"].as_u64() > Some(6), "{whole}");
    assert_eq!(whole["groups"]["box"]["objects"], 1);

    let part = generate(text(&two), "2", &["--trials", "3", "--threads", "2"]);
    report(&part, 0);
    let rest = generate(text(&two), "4", &["--trials", "3", "--threads", "2"]);
    let added = report(&rest, 0);
    assert_eq!((&added["made"], &added["skipped"]), (&2.into(), &2.into()));
    // What was read back counts as what was just made.
    assert_eq!(added["groups"], whole["groups"]);
    assert!(files(&one) == files(&two));

    let again = report(&rest, 0);
    assert_eq!(again["made"], 0);
    assert!(again["trials_per_s"].is_null());
    let other = generate(text(&two), "4", &["--trials", "4"]);
    check_refused(&other, 3, &["settings.json", "`trials` is 3", "--out"]);
    let damaged = two.join("objects/box_00000.json");
    std::fs::write(&damaged, "{\"settings\":").expect("writes");
    check_refused(&rest, 3, &["box_00000.json", "damaged", "delete it"]);
}

#[test]
fn a_gripper_that_opens_too_little_is_refused_before_any_trial() {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = prehend_types::config::locate("robots/grippers/so101_jaw.toml");
    let shipped = std::fs::read_to_string(shipped.expect("shipped")).expect("reads");
    let narrow = folder.path().join("narrow.toml");
    let edited = shipped.replacen("max_width_m = 0.07", "max_width_m = 0.008", 1);
    assert_ne!(edited, shipped);
    std::fs::write(&narrow, edited).expect("writes");
    let out = folder.path().join("out");
    let args = generate(text(&out), "20", &["--gripper", text(&narrow)]);
    check_refused(
        &args,
        3,
        &["narrow.toml", "`max_width_m`", "0.008", "or more"],
    );
    assert!(!out.exists(), "it wrote something");
}

#[test]
fn bad_meshes_are_told_one_by_one_and_stop_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let meshes = folder.path().join("meshes");
    std::fs::create_dir_all(meshes.join("more")).expect("makes");
    let size = [0.05, 0.03, 0.04];
    let whole = box_obj(size, &BOX);
    let inverted = BOX.map(|[a, b, c, d]| [d, c, b, a]);
    let mut truncated = vec![0_u8; 84];
    truncated[80] = 12; // twelve triangles announced, none there
    let written = [
        ("cut.obj", whole.as_bytes()[..whole.len() - 4].to_vec()),
        ("whole.obj", whole.into_bytes()),
        ("open.obj", box_obj(size, &BOX[..5]).into_bytes()),
        ("more/inverted.obj", box_obj(size, &inverted).into_bytes()),
        (
            "millimetres.obj",
            box_obj([50.0, 30.0, 40.0], &BOX).into_bytes(),
        ),
        ("truncated.stl", truncated),
        ("empty.stl", Vec::new()),
    ];
    for (name, bytes) in written {
        std::fs::write(meshes.join(name), bytes).expect("writes");
    }
    let out = folder.path().join("out");
    let args = [
        "objects",
        "import",
        text(&meshes),
        "--out",
        text(&out),
        "--trials",
        "4",
        "--json",
    ];
    let told = report(&args, 1);
    let list = |key: &str, inner: &str| -> Vec<(String, String)> {
        let rows = told[key].as_array().expect("a list").iter();
        rows.map(|row| {
            (
                row["file"].as_str().expect("a name").to_owned(),
                row[inner].to_string(),
            )
        })
        .collect()
    };
    let expected = [
        ("cut.obj", "line 14"),
        ("empty.stl", "too short"),
        ("millimetres.obj", "--scale 0.001"),
        ("truncated.stl", "12 triangles"),
    ];
    let refused = list("refused", "why");
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for ((file, why), (name, word)) in refused.iter().zip(expected) {
        assert!(file == name && why.contains(word), "{file}: {why}");
    }
    let repaired = list("repaired", "repairs");
    assert_eq!(repaired.len(), 2);
    for ((file, what), (name, word)) in repaired.iter().zip([
        ("more/inverted.obj", "inside out"),
        ("open.obj", "not closed"),
    ]) {
        assert!(file == name && what.contains(word), "{file}: {what}");
    }
    assert_eq!(told["objects"], 3);
    assert_eq!(told["verified_objects"], 3);

    // Grasps are in the mesh's own frame: on its surface, one corner of which is the origin.
    let bytes = std::fs::read(out.join("objects/more/inverted.obj.json")).expect("stored");
    let record: Value = serde_json::from_slice(&bytes).expect("JSON");
    for trial in record["trials"].as_array().expect("a list") {
        let near = (0..3).any(|axis| {
            let at = trial["contact_m"][axis].as_f64().expect("a number");
            at.abs() < 1e-4 || (at - size[axis]).abs() < 1e-4
        });
        assert!(near, "{trial}");
    }

    // A mesh that changed is refused alone; nothing is made twice.
    std::fs::write(meshes.join("whole.obj"), box_obj([0.05; 3], &BOX)).expect("writes");
    let again = report(&args, 1);
    assert_eq!((&again["made"], &again["skipped"]), (&0.into(), &2.into()));
    let why = again["refused"].to_string();
    assert!(
        why.contains("whole.obj") && why.contains("`origin`"),
        "{why}"
    );
}

#[test]
fn folders_without_a_usable_mesh_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let import = |from: &Path, words: &[&str]| {
        let args = ["objects", "import", text(from), "--out", text(&out)];
        check_refused(&args, 3, words);
    };
    import(&folder.path().join("nowhere"), &["nowhere", "not a folder"]);
    import(folder.path(), &["no .obj or .stl"]);
    let large = box_obj([50.0, 30.0, 40.0], &BOX);
    std::fs::write(folder.path().join("a.obj"), large).expect("writes");
    import(folder.path(), &["all 1 meshes", "a.obj", "--scale 0.001"]);
    assert!(!out.exists(), "it wrote something");
    let args = ["objects", "import", "x", "--out", "y", "--scale", "0"];
    check_refused(&args, 2, &["--scale", "above 0"]);
}
