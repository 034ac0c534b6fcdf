//! The simulator from the command line: replay, verify, bench.

use prehend_data::{EpisodeRecord, EpisodeStore, StoreWriter};

use crate::common::{check_refused, code_and_stderr, prehend};

fn json(args: &[&str]) -> serde_json::Value {
    let output = prehend(args).output().expect("the program starts");
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn stored_episodes_replay_bit_for_bit_with_every_arm() {
    for arm in ["exact", "actuated", "dynamic"] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store");
        let store = store.to_str().expect("text");
        json(&[
            "collect",
            "--json",
            "--episodes",
            "4",
            "--arm",
            arm,
            "--out",
            store,
        ]);
        let report = json(&["replay", "--json", store]);
        assert_eq!(report["episodes"], 4);
        assert_eq!(report["identical"], 4);
        assert!(report["first_difference"].is_null());
        let one = json(&["replay", "--json", "--seed", "2", store]);
        assert_eq!(one["episodes"], 1);
        check_refused(
            &["replay", store, "--scene", "scenes/stack.toml"],
            3,
            &["another scene"],
        );
    }
}

type Change = fn(&mut EpisodeRecord);

#[test]
fn a_label_that_was_changed_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let true_store = path("true");
    let out = true_store.to_str().expect("text");
    json(&["collect", "--json", "--episodes", "1", "--out", out]);
    let store = EpisodeStore::open(&true_store).expect("a store");
    let episode = store.read(store.seeds()[0]).expect("an episode");
    let changes: [(&str, Change); 4] = [
        // Cut short, it has not failed yet.
        ("failure", |e| {
            e.steps.truncate(10);
            (e.success, e.failure) = (false, Some("timed_out".to_owned()));
        }),
        ("instruction", |e| e.instruction.push('!')),
        ("target_family", |e| e.target_family = "cup".to_owned()),
        // What the target was drawn from.
        ("draws", |e| e.held_out = !e.held_out),
    ];
    for (field, change) in changes {
        let mut changed = episode.clone();
        change(&mut changed);
        let out = path(field);
        let writer = StoreWriter::open(&out, store.manifest().clone()).expect("a store");
        writer.write(&changed).expect("writes");
        drop(writer);
        let mut command = prehend(&["replay", "--json", out.to_str().expect("text")]);
        let output = command.output().expect("the program starts");
        let (code, stderr) = code_and_stderr(&output);
        assert_eq!(code, Some(1), "{field}: {stderr}");
        let stdout = String::from_utf8(output.stdout).expect("text");
        let line = stdout.lines().last().expect("a line");
        let report: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(report["first_difference"]["field"], field);
    }
}

#[test]
fn what_another_simulator_made_is_not_added_to_and_a_difference_is_put_down_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let out = store.to_str().expect("text");
    let collect = ["collect", "--json", "--episodes", "1", "--out", out];
    json(&collect);
    let manifest = store.join("store.toml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let own = prehend_sim::revision("tabletop");
    assert!(text.contains(&own), "{text}");
    std::fs::write(&manifest, text.replace(&own, "0123456789abcdef")).expect("writes");
    let again = ["collect", "--episodes", "2", "--out", out];
    check_refused(&again, 3, &["config", "0123456789abcdef"]);

    let writer = EpisodeStore::open(&store).expect("a store");
    let mut changed = writer.read(0).expect("an episode");
    let writer = StoreWriter::open(&store, writer.manifest().clone()).expect("a store");
    changed.instruction.push('!');
    writer.write(&changed).expect("writes");
    drop(writer);
    let output = prehend(&["replay", out]).output();
    let (code, stderr) = code_and_stderr(&output.expect("the program starts"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("another version of the simulator"),
        "{stderr}"
    );
}

#[test]
fn a_task_without_an_expert_leaves_no_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let out = store.to_str().expect("text");
    let scene = "scenes/clear_table.toml";
    check_refused(
        &["collect", "--scene", scene, "--out", out],
        3,
        &["clear_table"],
    );
    assert!(!store.exists());
}

#[test]
fn a_replay_of_nothing_is_refused() {
    check_refused(&["replay", "no/such/store"], 3, &["no/such/store"]);
}

#[test]
fn verify_prints_measured_against_required() {
    let report = json(&["sim", "verify", "--json", "--only", "critical"]);
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(report["passed"], 4);
    assert_eq!(report["failed"], 0);
    assert!(
        rows.iter()
            .all(|row| row["measured"].is_f64() && row["unit"] == "mm")
    );
    check_refused(
        &["sim", "verify", "--only", "magic"],
        2,
        &["no test starts like this"],
    );
}

#[test]
fn the_simulator_benchmark_holds_the_cube_it_is_timed_with() {
    let report = json(&[
        "bench",
        "sim",
        "--json",
        "--seconds",
        "0.05",
        "--rounds",
        "1",
    ]);
    let rows = report["rows"].as_array().expect("rows");
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.expect(name)["value"].as_f64().expect("a number")
    };
    for setting in [
        "default",
        "equal",
        "equal_5ms",
        "exact",
        "exact_equal",
        "dynamic",
        "dynamic_equal",
    ] {
        let grasp = |what: &str| value(&format!("prehend/{setting}/grasp/{what}"));
        assert_eq!(grasp("lifted"), 1.0, "{setting}");
        assert!(grasp("1_threads") > 0.0, "{setting}");
        // Equal accuracy: what the protocol asks of a setting before its speed may be compared.
        let (slip, off) = (grasp("hold_slip"), grasp("distance_from_reference"));
        assert!(slip < 0.1, "{setting}: slips {slip} mm in 5 s");
        assert!(off < 1.0, "{setting}: {off} mm from the reference");
    }
    assert!(value("prehend/memory_per_world") > 0.0);
}
