//! The shipped settings, and what is refused.

use std::path::{Path, PathBuf};

use prehend_nets::FlowPolicyConfig;
use prehend_train::{DistillConfig, FlowConfig};
use prehend_types::config;

fn shipped(name: &str) -> PathBuf {
    config::locate(Path::new("models").join(name)).expect("shipped file")
}

#[test]
fn shipped_settings_load() {
    let flow = FlowConfig::load(&shipped("train_flow.toml")).expect("is valid");
    assert_eq!(flow.network, FlowPolicyConfig::default());
    DistillConfig::load(&shipped("distill.toml")).expect("is valid");
}

#[test]
fn nonsense_is_refused_with_its_field() {
    let text = std::fs::read_to_string(shipped("train_flow.toml")).expect("readable");
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("flow.toml");
    let check = |key: &str, line: &str, expected: &str| {
        let wrong: Vec<&str> = text
            .lines()
            .map(|old| {
                if old.starts_with(&format!("{key} =")) {
                    line
                } else {
                    old
                }
            })
            .collect();
        assert!(wrong.contains(&line), "{key} is not in the file");
        std::fs::write(&path, wrong.join("\n")).expect("writable");
        let error = FlowConfig::load(&path)
            .expect_err("must be refused")
            .to_string();
        assert!(
            error.contains("flow.toml") && error.contains(expected),
            "{error}"
        );
    };
    check("batch", "bach = 128", "did you mean `batch`?");
    check("batch", "batch = 0", "optimiser.batch");
    check("head_width", "head_width = 99999", "network.head_width");
    check("ema_decay", "ema_decay = 1.0", "optimiser.ema_decay");
    check(
        "learning_rate",
        "learning_rate = nan",
        "optimiser.learning_rate",
    );
}
