//! Graphs that mean harm under a valid hash.

use std::fs;
use std::time::Instant;

use prehend_policy::{
    Bundle, BundleError, Element, GraphSpec, OnnxPolicy, Runtime, RuntimeOptions, TensorSpec,
    check_graph,
};
use prehend_types::config::locate;
use rand::Rng;
use tempfile::TempDir;

use super::super::onnx::{self, Dim};
use super::{Copy, GRAPH, MODEL};
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::live as real;

pub(super) fn graph_bytes() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(fs::read(locate(MODEL)?.join(GRAPH))?)
}

pub(super) fn spec() -> Result<GraphSpec, Box<dyn std::error::Error>> {
    Ok(Bundle::load(&locate(MODEL)?)?.manifest().graph.clone())
}

pub(super) fn external_data(_: &Lab) -> Outcome {
    let graph = graph_bytes()?;
    let mut accepted = Vec::new();
    let mut tried = 0;
    let outside = TempDir::new()?;
    let weights = outside.path().join("weights.bin");
    fs::write(&weights, [0; 64])?;
    for location in [
        "../../etc/passwd",
        "/etc/passwd",
        "hard_link.bin",
        "symbolic_link.bin",
        "golden.json",
        "",
    ] {
        let copy = Copy::new()?;
        fs::hard_link(&weights, copy.file("hard_link.bin"))
            .or_else(|_| fs::copy(&weights, copy.file("hard_link.bin")).map(drop))?;
        std::os::unix::fs::symlink(&weights, copy.file("symbolic_link.bin"))?;
        let weight = onnx::external_weight(&[("location", location)]);
        // Among the weights, and hidden in a node's own graph.
        let hidden = onnx::node("If", "", &onnx::graph_attribute(&weight));
        for fragment in [&weight, &hidden] {
            copy.replace(GRAPH, &[graph.clone(), onnx::in_graph(fragment)].concat())?;
            tried += 1;
            match copy.refusal() {
                Some(BundleError::Graph { .. }) => {}
                other => accepted.push(format!("{location:?}: {other:?}")),
            }
        }
    }
    // The graph itself as a link that leads out of the bundle.
    let copy = Copy::new()?;
    let elsewhere = outside.path().join("graph.onnx");
    fs::rename(copy.file(GRAPH), &elsewhere)
        .or_else(|_| fs::copy(copy.file(GRAPH), &elsewhere).map(drop))?;
    let _ = fs::remove_file(copy.file(GRAPH));
    std::os::unix::fs::symlink(&elsewhere, copy.file(GRAPH))?;
    tried += 1;
    if !matches!(copy.refusal(), Some(BundleError::PathEscape { .. })) {
        accepted.push("a graph behind a symbolic link".to_owned());
    }
    Ok(Finding::new(
        accepted.is_empty(),
        format!(
            "{} of {tried} refused for it {}",
            tried - accepted.len(),
            accepted.join(", ")
        ),
    ))
}

pub(super) fn oversized(_: &Lab) -> Outcome {
    let (graph, spec) = (graph_bytes()?, spec()?);
    let mut nested = Vec::new();
    for _ in 0..10_000 {
        nested = onnx::node("If", "", &onnx::graph_attribute(&nested));
    }
    let huge = i64::MAX.to_string();
    let cases = [
        (
            "huge offset",
            onnx::external_weight(&[("location", "x"), ("offset", &huge), ("length", &huge)]),
        ),
        (
            "size that overflows",
            onnx::weight_of(&[i64::MAX, i64::MAX, 4]),
        ),
        ("10,000 nested graphs", nested),
        ("1e6 nodes", onnx::field(1, &[]).repeat(1_000_000)),
    ];
    let (mut accepted, mut slowest, mut most) = (Vec::new(), 0.0f64, 0);
    for (name, fragment) in cases {
        let bytes = [graph.clone(), onnx::in_graph(&fragment)].concat();
        let (memory, begun) = (real::PeakMemory::watch()?, Instant::now());
        if check_graph(&bytes, &spec).is_ok() {
            accepted.push(name);
        }
        slowest = slowest.max(begun.elapsed().as_secs_f64());
        most = most.max(memory.grown()?);
    }
    Ok(Finding::new(
        accepted.is_empty() && slowest < 1.0 && most < 512 << 20,
        format!(
            "accepted: {accepted:?}; slowest {slowest:.2} s, memory +{:.1} MB at most",
            most as f64 * 1e-6
        ),
    ))
}

pub(super) fn operators(_: &Lab) -> Outcome {
    let (graph, spec) = (graph_bytes()?, spec()?);
    let cases = [
        ("Loop", ""),
        ("If", ""),
        ("Scan", ""),
        ("Anything", "com.example"),
        ("NoSuchOperator", ""),
    ];
    let accepted: Vec<&str> = cases
        .iter()
        .filter(|(op, domain)| {
            let fragment = onnx::in_graph(&onnx::node(op, domain, &[]));
            check_graph(&[graph.clone(), fragment].concat(), &spec).is_ok()
        })
        .map(|(op, _)| *op)
        .collect();
    Ok(Finding::new(
        accepted.is_empty(),
        format!("accepted before the engine: {accepted:?}"),
    ))
}

pub(super) fn dimensions(_: &Lab) -> Outcome {
    let tensor = |name: &str| TensorSpec {
        name: name.to_owned(),
        shape: vec![1, 3],
        element: Element::Float,
    };
    let spec = GraphSpec {
        file: GRAPH.to_owned(),
        inputs: vec![tensor("x")],
        outputs: vec![tensor("y")],
    };
    let good = check_graph(&onnx::identity(&[Dim::Value(1), Dim::Value(3)]), &spec);
    let mut accepted = Vec::new();
    let mut unnamed = 0;
    for second in [
        Dim::Named("N"),
        Dim::Unsaid,
        Dim::Value(i64::MAX),
        Dim::Value(-1),
        Dim::Value(0),
        Dim::Value((1 << 32) + 3),
    ] {
        match check_graph(&onnx::identity(&[Dim::Value(1), second]), &spec) {
            Ok(()) => accepted.push(format!("{second:?}")),
            Err(reason) => unnamed += u64::from(!reason.contains("\"x\"")),
        }
    }
    Ok(Finding::new(
        good.is_ok() && accepted.is_empty() && unnamed == 0,
        format!(
            "accepted before the engine: {}; {unnamed} refused without a name",
            accepted.join(", ")
        ),
    ))
}

pub(super) fn nan_weights(lab: &Lab) -> Outcome {
    let graph = graph_bytes()?;
    let runtime = Runtime::open(&RuntimeOptions::default())?;
    let mut rng = lab.rng("nan");
    let (mut accepted, mut by_golden, mut otherwise) = (0, 0, 0);
    let n = lab.of(1000).clamp(10, 40);
    for _ in 0..n {
        let copy = Copy::new()?;
        let mut bytes = graph.clone();
        // Ones are NaN however the numbers are aligned.
        let at = rng.random_range(bytes.len() / 8..bytes.len() - bytes.len() / 8);
        bytes[at..at + 64].fill(0xff);
        copy.replace(GRAPH, &bytes)?;
        let loaded = Bundle::load(copy.path())
            .and_then(|bundle| OnnxPolicy::from_bundle(&bundle, &runtime, 0));
        match loaded {
            Ok(_) => accepted += 1,
            Err(BundleError::GoldenMismatch { .. }) => by_golden += 1,
            Err(_) => otherwise += 1,
        }
    }
    Ok(Finding::new(
        accepted == 0,
        format!(
            "{n} graphs: {by_golden} refused by their golden outputs, {otherwise} before, {accepted} accepted, \
             through {}",
            runtime.describe()
        ),
    ))
}

pub(super) fn newer_operators(_: &Lab) -> Outcome {
    let copy = Copy::new()?;
    let mut bytes = graph_bytes()?;
    // In its place, for a second set is refused as such; it is named before the graph begins.
    let at = (1..100).find_map(|version| {
        let known = onnx::opset(version);
        let mut places = bytes.windows(known.len()).take(64);
        places.position(|place| place == known)
    });
    let newer = onnx::opset(99);
    let at = at.ok_or("the graph names no set of operators")?;
    bytes[at..at + newer.len()].copy_from_slice(&newer);
    copy.replace(GRAPH, &bytes)?;
    let runtime = Runtime::open(&RuntimeOptions::default())?;
    let loaded =
        Bundle::load(copy.path()).and_then(|bundle| OnnxPolicy::from_bundle(&bundle, &runtime, 0));
    let said = match loaded {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    let numbers = said
        .split(|c: char| !c.is_ascii_digit())
        .filter(|n| !n.is_empty());
    let names_ours = numbers.clone().filter(|n| *n != "99").count() > 0;
    Ok(Finding::new(
        said.contains("99") && names_ours,
        format!(
            "through {}: {:.200}",
            runtime.describe(),
            said.replace('\n', " ")
        ),
    ))
}
