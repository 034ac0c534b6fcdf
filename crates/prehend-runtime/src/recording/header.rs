//! What a recording begins with: the settings, and fingerprints of everything they name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prehend_policy::sha256_hex;
use prehend_robot::Robot;
use prehend_types::config::{self, locate};
use serde::{Deserialize, Serialize};

use super::{Recording, file_of, refused};
use crate::{LaunchFile, NodeKind, RuntimeError};

/// File of a bundle that holds the hashes of all its others.
const MANIFEST: &str = "policy.toml";

/// The header of a recording, written as TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// Package version of the program that recorded.
    pub version: String,
    /// Whose recording it is.
    pub node: NodeKind,
    /// Content hash of the robot's folder.
    pub robot_sha256: String,
    /// What computed the policy; empty for other nodes.
    pub engine: String,
    /// The launch file with every default filled in: control settings and limits among them.
    pub launch: String,
    /// SHA-256 of the manifests of the policy's bundles, by folder; empty for other nodes.
    pub bundles: BTreeMap<String, String>,
}

impl LaunchFile {
    /// Where a node is recorded to, if the launch file asks for it. `engine` is the policy's.
    pub(crate) fn recording(
        &self,
        node: NodeKind,
        robot: &Robot,
        engine: &str,
    ) -> Result<Option<Recording>, RuntimeError> {
        let Some(folder) = &self.record else {
            return Ok(None);
        };
        let path = file_of(folder, node);
        let fail = |error: toml::ser::Error| refused(&path, error.to_string());
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node,
            robot_sha256: robot.content_hash().to_owned(),
            engine: engine.to_owned(),
            launch: toml::to_string(self).map_err(fail)?,
            bundles: match node {
                NodeKind::Policy => bundles(self, &path)?,
                _ => BTreeMap::new(),
            },
        };
        let header = toml::to_string(&header).map_err(fail)?;
        Ok(Some(Recording { path, header }))
    }
}

impl Header {
    /// Reads the header of a recording at `path` and everything that it names; what is not what it was
    /// then is refused. A library of ONNX Runtime that it names is not opened: the one that is found here is.
    pub fn open(
        text: &str,
        path: &Path,
        node: NodeKind,
    ) -> Result<(Self, LaunchFile, Arc<Robot>), RuntimeError> {
        let header: Self = config::parse(text, path)?;
        if header.node != node {
            let found = header.node;
            return Err(refused(
                path,
                format!("it is of the {found}, not the {node}"),
            ));
        }
        let mut launch = LaunchFile::parse(&header.launch, path)?;
        // A recording may come from anyone; no file of theirs is loaded as code.
        launch.policy.library = None;
        let robot = launch.load_robot()?;
        if robot.content_hash() != header.robot_sha256 {
            let reason = format!(
                "it was recorded with {:?} when its content hash was {}, now it is {}",
                launch.robot,
                header.robot_sha256,
                robot.content_hash()
            );
            return Err(refused(path, reason));
        }
        Ok((header, launch, robot))
    }

    /// Refuses bundles that are not what they were, and a recording that does not say what they were.
    pub fn check_bundles(&self, launch: &LaunchFile, path: &Path) -> Result<(), RuntimeError> {
        let now = bundles(launch, path)?;
        for folder in now.keys().chain(self.bundles.keys()) {
            let of = |hashes: &BTreeMap<String, String>| {
                (hashes.get(folder).cloned()).unwrap_or_else(|| "not named".to_owned())
            };
            let (recorded, found) = (of(&self.bundles), of(&now));
            if found != recorded {
                let reason = format!(
                    "it was recorded with {folder} when the SHA-256 of its {MANIFEST} was {recorded}, \
                     now it is {found}"
                );
                return Err(refused(path, reason));
            }
        }
        Ok(())
    }
}

fn bundles(launch: &LaunchFile, path: &Path) -> Result<BTreeMap<String, String>, RuntimeError> {
    let grounding = launch.policy.grounding.as_ref();
    let refine = launch.policy.refine.as_ref();
    let folders: Vec<&PathBuf> = [&launch.policy.model]
        .into_iter()
        .chain(grounding.map(|grounding| &grounding.network))
        .chain(refine.map(|refine| &refine.model))
        .collect();
    let mut hashes = BTreeMap::new();
    for folder in folders {
        let manifest = locate(folder)?.join(MANIFEST);
        let text = config::read(&manifest).map_err(|error| refused(path, error.to_string()))?;
        hashes.insert(folder.display().to_string(), sha256_hex(text.as_bytes()));
    }
    Ok(hashes)
}
