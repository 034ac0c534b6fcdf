//! Bundles that are damaged, or for another robot.

use std::fs;
use std::os::unix::fs::FileExt;

use prehend_policy::{Bundle, BundleError, EngineChoice, Runtime, RuntimeOptions, check_library};
use prehend_types::config::locate;
use rand::Rng;
use tempfile::TempDir;

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
    Ok(Finding::new(
        own && accepted == 0,
        format!(
            "{accepted} of 9 other robots accepted, the right one {own}; the normaliser is part of the graph, \
             so that zeros in it show in the golden outputs (P8)"
        ),
    ))
}

pub(super) fn bad_library(lab: &Lab) -> Outcome {
    let dir = TempDir::new()?;
    let path = |name: &str| dir.path().join(name);
    let mut rng = lab.rng("library");
    let junk: Vec<u8> = (0..4096).map(|_| rng.random()).collect();
    fs::write(path("junk.so"), &junk)?;
    fs::write(path("empty.so"), [])?;
    // A whole program of this machine, and its first half.
    let program = fs::read(std::env::current_exe()?)?;
    fs::write(path("program.so"), &program)?;
    fs::write(path("half.so"), &program[..program.len() / 2])?;
    let mut bad = Vec::new();
    let names = [
        "missing.so",
        "junk.so",
        "empty.so",
        "program.so",
        "half.so",
        ".",
    ];
    for name in names {
        let file = path(name);
        let named = match check_library(&file) {
            Ok(_) => false,
            Err(error) => error.to_string().contains(&file.display().to_string()),
        };
        let options = RuntimeOptions {
            engine: EngineChoice::OnnxRuntime,
            library: Some(file),
            ..RuntimeOptions::default()
        };
        // A machine with a usable library elsewhere may go on with that one.
        let _ = Runtime::open(&options);
        if !named {
            bad.push(name);
        }
    }
    Ok(Finding::new(
        bad.is_empty(),
        format!(
            "{} of {} refused and named {}",
            names.len() - bad.len(),
            names.len(),
            bad.join(", ")
        ),
    ))
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
