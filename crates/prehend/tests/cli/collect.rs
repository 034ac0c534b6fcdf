//! Collecting: same bytes, resumed, interrupted, out of space, one writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use prehend_data::{EpisodeStore, FolderLock};

use crate::common::{check_refused, code_and_stderr, prehend, root, scene_hard_to_see, text};

/// Between what targets of the tabletop scene show at the start: more than some, fewer than others.
const LEAST_POINTS: usize = 600;

/// Collects `n` episodes and returns the report.
fn collect(out: &Path, n: u64, more: &[&str]) -> serde_json::Value {
    let n = n.to_string();
    let output = prehend(&["collect", "--json", "--episodes", &n, "--out"])
        .arg(out)
        .args(more)
        .output()
        .expect("the program starts");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

fn files(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |path: &Path| std::fs::read(path).expect("reads");
    let mut files = BTreeMap::from([("store.toml".to_owned(), read(&store.join("store.toml")))]);
    for entry in std::fs::read_dir(store.join("episodes")).expect("lists") {
        let path = entry.expect("lists").path();
        files.insert(
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            read(&path),
        );
    }
    files
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_interruptions() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let [at_once, in_parts] = ["a", "b"].map(|name| folder.path().join(name));
    let report = collect(&at_once, 3, &["--threads", "1"]);
    assert_eq!(
        (&report["episodes"], &report["skipped"]),
        (&3.into(), &0.into())
    );
    collect(&in_parts, 1, &["--threads", "2"]);
    let report = collect(&in_parts, 3, &["--threads", "2"]);
    assert_eq!(
        (&report["episodes"], &report["skipped"]),
        (&2.into(), &1.into())
    );
    assert_eq!(files(&at_once), files(&in_parts));
}

/// A seed without a usable start is passed over and counted; what the others give is kept. A scene without
/// any is refused.
#[test]
fn a_seed_without_a_start_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let store = folder.path().join("store");
    let scene = scene_hard_to_see(folder.path(), LEAST_POINTS);
    let report = collect(&store, 8, &["--scene", text(&scene)]);
    let [episodes, unusable] = ["episodes", "unusable"].map(|key| report[key].as_u64());
    let (episodes, unusable) = (episodes.expect("a count"), unusable.expect("a count"));
    assert!(episodes > 0 && unusable > 0, "{report}");
    assert_eq!(episodes + unusable, 8);
    assert_eq!(files(&store).len() as u64, 1 + episodes);

    let never = scene_hard_to_see(folder.path(), 2000);
    let out = folder.path().join("none");
    let args = [
        "collect",
        "--episodes",
        "2",
        "--scene",
        text(&never),
        "--out",
        text(&out),
    ];
    check_refused(&args, 3, &["no usable start for any of 2 seeds"]);
}

#[test]
fn other_settings_do_not_mix_into_a_store() {
    let folder = tempfile::tempdir().expect("temporary folder");
    collect(folder.path(), 1, &[]);
    let out = folder.path().to_str().expect("a plain path");
    check_refused(
        &["collect", "--out", out, "--undisturbed"],
        3,
        &["store.toml", "config"],
    );
}

#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let _lock = FolderLock::acquire(folder.path()).expect("free");
    let out = folder.path().to_str().expect("a plain path");
    check_refused(
        &["collect", "--out", out],
        3,
        &["another process", "choose another folder"],
    );
}

#[test]
fn ctrl_c_keeps_whole_episodes() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let child = prehend(&["collect", "--episodes", "100000", "--out"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let episodes = folder.path().join("episodes");
    let n_files = || {
        let whole = |name: &str| name.ends_with(".episode");
        std::fs::read_dir(&episodes).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|e| whole(&e.file_name().to_string_lossy()))
                .count()
        })
    };
    let patience = Instant::now();
    while n_files() == 0 && patience.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.expect("kill runs").success());
    let (code, stderr) = code_and_stderr(&child.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("everything finished is kept"), "{stderr}");
    let store = EpisodeStore::open(folder.path()).expect("a store");
    assert!(store.validate().expect("whole").episodes > 0);
}

/// No file of the program may have more than 1 kB: an episode meets what it would on a full disk.
#[test]
fn a_full_disk_is_lost_data_and_says_what_is_kept() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"])
        .arg(env!("CARGO_BIN_EXE_prehend"))
        .args(["collect", "--episodes", "2", "--out"])
        .arg(folder.path())
        .current_dir(root())
        .output()
        .expect("bash runs");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(5), "{stderr}");
    for word in [
        "0 of 2 episodes are kept",
        "no space left",
        ".episode",
        "free some space",
    ] {
        assert!(stderr.contains(word), "{word:?} is missing: {stderr}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("episodes"))
            .expect("lists")
            .count(),
        0
    );
}
