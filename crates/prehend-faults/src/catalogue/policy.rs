//! Section P: policies, parameters, ONNX.

mod bundles;
mod engines;
mod graphs;
mod swap;

use std::fs;
use std::path::{Path, PathBuf};

use prehend_policy::{Bundle, BundleError, sha256_hex};
use prehend_types::config::locate;
use tempfile::TempDir;

use super::{exact, live, skip};
use crate::fault::Fault;
use crate::live as real;

pub(super) const ROWS: &[Fault] = &[
    exact(
        "P1",
        "files truncated at every byte of their last 4 KiB and at 1,000 random points",
        "100 % refused before a parser of graphs sees them",
        bundles::truncated,
    ),
    exact(
        "P2",
        "10,000 random bits flipped",
        "100 % refused by their hash",
        bundles::flipped,
    ),
    skip(
        "P3",
        "hostile graphs with valid hashes, in a sandbox of their own",
        "the parent lives, 100 %",
        "there is no sandbox: graphs are parsed in the process itself",
    ),
    exact(
        "P4",
        "weights in other files: ../../etc/passwd, absolute, symbolic link, hard link",
        "100 % refused",
        graphs::external_data,
    ),
    exact(
        "P5",
        "huge offsets, sizes that overflow, 1e6 nodes (of 1e9), 10,000 nested graphs",
        "refused by static limits: < 1 s, < 512 MB",
        graphs::oversized,
    ),
    exact(
        "P6",
        "operators of other domains; Loop, If, Scan",
        "refused: only listed operators",
        graphs::operators,
    ),
    exact(
        "P7",
        "dimensions without a number where one is expected; dimensions that overflow",
        "refused, the tensor named",
        graphs::dimensions,
    ),
    live(
        "P8",
        "weights that are NaN under a valid hash",
        "refused by the golden outputs",
        graphs::nan_weights,
    ),
    skip(
        "P9",
        "a model whose outputs are constant or saturated",
        "a warning, and arming needs an override",
        "not written yet: loading warns, which prehend-policy's tests of golden outputs see, but arming asks for no \
         override",
    ),
    exact(
        "P10",
        "a bundle for another robot, by name and by fingerprint; a normaliser of zeros, of NaN, and none",
        "refused",
        bundles::other_robot,
    ),
    skip(
        "P11",
        "teacher and student that differ",
        "refused at export",
        "exporting belongs to prehend-train, whose tests compare the two",
    ),
    exact(
        "P12",
        "a policy is swapped while the arm moves, and once more back when the new one fails",
        "between two chunks, through the limiter: no stop, 0 violations",
        swap::while_moving,
    ),
    exact(
        "P13",
        "a policy is swapped for one that is refused",
        "the old one goes on: no stop, 0 violations",
        swap::refused,
    ),
    live(
        "P14",
        "a graph of a newer set of operators than the engine knows",
        "an error that names both",
        graphs::newer_operators,
    ),
    exact(
        "P15",
        "ONNX Runtime missing, damaged, or another library",
        "an error that names the file; the process ends with the code of one, no panic",
        engines::bad_library,
    ),
    live(
        "P16",
        "1,000 times loaded and let go",
        "memory grows by less than 5 MB",
        real::load_unload,
    ),
    live(
        "P17",
        "clouds of no point, one, 1e7, equal points, NaN, subnormals",
        "a finite chunk or an error, in bounded time (<= 1 s)",
        real::odd_clouds,
    ),
    exact(
        "P18",
        "a pickle handed to the loader",
        "refused, never unpickled",
        bundles::pickle,
    ),
    skip(
        "P19",
        "hostile safetensors files",
        "refused",
        "no file of this kind is read",
    ),
    skip(
        "P20",
        "an unsigned bundle, or one signed by somebody else",
        "refused on a deployment",
        "not written yet: bundles carry hashes, no signatures",
    ),
    skip(
        "P21",
        "an older signed bundle",
        "refused unless the operator insists",
        "not written yet: bundles carry hashes, no signatures",
    ),
];

const MODEL: &str = "models/fr3_pick_place";
const GRAPH: &str = "policy.onnx";

/// A copy of the shipped bundle that may be harmed.
struct Copy {
    dir: TempDir,
}

impl Copy {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let dir = TempDir::new()?;
        for entry in fs::read_dir(locate(MODEL)?)? {
            let entry = entry?;
            fs::copy(entry.path(), dir.path().join(entry.file_name()))?;
        }
        Ok(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Replaces a file, and the manifest's word on it.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
        let old = fs::read(self.file(name))?;
        fs::write(self.file(name), bytes)?;
        let manifest = fs::read_to_string(self.file("policy.toml"))?;
        let manifest = manifest
            .replace(&sha256_hex(&old), &sha256_hex(bytes))
            .replace(
                &format!("bytes = {}\n", old.len()),
                &format!("bytes = {}\n", bytes.len()),
            );
        fs::write(self.file("policy.toml"), manifest)?;
        Ok(())
    }

    fn refusal(&self) -> Option<BundleError> {
        Bundle::load(self.path()).err()
    }
}
