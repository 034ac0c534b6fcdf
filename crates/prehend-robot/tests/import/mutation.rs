//! Random damage to every file of the corpus: never a panic, never a hang, and what loads is finite.
//!
//! `PREHEND_MUTATIONS=1000000 cargo test --release -p prehend-robot mutat` runs longer; `fuzz/` holds the
//! same check for cargo-fuzz.

use std::fs;
use std::time::{Duration, Instant};

use prehend_robot::import::{ImportOptions, load};
use prehend_types::{Stream, derive_seed};

use crate::corpus;

const MUTATIONS: u64 = 20_000;

/// Numbers and words that break readers.
const WORDS: [&str; 24] = [
    "NaN",
    "-inf",
    "1e400",
    "0",
    "-1",
    "1e-320",
    "99999999999",
    "0x10",
    "\"",
    "<",
    ">",
    "</",
    "/>",
    "&amp;",
    "&#0;",
    "<!--",
    "]]>",
    "\0",
    "\u{feff}",
    "package://",
    "../",
    "class=\"main\"",
    " name=\"base\"",
    "é",
];

struct Dice {
    seed: u64,
    draws: u64,
}

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.draws += 1;
        (derive_seed(self.seed, Stream::Scene, self.draws) % n.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice, others: &[(String, Vec<u8>)]) {
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].bytes())),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            4 => {
                // A number becomes another one.
                let digit = |b: &u8| b.is_ascii_digit() || *b == b'.';
                if let Some(start) = bytes[at..].iter().position(digit).map(|p| at + p) {
                    let length = bytes[start..].iter().take_while(|b| digit(b)).count();
                    let word = WORDS[dice.below(8)].bytes();
                    drop(bytes.splice(start..start + length, word));
                }
            }
            _ => {
                let other = &others[dice.below(others.len())].1;
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(200)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
}

#[test]
fn mutated_files_are_read_or_refused() {
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    let mut n_good = 0;
    for folder in ["good", "good/meshes", "good/parts", "bad"] {
        if folder == "bad" {
            n_good = seeds.len();
        }
        let mut paths: Vec<_> = fs::read_dir(corpus(folder))
            .expect("the corpus")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file() && path.extension().is_some_and(|e| e != "expect"))
            .collect();
        paths.sort();
        seeds.extend(paths.into_iter().map(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (name, fs::read(path).expect("a file"))
        }));
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::create_dir(folder.path().join("meshes")).expect("a folder");
    for name in ["meshes/box.stl", "meshes/tetra.stl", "meshes/ell.obj"] {
        fs::copy(corpus(&format!("good/{name}")), folder.path().join(name)).expect("a mesh");
    }
    // A damaged mesh is read through a model that names it.
    let holder = |name: &str| {
        format!(
            r#"<robot name="r"><link name="a"><collision><geometry><mesh filename="{name}"/></geometry></collision>
            </link><link name="b"/><joint name="j" type="revolute"><parent link="a"/><child link="b"/>
            <axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>"#
        )
    };
    let mutations = std::env::var("PREHEND_MUTATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(MUTATIONS);
    let options = ImportOptions {
        repair_inertias: true,
        ..ImportOptions::default()
    };
    let (mut loaded, mut slowest) = (0_u64, (Duration::ZERO, 0));
    let begin = Instant::now();
    for case in 0..mutations {
        let mut dice = Dice {
            seed: case,
            draws: 0,
        };
        // Half of the time a good file: most damage to a bad one is met by its own defect.
        let n = if dice.below(2) == 0 {
            n_good
        } else {
            seeds.len()
        };
        let (name, bytes) = &seeds[dice.below(n)];
        let mut bytes = bytes.clone();
        mutate(&mut bytes, &mut dice, &seeds);
        let path = folder.path().join(name);
        fs::write(&path, &bytes).expect("a mutated file");
        let is_mesh = name.ends_with(".stl") || name.ends_with(".obj");
        let model = if is_mesh {
            let model = folder.path().join("holder.urdf");
            fs::write(&model, holder(name)).expect("a model");
            model
        } else {
            path
        };
        let start = Instant::now();
        // A panic ends the test and prints the case; a hang shows as the slowest.
        let result = load(&model, &options);
        let took = start.elapsed();
        if took > slowest.0 {
            slowest = (took, case);
        }
        match result {
            Ok(imported) => {
                loaded += 1;
                let robot = &imported.robot;
                let pose = robot.forward(robot.home());
                assert!(
                    pose.translation.vector.iter().all(|v| v.is_finite()),
                    "case {case}: {name}"
                );
                assert!(robot.limits().contains(robot.home()), "case {case}: {name}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    println!(
        "{mutations} mutations in {:.1?}: {loaded} load, slowest {:.1?} (case {})",
        begin.elapsed(),
        slowest.0,
        slowest.1
    );
    assert!(
        loaded > mutations / 100,
        "nearly nothing loads: the test only sees the XML parser"
    );
    // Tens of milliseconds on a free machine, where splitting a mesh is the slowest; a hang is a hang
    // on a busy one too.
    assert!(slowest.0 < Duration::from_secs(30), "{slowest:?}");
}
