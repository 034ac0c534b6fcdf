//! A user's robot file from the command line: import, run, refusal.

use std::fs;
use std::path::Path;

use crate::common::{check_refused, code_and_stderr, prehend};

const FR3: &str = "robots/fr3/robot.urdf";

/// An arm with six joints, as other programs describe it.
const SIX: &str = "crates/prehend/tests/cli/six_joints.urdf";

fn import(file: &str, out: &Path) -> serde_json::Value {
    let out = out.to_str().expect("text");
    report(&["robot", "import", file, "--json", "--out", out])
}

fn report(args: &[&str]) -> serde_json::Value {
    let output = prehend(args).output().expect("the program starts");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn an_imported_robot_is_written_once_and_says_what_it_guessed() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("my_arm");
    let report = import(FR3, &out);
    assert_eq!(report["format"], "urdf");
    assert_eq!(report["joints"].as_array().expect("joints").len(), 7);
    assert_eq!(report["tcp_link"], "fr3_hand_tcp");
    assert!(!report["assumed"].as_array().expect("guesses").is_empty());
    let toml = out.join("robot.toml");
    let first = fs::read(&toml).expect("robot.toml");
    check_refused(
        &["robot", "import", FR3, "--out", out.to_str().expect("text")],
        3,
        &["robot.urdf", "it exists"],
    );
    assert_eq!(fs::read(&toml).expect("robot.toml"), first);
}

#[test]
fn a_bad_robot_file_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("arm.urdf");
    let text = "<robot name=\"a\">\n<link name=\"base\"/>\n<joint name=\"j\" type=\"revolute\">\n<parent link=\"base\"/><child link=\"none\"/>\n<limit lower=\"-1\" upper=\"1\" velocity=\"1\" effort=\"1\"/>\n</joint>\n</robot>\n";
    fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("text");
    check_refused(&["robot", "import", file], 3, &["arm.urdf:", "none"]);
    check_refused(
        &["robot", "import", "no/such.urdf"],
        3,
        &["no/such.urdf", "cannot read"],
    );
}

#[test]
fn an_imported_arm_does_the_tasks_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let robot = folder.path().join("six");
    assert_eq!(
        import(SIX, &robot)["joints"].as_array().map(Vec::len),
        Some(6)
    );
    let robot = robot.to_str().expect("text");
    for (task, least) in [("lift", 10), ("stack", 9), ("tabletop", 8)] {
        let scene = format!("scenes/{task}.toml");
        let out = folder.path().join(task);
        let out = out.to_str().expect("text");
        let report = report(&[
            "collect",
            "--json",
            "--robot",
            robot,
            "--scene",
            &scene,
            "--episodes",
            "10",
            "--seed",
            "7000",
            "--out",
            out,
        ]);
        assert!(
            report["successes"].as_u64() >= Some(least),
            "{task}: {report}"
        );
    }
}
