//! Bundles that are damaged, or for another robot.

use std::fs;
use std::os::unix::fs::FileExt;

use prehend_policy::{Bundle, BundleError, OnnxPolicy, Runtime, RuntimeOptions};
use prehend_types::config::locate;
use rand::Rng;

use super::super::onnx;
use super::{Copy, GRAPH, MODEL};
use crate::Lab;
use crate::fault::{Finding, Outcome};

pub(super) fn truncated(lab: &Lab) -> Outcome {
    let mut rng = lab.rng("truncated");
    let (mut tried, mut accepted, mut late) = (0, 0, 0);
    for name in [GRAPH, "golden.json"] {
        let copy = Copy::new()?;
        let whole = fs::metadata(copy.file(name))?.len();
        let mut lengths: Vec<u64> = (whole - lab.of(4096).max(64)..whole).collect();
        lengths.extend((0..lab.of(1000)).map(|_| rng.random_range(0..whole)));
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let file = fs::OpenOptions::new().write(true).open(copy.file(name))?;
        for length in lengths {
            file.set_len(length)?;
            tried += 1;
            match copy.refusal() {
                Some(BundleError::WrongSize { .. } | BundleError::WrongHash { .. }) => {}
                Some(_) => late += 1,
                None => accepted += 1,
            }
        }
    }
    let copy = Copy::new()?;
    let manifest = fs::read(copy.file("policy.toml"))?;
    for length in (0..manifest.len()).step_by(if lab.of(100) == 100 { 1 } else { 50 }) {
        fs::write(copy.file("policy.toml"), &manifest[..length])?;
        tried += 1;
        // A manifest cut within its last line's end still says all that it said.
        let is_whole = manifest[length..].iter().all(u8::is_ascii_whitespace);
        accepted += usize::from(!is_whole && copy.refusal().is_none());
    }
    Ok(Finding::new(
        accepted == 0 && late == 0,
        format!("{accepted} of {tried} accepted, {late} refused only by a parser"),
    ))
}

pub(super) fn flipped(lab: &Lab) -> Outcome {
    let n = lab.of(10_000);
    let results = lab.in_parallel(n, |range| {
        let run = || -> Result<_, Box<dyn std::error::Error>> {
            let copy = Copy::new()?;
            let mut rng = lab.rng(&format!("flipped{}", range.start));
            let files = [
                fs::read(copy.file(GRAPH))?,
                fs::read(copy.file("golden.json"))?,
            ];
            let open = |name| fs::OpenOptions::new().write(true).open(copy.file(name));
            let handles = [open(GRAPH)?, open("golden.json")?];
            let mut refused = 0u64;
            for _ in range.clone() {
                // By size, as bits are: nearly all are in the graph.
                let which = usize::from(rng.random_bool(0.05));
                let at = rng.random_range(0..files[which].len());
                let byte = files[which][at];
                let flipped = byte ^ 1 << rng.random_range(0..8);
                handles[which].write_all_at(&[flipped], at as u64)?;
                refused += u64::from(matches!(
                    copy.refusal(),
                    Some(BundleError::WrongHash { .. })
                ));
                handles[which].write_all_at(&[byte], at as u64)?;
            }
            Ok(refused)
        };
        run().map_err(|error| error.to_string())
    });
    let refused: u64 = results.into_iter().sum::<Result<u64, String>>()?;
    Ok(Finding::new(
        refused == n,
        format!("{refused} of {n} refused by their hash"),
    ))
}

pub(super) fn other_robot(lab: &Lab) -> Outcome {
    let bundle = Bundle::load(&locate(MODEL)?)?;
    let robot = lab.robot("fr3")?;
    let own = bundle
        .check_robot(robot.name(), robot.content_hash())
        .is_ok();
    let mut accepted = 0;
    for name in ["panda", "xarm7", "ur5e"] {
        let other = lab.robot(name)?;
        for (name, hash) in [
            (other.name(), other.content_hash()),
            (robot.name(), other.content_hash()),
            (other.name(), robot.content_hash()),
        ] {
            accepted += usize::from(bundle.check_robot(name, hash).is_ok());
        }
    }
    let normalisers = normalisers()?;
    let zeros: usize = normalisers.iter().map(|(_, accepted)| *accepted).sum();
    let said: Vec<String> = (normalisers.iter())
        .map(|(what, accepted)| format!("{what}: {accepted} accepted"))
        .collect();
    Ok(Finding::new(
        own && accepted == 0 && zeros == 0,
        format!(
            "{accepted} of 9 other robots accepted, the right one {own}; under a valid hash, of the weights that scale \
             and shift what the graph gives, {}",
            said.join(", ")
        ),
    ))
}

/// Bundles whose normaliser is all zeros, not a number, or gone, and how many of each were loaded. It is
/// part of the graph: as many numbers as the graph gives, once as a factor and once as an offset.
fn normalisers() -> Result<[(&'static str, usize); 3], Box<dyn std::error::Error>> {
    let graph = fs::read(locate(MODEL)?.join(GRAPH))?;
    let spec = Bundle::load(&locate(MODEL)?)?.manifest().graph.clone();
    let outputs: i64 = spec
        .outputs
        .iter()
        .flat_map(|tensor| &tensor.shape[1..])
        .map(|dim| *dim as i64)
        .product();
    let places: Vec<std::ops::Range<usize>> = onnx::weights(&graph)
        .into_iter()
        .filter(|(dims, _)| *dims == [outputs])
        .map(|(_, place)| place)
        .collect();
    if places.len() < 2 {
        return Err("the graph has no normaliser".into());
    }
    let runtime = Runtime::open(&RuntimeOptions::default())?;
    let mut counts = [("zeros", 0), ("NaN", 0), ("emptied", 0)];
    for (kind, (_, accepted)) in counts.iter_mut().enumerate() {
        for place in &places {
            let copy = Copy::new()?;
            let mut bytes = graph.clone();
            match kind {
                0 => bytes[place.clone()].fill(0),
                1 => bytes[place.clone()].fill(0xff),
                // Its data becomes a field that nobody knows.
                _ => bytes[place.start - 3] = 0xfa,
            }
            copy.replace(GRAPH, &bytes)?;
            let loaded = Bundle::load(copy.path())
                .and_then(|bundle| OnnxPolicy::from_bundle(&bundle, &runtime, 0));
            *accepted += usize::from(loaded.is_ok());
        }
    }
    Ok(counts)
}

pub(super) fn pickle(_: &Lab) -> Outcome {
    let copy = Copy::new()?;
    // `pickle.dumps` of an object whose unpickling runs `os.system`.
    let bytes =
        b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\
        \x8c\x04true\x94\x85\x94R\x94.";
    let mut said = Vec::new();
    let mut refused = 0;
    let zip = b"PK\x03\x04archive/data.pkl";
    for bytes in [&bytes[..], &zip[..]] {
        copy.replace(GRAPH, bytes)?;
        if let Some(BundleError::Graph { reason, .. }) = copy.refusal() {
            refused += 1;
            said.push(reason);
        }
    }
    Ok(Finding::new(
        refused == 2,
        format!("{refused} of 2 refused: {}", said.join("; ")),
    ))
}
