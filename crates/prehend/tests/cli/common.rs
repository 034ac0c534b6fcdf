//! Runs the built program and looks at what it says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The project's root, so that robots, scenes and models are found.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The program with arguments, in the project's root.
pub fn prehend(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prehend"));
    command
        .args(args)
        .current_dir(root())
        .env_remove("PREHEND_HOME")
        .env_remove("PREHEND_LOG");
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    prehend(args).output().expect("the program starts")
}

/// Its exit code and what it wrote to stderr.
pub fn code_and_stderr(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Runs it, expecting this exit code and these words on stderr, and nothing on stdout.
#[track_caller]
pub fn check_refused(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args);
    let (found, stderr) = code_and_stderr(&output);
    assert_eq!(found, Some(code), "{args:?}: {stderr}");
    for word in words {
        assert!(
            stderr.contains(word),
            "{args:?} should say {word:?}: {stderr}"
        );
    }
    assert!(output.stdout.is_empty(), "{args:?} wrote to stdout");
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Runs it and reads its report.
#[track_caller]
pub fn report(args: &[&str], code: i32) -> Value {
    let output = run(args);
    let (found, stderr) = code_and_stderr(&output);
    assert_eq!(found, Some(code), "{args:?}: {stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

/// Quads of a box, counter-clockwise seen from outside.
pub const BOX: [[usize; 4]; 6] = [
    [1, 3, 4, 2],
    [5, 6, 8, 7],
    [1, 2, 6, 5],
    [3, 7, 8, 4],
    [1, 5, 7, 3],
    [2, 4, 8, 6],
];

/// A box with one corner at the origin, of some of its faces.
pub fn box_obj(size: [f64; 3], faces: &[[usize; 4]]) -> String {
    let mut text = String::new();
    for corner in 0..8 {
        let at = [0, 1, 2].map(|axis| {
            if corner >> axis & 1 == 1 {
                size[axis]
            } else {
                0.0
            }
        });
        writeln!(text, "v {} {} {}", at[0], at[1], at[2]).expect("writes");
    }
    for [a, b, c, d] in faces {
        writeln!(text, "f {a} {b} {c} {d}").expect("writes");
    }
    text
}

/// A copy of the tabletop scene in `folder` whose target must show so many points: some seeds have no
/// start like that.
pub fn scene_hard_to_see(folder: &Path, least: usize) -> PathBuf {
    let text = std::fs::read_to_string(root().join("scenes/tabletop.toml")).expect("reads");
    let mut changed = text.clone();
    for (from, to) in [
        (
            "min_target_points = 25",
            format!("min_target_points = {least}"),
        ),
        (
            "quotas = { target = 192",
            "quotas = { target = 2000".to_owned(),
        ),
    ] {
        assert!(changed.contains(from), "{from}");
        changed = changed.replace(from, &to);
    }
    let path = folder.join("hard_to_see.toml");
    std::fs::write(&path, changed).expect("writes");
    path
}
