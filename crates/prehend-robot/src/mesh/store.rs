//! Convex pieces of mesh files, each file read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nalgebra::{Matrix3, Translation3, Vector3};
use prehend_types::Pose;
use sha2::{Digest, Sha256};

use super::{MAX_MESH_BYTES, TriangleMesh, decompose};
use crate::{ConvexHull, LinkShape, Shape, Weight, files};

/// All meshes of one robot together.
const MAX_TOTAL_BYTES: u64 = 256 << 20;
/// A hull may have this much more volume than its mesh before the mesh counts as concave.
const CONCAVE: f64 = 1.05;

/// Corners cut off by more than this make another shape, m; less is what meshes are drawn to.
const COARSE: f64 = 3e-3;

/// What a mesh became.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pieces {
    /// In the mesh's frame.
    pub shapes: Vec<LinkShape>,
    /// Mass distribution at density 1: of the surface if it is closed, else of the hull.
    pub volume: f64,
    pub center: Vector3<f64>,
    pub inertia: Matrix3<f64>,
    /// What a user should know: an open surface, corners cut off.
    pub remarks: Vec<(Weight, String)>,
}

/// How meshes are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// One hull around everything.
    Hull,
    /// Concave solids become at most about this many pieces.
    Pieces(u32),
}

/// File, bits of the scale, cut.
type Key = (PathBuf, [u64; 3], Cut);

/// Remembers files by path, scale and cut.
#[derive(Debug, Default)]
pub(crate) struct MeshStore {
    known: BTreeMap<Key, Result<Arc<Pieces>, String>>,
    total_bytes: u64,
    /// SHA-256 of each file, in the order of first use, under the name that the model gives it.
    pub digests: Vec<(String, [u8; 32])>,
}

impl MeshStore {
    /// Reads `path`, called `name` in the model.
    pub fn pieces(
        &mut self,
        path: &Path,
        name: &str,
        scale: &Vector3<f64>,
        cut: Cut,
    ) -> Result<Arc<Pieces>, String> {
        let key = (
            path.to_owned(),
            [scale.x, scale.y, scale.z].map(f64::to_bits),
            cut,
        );
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let made = self.read(path, name, scale, cut).map(Arc::new);
        self.known.insert(key, made.clone());
        made
    }

    fn read(
        &mut self,
        path: &Path,
        name: &str,
        scale: &Vector3<f64>,
        cut: Cut,
    ) -> Result<Pieces, String> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        if !["stl", "obj"].contains(&extension.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "\"{name}\" is not a mesh that is read; convert it to .stl or .obj"
            ));
        }
        let bytes = files::read_bytes(path, MAX_MESH_BYTES).map_err(|error| error.to_string())?;
        self.total_bytes += bytes.len() as u64;
        if self.total_bytes > MAX_TOTAL_BYTES {
            return Err(format!(
                "brings the meshes to more than {MAX_TOTAL_BYTES} bytes; export coarser collision meshes"
            ));
        }
        let about = |message: String| format!("{}: {message}", path.display());
        let mut mesh = TriangleMesh::read(&bytes, extension).map_err(about)?;
        mesh.prepare(scale).map_err(about)?;
        let pieces = Pieces::new(&mesh, cut).map_err(about)?;
        if self.digests.iter().all(|(known, _)| known != name) {
            self.digests
                .push((name.to_owned(), Sha256::digest(&bytes).into()));
        }
        Ok(pieces)
    }
}

impl Pieces {
    pub fn new(mesh: &TriangleMesh, cut: Cut) -> Result<Self, String> {
        // Corners of triangles only: an OBJ may hold points that no face uses.
        let whole = ConvexHull::around(&mesh.points)
            .map_err(|error| format!("{error}; use a box of the right thickness"))?;
        let is_closed = mesh.is_closed();
        let solid = mesh.solid();
        let mut remarks = Vec::new();
        let mut remark = |weight: Weight, text: &str| remarks.push((weight, text.to_owned()));
        if !is_closed {
            let text =
                "the surface is not closed: its convex hull is used, a hollow in it is filled";
            remark(Weight::Loss, text);
        } else if solid.volume < 0.0 {
            remark(
                Weight::Note,
                "the surface is turned inside out; its outside is used",
            );
        }
        let volume = solid.volume.abs();
        let mut shapes = Vec::new();
        let mut deviation = whole.deviation;
        let is_concave = is_closed && whole.hull.volume() > CONCAVE * volume;
        if let (Cut::Pieces(max_pieces), true) = (cut, is_concave)
            && max_pieces > 1
        {
            for part in decompose::split(mesh, max_pieces) {
                // A part that is thinner than rounding encloses nothing that could touch.
                if let Ok(hulled) = ConvexHull::around(&part) {
                    deviation = deviation.max(hulled.deviation);
                    shapes.push(shape(hulled.hull, hulled.center));
                }
            }
        }
        let (volume, center, inertia) = if is_closed && volume > 0.0 {
            let sign = solid.volume.signum();
            (volume, solid.center, solid.inertia * sign)
        } else {
            let (center, inertia) = whole.hull.mass_distribution();
            (whole.hull.volume(), center + whole.center, inertia)
        };
        if shapes.is_empty() {
            if is_concave && cut != Cut::Hull {
                remark(
                    Weight::Loss,
                    "it could not be split: its convex hull is used",
                );
            }
            shapes.push(shape(whole.hull, whole.center));
        }
        if deviation > 5e-4 {
            let weight = if deviation > COARSE {
                Weight::Loss
            } else {
                Weight::Note
            };
            let text = format!(
                "has many corners: up to {:.1} mm of it lie outside the piece of {} corners",
                deviation * 1e3,
                crate::hull::MAX_CORNERS
            );
            remark(weight, &text);
        }
        Ok(Self {
            shapes,
            volume,
            center,
            inertia,
            remarks,
        })
    }
}

fn shape(hull: ConvexHull, center: Vector3<f64>) -> LinkShape {
    LinkShape {
        link_from_shape: Pose::from_parts(Translation3::from(center), Default::default()),
        shape: Shape::Convex(Arc::new(hull)),
    }
}
