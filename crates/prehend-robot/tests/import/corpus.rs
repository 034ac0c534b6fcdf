//! Every bad file is refused in time, with words that help; every good one loads.

use std::fs;
use std::time::{Duration, Instant};

use crate::{corpus, import};

#[test]
fn bad_files_are_refused_with_file_line_element_and_remedy() {
    let mut names: Vec<String> = fs::read_dir(corpus("bad"))
        .expect("the corpus")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let mut seen = 0;
    let mut slowest = (Duration::ZERO, String::new());
    let mut wrong = Vec::new();
    for name in names.iter().filter_map(|name| name.strip_suffix(".expect")) {
        let expected = fs::read_to_string(corpus(&format!("bad/{name}.expect"))).expect("words");
        let start = Instant::now();
        let result = import(&format!("bad/{name}"));
        let took = start.elapsed();
        if took > slowest.0 {
            slowest = (took, name.to_owned());
        }
        seen += 1;
        match result {
            Ok(_) => wrong.push(format!("{name}: was accepted")),
            Err(error) => {
                let shown = error.to_string();
                // Every message names the file that was imported, or the part of it that is wrong.
                for part in expected.lines().chain([name]) {
                    if !shown.contains(part) {
                        wrong.push(format!("{name}: {part:?} is not in: {shown}"));
                    }
                }
            }
        }
    }
    println!("{seen} bad files, slowest {slowest:?}");
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(seen >= 100, "only {seen} files: is the corpus there?");
    // The promise is 1 s for each; all together take far less.
    assert!(slowest.0 < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn good_files_load() {
    for (name, n_joints) in [
        ("good/little.urdf", 4),
        ("good/little.xml", 4),
        ("good/meshes.urdf", 1),
        ("good/parts.xml", 1),
    ] {
        let imported = import(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(imported.robot.n_joints(), n_joints, "{name}");
    }
}
