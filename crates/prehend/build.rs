//! Turns the state of the repository into `PREHEND_COMMIT`, which reports carry.

use std::process::Command;

fn main() {
    // A packaged source has no repository: then the commit is honestly unknown.
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    // Sources that differ from the commit are not the commit's.
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "../../crates",
        "../../Cargo.lock",
    ]);
    let mark = if changed.is_some_and(|changes| !changes.is_empty()) {
        "-dirty"
    } else {
        ""
    };
    println!("cargo::rustc-env=PREHEND_COMMIT={commit}{mark}");
    println!("cargo::rerun-if-changed=../../crates");
    // Every commit and checkout appends to this file; without it, git is not asked again.
    if let Some(log) = git(&[
        "rev-parse",
        "--path-format=absolute",
        "--git-path",
        "logs/HEAD",
    ]) && std::path::Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
