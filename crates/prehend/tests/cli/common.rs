//! Runs the built program and looks at what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
