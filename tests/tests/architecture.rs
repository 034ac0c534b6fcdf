//! The arrows between crates: who may know whom. The table is the one in README.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crates from the command line down; an arrow may only point further down.
const ORDER: [&str; 14] = [
    "prehend",
    "prehend-faults",
    "prehend-runtime",
    "prehend-train",
    "prehend-nets",
    "prehend-drivers",
    "prehend-data",
    "prehend-link",
    "prehend-policy",
    "prehend-sim",
    "prehend-cloud",
    "prehend-control",
    "prehend-robot",
    "prehend-types",
];

/// What a crate must not know, not even through another crate.
const MUST_NOT_KNOW: [(&str, &[&str]); 13] = [
    ("prehend-faults", &["prehend-train", "prehend-nets", "burn"]),
    (
        "prehend-runtime",
        &["prehend-train", "prehend-nets", "burn"],
    ),
    (
        "prehend-train",
        &["prehend-drivers", "prehend-link", "zenoh"],
    ),
    (
        "prehend-nets",
        &[
            "prehend-sim",
            "prehend-data",
            "prehend-policy",
            "prehend-link",
            "rapier3d",
            "ort",
            "zenoh",
        ],
    ),
    ("prehend-drivers", &["prehend-policy", "ort", "burn"]),
    (
        "prehend-data",
        &[
            "prehend-control",
            "prehend-sim",
            "prehend-cloud",
            "rapier3d",
            "ort",
            "burn",
        ],
    ),
    (
        "prehend-link",
        &[
            "prehend-robot",
            "prehend-control",
            "prehend-sim",
            "ort",
            "burn",
        ],
    ),
    (
        "prehend-policy",
        &["prehend-sim", "burn", "rapier3d", "zenoh"],
    ),
    (
        "prehend-sim",
        &["prehend-policy", "prehend-link", "ort", "burn", "zenoh"],
    ),
    (
        "prehend-cloud",
        &[
            "prehend-control",
            "prehend-robot",
            "rapier3d",
            "ort",
            "burn",
            "zenoh",
        ],
    ),
    (
        "prehend-control",
        &["prehend-cloud", "rapier3d", "ort", "burn", "zenoh"],
    ),
    (
        "prehend-robot",
        &[
            "prehend-control",
            "prehend-cloud",
            "rapier3d",
            "ort",
            "burn",
            "zenoh",
        ],
    ),
    ("prehend-types", &["rapier3d", "ort", "burn", "zenoh"]),
];

/// Libraries that only some crates name.
const NAMED_ONLY_BY: [(&str, &[&str]); 6] = [
    ("ort", &["prehend-policy"]),
    ("tract-onnx", &["prehend-policy"]),
    ("rapier3d", &["prehend-sim"]),
    ("zenoh", &["prehend-link"]),
    ("burn", &["prehend-nets", "prehend-train"]),
    ("burn-onnx", &["prehend-nets", "prehend-train"]),
];

/// Names of direct dependencies; `dev` adds those of tests, benches and examples.
struct Graph {
    normal: BTreeMap<String, BTreeSet<String>>,
    with_dev: BTreeMap<String, BTreeSet<String>>,
    roots: BTreeMap<String, String>,
}

impl Graph {
    fn read() -> Self {
        // For this machine only: packages of other systems were never downloaded.
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(["--filter-platform", &host()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self::from_metadata(&serde_json::from_slice(&output.stdout).expect("cargo writes JSON"))
    }

    fn from_metadata(metadata: &Value) -> Self {
        let rows = |value: &Value| value.as_array().expect("an array").clone();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let packages = rows(&metadata["packages"]);
        let names: BTreeMap<String, String> = packages
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let members: BTreeSet<String> = rows(&metadata["workspace_members"])
            .iter()
            .map(text)
            .collect();
        let roots = packages
            .iter()
            .filter(|package| members.contains(&text(&package["id"])))
            .map(|package| (text(&package["name"]), text(&package["manifest_path"])))
            .collect();
        let mut graph = Self {
            normal: BTreeMap::new(),
            with_dev: BTreeMap::new(),
            roots,
        };
        for node in rows(&metadata["resolve"]["nodes"]) {
            let name = names[&text(&node["id"])].clone();
            for dependency in rows(&node["deps"]) {
                let target = names[&text(&dependency["pkg"])].clone();
                let is_dev = |kind: &Value| kind["kind"].as_str() == Some("dev");
                if !rows(&dependency["dep_kinds"]).iter().all(is_dev) {
                    graph
                        .normal
                        .entry(name.clone())
                        .or_default()
                        .insert(target.clone());
                }
                graph
                    .with_dev
                    .entry(name.clone())
                    .or_default()
                    .insert(target);
            }
        }
        graph
    }

    /// One path of dependencies from a crate to another, if there is any.
    fn path(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut paths = vec![vec![from.to_owned()]];
        let mut seen = BTreeSet::from([from.to_owned()]);
        while let Some(path) = paths.pop() {
            let last = path.last().expect("never empty");
            for next in self.normal.get(last).into_iter().flatten() {
                let longer = [path.as_slice(), std::slice::from_ref(next)].concat();
                if next == to {
                    return Some(longer);
                }
                if seen.insert(next.clone()) {
                    paths.push(longer);
                }
            }
        }
        None
    }
}

/// This machine as cargo names it, for example `x86_64-unknown-linux-gnu`.
fn host() -> String {
    let output = Command::new(env!("CARGO"))
        .arg("-vV")
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(output.stdout).expect("cargo writes text");
    let host = text
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("cargo says its host");
    host.to_owned()
}

#[test]
fn every_crate_has_a_place_in_the_order() {
    let graph = Graph::read();
    let found: BTreeSet<&str> = graph
        .roots
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "prehend-tests")
        .collect();
    assert_eq!(
        found,
        BTreeSet::from(ORDER),
        "the table in this file and the workspace differ"
    );
}

#[test]
fn arrows_go_down_only() {
    let graph = Graph::read();
    for (index, name) in ORDER.iter().enumerate() {
        for above in &ORDER[..index] {
            let arrow = graph
                .normal
                .get(*name)
                .is_some_and(|targets| targets.contains(*above));
            assert!(!arrow, "{name} depends on {above}, which stands above it");
        }
    }
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let graph = Graph::read();
    for (name, forbidden) in MUST_NOT_KNOW {
        for target in forbidden {
            if let Some(path) = graph.path(name, target) {
                panic!("{name} must not know {target}, but: {}", path.join(" -> "));
            }
        }
    }
}

#[test]
fn some_libraries_are_named_in_one_place() {
    let graph = Graph::read();
    for (library, users) in NAMED_ONLY_BY {
        for name in graph
            .roots
            .keys()
            .filter(|name| !users.contains(&name.as_str()))
        {
            let names_it = graph
                .with_dev
                .get(name)
                .is_some_and(|targets| targets.contains(library));
            assert!(!names_it, "{name} names {library}; only {users:?} may");
        }
    }
}

#[test]
fn unsafe_code_lives_in_control_alone() {
    let graph = Graph::read();
    for (name, manifest) in &graph.roots {
        if name == "prehend-control" {
            continue;
        }
        let source = Path::new(manifest).parent().expect("a folder").join("src");
        let root = ["lib.rs", "main.rs"].map(|file| source.join(file));
        for file in root.iter().filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file).expect("reads");
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{file:?} must forbid unsafe code"
            );
        }
    }
}

#[test]
fn the_check_itself_finds_a_wrong_arrow() {
    let metadata = serde_json::json!({
        "packages": [
            { "id": "a", "name": "prehend-control", "manifest_path": "" },
            { "id": "b", "name": "helper", "manifest_path": "" },
            { "id": "c", "name": "ort", "manifest_path": "" },
        ],
        "workspace_members": ["a"],
        "resolve": { "nodes": [
            { "id": "a", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": null }] }] },
            { "id": "b", "deps": [{ "pkg": "c", "dep_kinds": [{ "kind": null }, { "kind": "dev" }] }] },
            { "id": "c", "deps": [] },
        ]},
    });
    let graph = Graph::from_metadata(&metadata);
    let path = graph.path("prehend-control", "ort").expect("there is one");
    assert_eq!(path, ["prehend-control", "helper", "ort"]);
    assert!(graph.path("ort", "prehend-control").is_none());
}
