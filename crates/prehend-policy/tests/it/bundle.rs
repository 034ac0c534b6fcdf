//! Bundles that were damaged, moved or made for something else.

use std::fs;
use std::path::Path;

use prehend_policy::{Bundle, BundleError, BundleWriter, OnnxPolicy};
use prost::Message;
use tract_onnx::pb::{StringStringEntryProto, tensor_proto::DataLocation};

use crate::fixture::{Net, embedded, golden, load, manifest, write};

fn refusal(dir: &Path) -> BundleError {
    Bundle::load(dir).expect_err("must be refused")
}

/// Rewrites `policy.toml` with one text replaced.
fn edit(dir: &Path, from: &str, to: &str) {
    let path = dir.join("policy.toml");
    let text = fs::read_to_string(&path).expect("was written");
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    fs::write(&path, text.replace(from, to)).expect("is writable");
}

/// Replaces a file and its entry in `policy.toml`, as someone would who knows the format.
fn forge(dir: &Path, name: &str, bytes: &[u8]) {
    let bundle = Bundle::load(dir).expect("is good");
    let entry = bundle
        .manifest()
        .files
        .iter()
        .find(|e| e.path == name)
        .expect("listed");
    let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    edit(dir, &entry.sha256, &format!("{digest:x}"));
    edit(
        dir,
        &format!("bytes = {}\n", entry.bytes),
        &format!("bytes = {}\n", bytes.len()),
    );
    fs::write(dir.join(name), bytes).expect("is writable");
}

#[test]
fn what_is_written_is_read_back() {
    let (written, bundle) = load(&Net::small());
    assert_eq!(bundle.manifest().files.len(), 3);
    assert_eq!(bundle.golden(), &golden(&Net::small(), 3));
    assert_eq!(bundle.manifest().origin, manifest().origin);
    let left = fs::read_dir(written.dir.parent().expect("has one"))
        .expect("readable")
        .count();
    assert_eq!(left, 1, "temporary folders are gone");
}

#[test]
fn one_changed_byte_is_found_before_parsing() {
    let written = write(&Net::small());
    let path = written.dir.join("policy.onnx");
    let mut bytes = fs::read(&path).expect("was written");
    bytes[100] ^= 1;
    fs::write(&path, bytes).expect("is writable");
    let error = refusal(&written.dir);
    assert!(matches!(&error, BundleError::WrongHash { path, .. } if path.ends_with("policy.onnx")));
}

#[test]
fn a_truncated_file_is_named_with_both_sizes() {
    let written = write(&Net::small());
    let path = written.dir.join("policy.onnx");
    let bytes = fs::read(&path).expect("was written");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("is writable");
    let error = refusal(&written.dir);
    assert!(
        matches!(error, BundleError::WrongSize { got, expected, .. }
            if got == bytes.len() as u64 / 2 && expected == bytes.len() as u64),
        "{error}"
    );
}

#[test]
fn a_truncated_graph_with_a_matching_hash_is_no_graph() {
    let bytes = Net::small().to_onnx().encode_to_vec();
    for n in [0, 1, 10, bytes.len() / 3, bytes.len() - 1] {
        let written = write(&Net::small());
        forge(&written.dir, "policy.onnx", &bytes[..n]);
        let error = refusal(&written.dir);
        assert!(
            matches!(error, BundleError::Graph { .. }),
            "{n} bytes: {error}"
        );
    }
}

#[test]
fn a_graph_with_other_inputs_is_refused() {
    let written = write(&Net::small());
    let mut model = Net::small().to_onnx();
    model.graph.as_mut().expect("built").input[2].name = "tensor_18".into();
    forge(&written.dir, "policy.onnx", &model.encode_to_vec());
    let shown = refusal(&written.dir).to_string();
    assert!(
        shown.contains("no input \"proprio\"") && shown.contains("tensor_18"),
        "{shown}"
    );
}

#[test]
fn weights_in_another_file_are_refused() {
    let written = write(&Net::small());
    let mut model = Net::small().to_onnx();
    let weights = &mut model.graph.as_mut().expect("built").initializer[0];
    weights.float_data.clear();
    weights.data_location = Some(DataLocation::External as i32);
    let location = ("location".to_owned(), "/etc/passwd".to_owned());
    weights.external_data = vec![StringStringEntryProto {
        key: location.0,
        value: location.1,
    }];
    forge(&written.dir, "policy.onnx", &model.encode_to_vec());
    let shown = refusal(&written.dir).to_string();
    assert!(shown.contains("in another file"), "{shown}");
}

#[test]
fn a_missing_file_is_named() {
    let written = write(&Net::small());
    fs::remove_file(written.dir.join("golden.json")).expect("was written");
    let error = refusal(&written.dir);
    assert!(matches!(&error, BundleError::Io { path, .. } if path.ends_with("golden.json")));
    let error = refusal(&written.dir.join("nothing"));
    assert!(matches!(error, BundleError::Io { .. }), "{error}");
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in [
        "../policy.onnx",
        "/etc/hostname",
        "a/../../policy.onnx",
        "./policy.onnx",
        "",
    ] {
        let written = write(&Net::small());
        edit(
            &written.dir,
            "path = \"README.md\"",
            &format!("path = {name:?}"),
        );
        let error = refusal(&written.dir);
        assert!(
            matches!(error, BundleError::PathEscape { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn symbolic_links_that_lead_out_are_refused() {
    for name in ["README.md", "policy.toml"] {
        let written = write(&Net::small());
        let path = written.dir.join(name);
        let outside = written.dir.parent().expect("has one").join("outside");
        fs::rename(&path, &outside).expect("same file system");
        std::os::unix::fs::symlink(&outside, &path).expect("links are supported");
        let error = refusal(&written.dir);
        assert!(
            matches!(error, BundleError::PathEscape { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn an_oversized_file_is_not_read() {
    let written = write(&Net::small());
    let file = fs::File::options()
        .write(true)
        .open(written.dir.join("policy.onnx"));
    file.and_then(|file| file.set_len(600 << 20))
        .expect("a sparse file");
    let error = refusal(&written.dir);
    assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
}

#[test]
fn a_misspelt_key_is_named() {
    let written = write(&Net::small());
    edit(&written.dir, "n_flow_steps", "n_flow_step");
    let shown = refusal(&written.dir).to_string();
    assert!(
        shown.contains("policy.toml") && shown.contains("`n_flow_steps`?"),
        "{shown}"
    );
}

#[test]
fn values_without_sense_are_named() {
    for (from, to, field) in [
        ("format_version = 1", "format_version = 2", "format_version"),
        ("dt_s = 0.05", "dt_s = nan", "action.dt_s"),
        (
            "n_action_steps = 4",
            "n_action_steps = 9",
            "action.n_action_steps",
        ),
        (
            "frame = \"base\"",
            "frame = \"camera\"",
            "observation.frame",
        ),
        ("n_points = 512", "n_points = 256", "graph.inputs"),
        (
            "file = \"golden.json\"",
            "file = \"policy.onnx\"",
            "golden.file",
        ),
    ] {
        let written = write(&Net::small());
        edit(&written.dir, from, to);
        let shown = refusal(&written.dir).to_string();
        assert!(shown.contains(&format!("`{field}`")), "{to}: {shown}");
    }
}

#[test]
fn a_bundle_for_another_robot_is_refused() {
    let (_written, bundle) = load(&Net::small());
    bundle.check_robot("fr3", "f00d").expect("this is the one");
    for (name, fingerprint) in [("ur5e", "f00d"), ("fr3", "beef")] {
        let error = bundle
            .check_robot(name, fingerprint)
            .expect_err("another robot");
        let shown = error.to_string();
        assert!(
            shown.contains(name) && shown.contains(fingerprint),
            "{shown}"
        );
        assert!(shown.contains("f00d"), "{shown}");
    }
}

#[test]
fn a_graph_that_differs_from_its_golden_output_says_by_how_much() {
    let net = Net::small();
    let mut cases = golden(&net, 2);
    cases.cases[1].actions[17] += 0.003;
    let temp = tempfile::tempdir().expect("a temporary folder");
    let writer = BundleWriter::new(manifest(), net.to_onnx().encode_to_vec(), &cases);
    let bundle = writer
        .expect("fits")
        .write(&temp.path().join("fixture"))
        .expect("is well formed");
    let error = OnnxPolicy::from_bundle(&bundle, &embedded(), 0).expect_err("must be refused");
    match error {
        BundleError::GoldenMismatch {
            case, difference, ..
        } => {
            assert_eq!(case, 1);
            assert!((difference - 0.003).abs() < 1e-5, "{difference}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn golden_cases_of_the_wrong_length_are_refused() {
    let mut cases = golden(&Net::small(), 1);
    cases.cases[0].noise.pop();
    let error = BundleWriter::new(manifest(), Vec::new(), &cases).expect_err("must be refused");
    assert!(
        error.to_string().contains("`noise` has 55 numbers"),
        "{error}"
    );
}

#[test]
fn a_folder_that_is_no_bundle_is_never_replaced() {
    let written = write(&Net::small());
    let dir = written.dir.parent().expect("has one").join("photos");
    fs::create_dir(&dir).expect("is new");
    fs::write(dir.join("cat.png"), b"miaow").expect("is writable");
    let writer = || {
        let graph = Net::small().to_onnx().encode_to_vec();
        BundleWriter::new(manifest(), graph, &golden(&Net::small(), 1)).expect("fits")
    };
    let error = writer().write(&dir).expect_err("must be refused");
    assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
    assert!(dir.join("cat.png").exists());
    // An older bundle is.
    let bundle = writer().write(&written.dir).expect("replaces");
    assert_eq!(bundle.golden().cases.len(), 1);
    assert!(!written.dir.join("README.md").exists());
}

#[test]
fn a_bundle_that_cannot_be_read_back_leaves_the_old_one() {
    let written = write(&Net::small());
    let writer = BundleWriter::new(manifest(), b"no graph".to_vec(), &golden(&Net::small(), 1));
    let error = writer
        .expect("fits")
        .write(&written.dir)
        .expect_err("must be refused");
    assert!(matches!(error, BundleError::Graph { .. }), "{error}");
    assert_eq!(
        Bundle::load(&written.dir)
            .expect("untouched")
            .golden()
            .cases
            .len(),
        3
    );
}
