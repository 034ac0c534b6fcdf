//! From a folder of meshes to labelled scenes of them, seen from outside.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{BOX, box_obj, check_refused, report, run, text};

/// Two things that the shipped hand can hold, in frames far from them, and one that it cannot.
const MESHES: [(&str, [f64; 3]); 3] = [
    ("bar.obj", [0.10, 0.03, 0.025]),
    ("more/brick.obj", [0.06, 0.04, 0.05]),
    ("crate.obj", [0.12, 0.12, 0.12]),
];

/// Writes meshes and imports them.
fn import(folder: &Path, names: &[&str]) -> PathBuf {
    let meshes = folder.join("meshes");
    std::fs::create_dir_all(meshes.join("more")).expect("makes");
    for (name, size) in MESHES {
        if names.contains(&name) {
            std::fs::write(meshes.join(name), box_obj(size, &BOX)).expect("writes");
        }
    }
    let out = folder.join("objects");
    let paths = [text(&meshes), "--out", text(&out), "--trials", "3"];
    let told = report(
        &[&["objects", "import"], &paths[..], &["--json"]].concat(),
        0,
    );
    assert_eq!(told["objects"], names.len());
    out
}

/// `scenes generate` of two scenes of a folder's objects.
fn generate<'a>(objects: &'a Path, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["scenes", "generate", "--scenes", "2", "--json"];
    let paths = ["--objects", text(objects), "--out", text(out)];
    [&args[..], &paths, more].concat()
}

fn bytes(out: &Path) -> Vec<Vec<u8>> {
    let names = ["scenes.json", "scene_00000000.bin", "scene_00000001.bin"];
    let read = |name| std::fs::read(out.join(name)).expect("stored");
    names.map(read).into()
}

#[test]
fn scenes_are_made_of_the_meshes_that_can_be_held_and_of_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = MESHES.map(|(name, _)| name);
    let objects = import(folder.path(), &all);
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let first = report(&generate(&objects, &one, &["--threads", "1"]), 0);
    assert_eq!(
        (&first["scenes"], &first["skipped"]),
        (&2.into(), &0.into())
    );
    let left_out = first["left_out"].as_array().expect("a list");
    assert_eq!(left_out.len(), 1, "{first}");
    assert_eq!(left_out[0]["name"], "crate.obj");
    let why = left_out[0]["why"].as_str().expect("text");
    assert!(why.contains("120.0 mm thick"), "{why}");

    // The same again is nothing to do; elsewhere and on more threads it is the same bytes.
    let again = report(&generate(&objects, &one, &[]), 0);
    assert_eq!(
        (&again["scenes"], &again["skipped"]),
        (&0.into(), &2.into())
    );
    report(&generate(&objects, &two, &["--threads", "2"]), 0);
    assert!(bytes(&one) == bytes(&two));
    let manifest: Value = serde_json::from_slice(&bytes(&one)[0]).expect("JSON");
    assert_eq!(manifest["objects"], first["source"]);
    assert!(manifest["objects"]["folder"]["digest"].is_string());

    let mut met = std::collections::BTreeSet::new();
    for seed in ["0", "1"] {
        let picture = folder.path().join("scene.png");
        let paths = ["--objects", text(&objects), "--out", text(&picture)];
        let args = ["scenes", "inspect", "--seed", seed, "--json"];
        let told = report(&[&args[..], &paths].concat(), 0);
        let names = told["names"].as_array().expect("a list").iter();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        assert_eq!(told["objects"], names.len());
        assert!(told["grasps"].as_u64() > Some(0), "{told}");
        met.extend(names.into_iter().map(str::to_owned));
    }
    let met: Vec<&str> = met.iter().map(String::as_str).collect();
    assert_eq!(met, ["bar.obj", "more/brick.obj"]);

    let of_folder = ["--scenes", "1", "--objects", text(&objects), "--json"];
    let evaluate = ["scenes", "evaluate", "models/pick-place", "--no-clearing"];
    let told = report(&[&evaluate[..], &of_folder].concat(), 0);
    // Named as before there were folders, which are of no split.
    assert_eq!(told.get("split"), Some(&Value::Null), "{told}");
    assert_eq!(told["objects_folder"], text(&objects));
    assert_eq!(told["source"], first["source"]);
    let output = run(&[&["scenes", "audit"], &of_folder[..]].concat());
    // One scene may fall short of what is required of many.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["n"], &told["source"]), (&1.into(), &first["source"]));

    check_refused(
        &generate(&objects, &one, &["--split", "train"]),
        2,
        &["--split", "--objects", "cannot be used"],
    );
    // Another choice of objects is another store of scenes.
    let words = ["scenes.json", "digest", "another folder"];
    let split = ["scenes", "generate", "--out", text(&one), "--scenes", "2"];
    check_refused(&split, 3, &words);
    std::fs::remove_file(objects.join("objects/more/brick.obj.json")).expect("removes");
    check_refused(&generate(&objects, &one, &[]), 3, &words);
}

#[test]
fn folders_that_no_scene_can_be_made_of_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("scenes");
    let check = |objects: &Path, more: &[&str], words: &[&str]| {
        check_refused(&generate(objects, &out, more), 3, words);
        assert!(!out.exists(), "it wrote something");
    };
    check(&folder.path().join("nowhere"), &[], &["nowhere"]);
    check(
        folder.path(),
        &[],
        &["no folder of objects", "objects import"],
    );

    let both = ["bar.obj", "crate.obj"];
    let objects = import(folder.path(), &both);
    let record = objects.join("objects/bar.obj.json");
    std::fs::remove_file(&record).expect("removes");
    let words = ["none of the 1 objects", "crate.obj", "120.0 mm thick"];
    check(&objects, &[], &words);

    import(folder.path(), &both);
    let other = ["--gripper", "robots/grippers/so101_jaw.toml"];
    let words = ["`gripper.", "another gripper", "settings.json"];
    check(&objects, &other, &words);

    let whole = std::fs::read_to_string(&record).expect("stored");
    let spoil = |from: &str, to: &str| {
        let spoiled = whole.replacen(from, to, 1);
        assert_ne!(spoiled, whole);
        std::fs::write(&record, spoiled).expect("writes");
    };
    std::fs::write(&record, &whole[..whole.len() / 2]).expect("writes");
    check(&objects, &[], &["bar.obj.json", "damaged", "delete it"]);
    spoil("\"mass_kg\":", "\"mass_kg\":-");
    check(&objects, &[], &["bar.obj.json", "`mass_kg`"]);
    spoil("\"name\":\"bar", "\"name\":\"rab");
    check(&objects, &[], &["bar.obj.json", "`name`"]);
    spoil("\"settings\":\"", "\"settings\":\"0");
    check(&objects, &[], &["`settings`"]);

    std::fs::remove_dir_all(objects.join("objects")).expect("removes");
    check(&objects, &[], &["holds no objects"]);
}
