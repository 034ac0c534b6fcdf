//! Makes objects of a user's mesh files.

use std::path::{Path, PathBuf};

use clap::Args;
use prehend_robot::{MeshBody, MeshBodyOptions, Weight};
use prehend_sim::Part;
use prehend_sim::tabletop::TableObject;
use prehend_types::Pose;
use serde::Serialize;

use super::EXAMPLES;
use super::generate::Common;
use super::meshes::find_meshes;
use super::record::Origin;
use super::store::{Settings, Source, Store};
use super::summary::Summary;
use super::verify::{Candidate, check_gripper, verify};
use crate::exit::{Failure, Verdict};
use crate::session::Session;
use crate::workers::for_each_seed;

/// Smaller things are under what grasps are looked for; larger ones no hand here lifts, and lines that
/// look for grasps do not reach across, m.
const LONGEST_SIDE: [f64; 2] = [0.005, 0.5];
/// Lighter bodies are jittery in physics, kg.
const LIGHTEST: f64 = 0.005;

/// Arguments of `prehend objects import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// Folder with .obj and .stl files; folders in it are searched too.
    folder: PathBuf,
    /// Factor that makes the files' lengths metres: 0.001 for millimetres.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    scale: f64,
    /// About how many convex pieces a concave mesh may become; 1 is its hull.
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_pieces: u32,
    /// Mass per volume, kg/m³; no object gets less than 5 g.
    #[arg(long, value_name = "DENSITY", default_value_t = 400.0, value_parser = positive)]
    density_kg_per_m3: f64,
    /// Friction coefficient.
    #[arg(long, default_value_t = 0.6, value_parser = positive)]
    friction: f64,
    #[command(flatten)]
    common: Common,
}

/// A mesh that became no object.
#[derive(Debug, Serialize)]
struct Refused {
    file: String,
    why: String,
}

/// A mesh that was repaired.
#[derive(Debug, Serialize)]
struct Repaired {
    file: String,
    repairs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Body {
    folder: PathBuf,
    refused: Vec<Refused>,
    repaired: Vec<Repaired>,
    #[serde(flatten)]
    summary: Summary,
}

impl Import {
    /// Reads every mesh, tries those that are sound, and says what was wrong with the others.
    ///
    /// # Errors
    /// No mesh could be used, or an object could not be stored.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let common = &self.common;
        let jaw = common.gripper.open()?;
        let files = find_meshes(&self.folder)?;
        let (mut candidates, mut refused) = self.read(&files, session)?;
        if candidates.is_empty() {
            let lines: Vec<String> = refused.iter().map(Refused::line).collect();
            let n = lines.len();
            let text = lines.join("\n  ");
            let message = format!(
                "all {n} meshes of {:?} were refused:\n  {text}",
                self.folder
            );
            return Err(Failure::bad_input(message));
        }
        let file = common.gripper.file().display().to_string();
        check_gripper(&jaw, &file, &candidates)?;
        let source = Source::Meshes {
            scale: self.scale,
            max_pieces: self.max_pieces,
            density_kg_per_m3: self.density_kg_per_m3,
            friction: self.friction,
        };
        let settings = Settings::new(source, common.trials, common.seed, jaw);
        let store = Store::open(&common.out, &settings)?;
        // A mesh that changed since it was imported is one bad file, not the end of the others.
        candidates.retain(|candidate| {
            let read = store.read(&candidate.name, &candidate.origin);
            let Err(failure) = read else { return true };
            refused.push(Refused {
                file: candidate.name.clone(),
                why: failure.error.to_string(),
            });
            false
        });
        let threads = common.threads.count();
        let outcome = verify(&candidates, &store, &settings, threads, session)?;
        let body = Body {
            folder: self.folder.clone(),
            refused,
            repaired: candidates.iter().filter_map(repaired).collect(),
            summary: Summary::new(&common.out, &settings.gripper, &outcome),
        };
        session.report(Some(common.seed), &body, &body)?;
        let n_refused = body.refused.len();
        let shortfall =
            (n_refused > 0).then(|| format!("{n_refused} of {} meshes were refused", files.len()));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }

    /// Cuts every mesh into pieces; those that cannot be are refused, one by one.
    fn read(
        &self,
        files: &[PathBuf],
        session: &Session,
    ) -> Result<(Vec<Candidate>, Vec<Refused>), Failure> {
        let indices: Vec<u64> = (0..files.len() as u64).collect();
        let threads = self.common.threads.count();
        let read = |(): &mut (), index: u64| Ok(self.candidate(&files[index as usize]));
        let all = for_each_seed(threads, &indices, &session.interrupt, || Ok(()), read)?;
        let (mut candidates, mut refused) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Ok(candidate) => candidates.push(candidate),
                Err(one) => refused.push(one),
            }
        }
        Ok((candidates, refused))
    }

    fn candidate(&self, path: &Path) -> Result<Candidate, Refused> {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        let file = below.to_string_lossy().into_owned();
        let refuse = |why: String| Refused {
            file: file.clone(),
            why,
        };
        if below.to_str().is_none() {
            return Err(refuse("its name is not UTF-8; rename it".to_owned()));
        }
        let options = MeshBodyOptions {
            scale: self.scale,
            max_pieces: self.max_pieces,
            longest_side: LONGEST_SIDE,
        };
        let body = MeshBody::load(path, &options).map_err(|error| refuse(error.to_string()))?;
        let mut key = [0; 8];
        key.copy_from_slice(&body.sha256[..8]);
        let origin = body.origin_in_mesh;
        let repairs = body.remarks.iter().map(|(weight, text)| match weight {
            Weight::Note => text.clone(),
            Weight::Loss => format!("{text} (another shape than the file's)"),
        });
        Ok(Candidate {
            group: file.clone(),
            origin: Origin::Mesh {
                file: file.clone(),
                sha256: body
                    .sha256
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                repairs: repairs.collect(),
            },
            name: file,
            // By content, so that another name or other files beside it change nothing.
            key: u64::from_le_bytes(key),
            object: TableObject {
                mass: (self.density_kg_per_m3 * body.volume).max(LIGHTEST),
                friction: self.friction,
                parts: body
                    .pieces
                    .into_iter()
                    .map(|piece| Part {
                        shape: piece.shape,
                        body_from_part: piece.link_from_shape,
                    })
                    .collect(),
            },
            object_from_body: Pose::translation(origin.x, origin.y, origin.z),
        })
    }
}

fn repaired(candidate: &Candidate) -> Option<Repaired> {
    match &candidate.origin {
        Origin::Mesh { file, repairs, .. } if !repairs.is_empty() => Some(Repaired {
            file: file.clone(),
            repairs: repairs.clone(),
        }),
        _ => None,
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e6 => Ok(value),
        _ => Err("needs a number above 0, at most 1000000".to_owned()),
    }
}

impl Refused {
    fn line(&self) -> String {
        format!("{}: {}", self.file, self.why)
    }
}

impl std::fmt::Display for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for Repaired { file, repairs } in &self.repaired {
            writeln!(f, "repaired {file}: {}", repairs.join("; "))?;
        }
        for refused in &self.refused {
            writeln!(f, "refused {}", refused.line())?;
        }
        self.summary.fmt(f)
    }
}
