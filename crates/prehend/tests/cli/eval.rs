//! Evaluating: the same episodes whatever the number of threads.

use crate::common::{code_and_stderr, prehend, report, scene_hard_to_see, text};

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
    assert_eq!(code, Some(5), "{stderr}");
    assert!(stderr.contains("no/such/folder"), "{stderr}");
}

/// Seeds without a usable start are passed over and counted, and are no episodes.
#[test]
fn a_seed_without_a_start_is_no_episode() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let scene = scene_hard_to_see(folder.path(), 600);
    let args = [
        "eval",
        "expert",
        "--json",
        "--episodes",
        "8",
        "--seed",
        "0",
        "--families",
    ];
    let report = report(
        &[&args[..], &["train", "--scene", text(&scene)]].concat(),
        0,
    );
    let [n, unusable] = ["n", "unusable"].map(|key| report[key].as_u64().expect("a count"));
    assert!(n > 0 && unusable > 0, "{report}");
    assert_eq!(n + unusable, 8);
}
