//! Turns ONNX Runtime's profile of one run into what really computed it.
//!
//! Registering an execution provider says little: every node that it does not know runs on the
//! processor without a word. The profile names the provider of each node.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Args,
}

#[derive(Default, Deserialize)]
struct Args {
    #[serde(default)]
    provider: String,
}

/// `CPUExecutionProvider (27 nodes)`, largest share first; `None` if the profile names no provider.
pub(super) fn providers_used(profile: &str) -> Option<String> {
    let events: Vec<Event> = serde_json::from_str(profile).ok()?;
    let mut n_nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &events {
        if event.name.ends_with("_kernel_time") && !event.args.provider.is_empty() {
            *n_nodes.entry(&event.args.provider).or_default() += 1;
        }
    }
    let mut shares: Vec<(&str, usize)> = n_nodes.into_iter().collect();
    shares.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let shown: Vec<String> = shares
        .iter()
        .map(|(name, n)| format!("{name} ({n} nodes)"))
        .collect();
    (!shown.is_empty()).then(|| shown.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::providers_used;

    #[test]
    fn nodes_are_counted_by_provider() {
        let profile = r#"[
            {"cat":"Session","name":"model_run","args":{}},
            {"cat":"Node","name":"a_kernel_time","args":{"provider":"CPUExecutionProvider"}},
            {"cat":"Node","name":"b_fence_before","args":{"provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"b_kernel_time","args":{"provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"c_kernel_time","args":{"provider":"CUDAExecutionProvider"}}
        ]"#;
        let expected = "CUDAExecutionProvider (2 nodes) + CPUExecutionProvider (1 nodes)";
        assert_eq!(providers_used(profile).as_deref(), Some(expected));
        assert_eq!(providers_used("[]"), None);
        assert_eq!(providers_used("not JSON"), None);
    }
}
