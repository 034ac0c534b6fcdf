//! Evaluating: the same episodes whatever the number of threads.

use crate::common::{code_and_stderr, prehend};

#[test]
fn episodes_are_the_same_to_the_last_digit_on_one_thread_and_on_two() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let log = |threads: &str| {
        let file = folder.path().join(threads);
        let output = prehend(&["eval", "models/fr3_pick_place", "--episodes", "6"])
            .args(["--seed", "850100", "--threads", threads, "--log"])
            .arg(&file)
            .output()
            .expect("the program starts");
        let (code, stderr) = code_and_stderr(&output);
        assert_eq!(code, Some(0), "{stderr}");
        std::fs::read_to_string(file).expect("a log")
    };
    let one = log("1");
    assert_eq!(one.lines().count(), 6);
    assert_eq!(one, log("2"));
}

#[test]
fn a_log_that_cannot_be_written_is_refused_first() {
    let output = prehend(&["eval", "expert", "--log", "no/such/folder/log.jsonl"])
        .output()
        .expect("the program starts");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("no/such/folder"), "{stderr}");
}
