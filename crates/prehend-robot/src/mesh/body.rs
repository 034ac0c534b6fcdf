//! Turns one mesh file into a rigid body of convex pieces, for objects that a user brings.

use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use sha2::{Digest, Sha256};

use super::{Cut, MAX_MESH_BYTES, Pieces, TriangleMesh};
use crate::{LinkShape, RobotError, Weight, files};

/// An OBJ or STL file as a rigid body. The body's axes are the mesh's, its origin the middle of the box
/// around the mesh; lengths in m.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshBody {
    /// Convex pieces in the body's frame.
    pub pieces: Vec<LinkShape>,
    /// The body's origin in the mesh's coordinates after scaling.
    pub origin_in_mesh: Vector3<f64>,
    /// Sides of the box around it.
    pub size: Vector3<f64>,
    /// What the surface encloses, m³; of the hull if the surface is open.
    pub volume: f64,
    /// What was repaired, and whether the body is another one for it.
    pub remarks: Vec<(Weight, String)>,
    /// Digest of the file's bytes.
    pub sha256: [u8; 32],
}

/// How a mesh file is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeshBodyOptions {
    /// Factor that makes the file's lengths metres, above 0.
    pub scale: f64,
    /// About how many convex pieces a concave mesh may become; 1 is its hull.
    pub max_pieces: u32,
    /// Least and most that the longest side may measure, m.
    pub longest_side: [f64; 2],
}

/// Why a mesh file became no body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The system refused to read it.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// More bytes than any collision mesh needs.
    #[error("{path:?} has {bytes} bytes, more than the {limit} that are read; export it coarser")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The content is no mesh of a solid object.
    #[error("{path:?} {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

impl MeshBody {
    /// Reads a mesh. Open surfaces become their hull, surfaces turned inside out are turned back; both
    /// are remarked.
    ///
    /// # Errors
    /// [`MeshError`], naming the file: unreadable, truncated, empty, flat, too large or too small.
    pub fn load(path: &Path, options: &MeshBodyOptions) -> Result<Self, MeshError> {
        let bytes = files::read_bytes(path, MAX_MESH_BYTES).map_err(of_file)?;
        let refuse = |reason: String| MeshError::Content {
            path: path.to_owned(),
            reason,
        };
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let mut mesh = TriangleMesh::read(&bytes, extension).map_err(refuse)?;
        let around = fit(&mut mesh, options).map_err(refuse)?;
        mesh.prepare(&Vector3::repeat(1.0)).map_err(refuse)?;
        let pieces = Pieces::new(&mesh, Cut::Pieces(options.max_pieces)).map_err(refuse)?;
        Ok(Self {
            pieces: pieces.shapes,
            origin_in_mesh: around.origin,
            size: around.size,
            volume: pieces.volume,
            remarks: pieces.remarks,
            sha256: Sha256::digest(&bytes).into(),
        })
    }
}

/// The box around a mesh.
struct Around {
    origin: Vector3<f64>,
    size: Vector3<f64>,
}

/// Scales a mesh and moves it to the middle of the box around it, if that has a fitting size.
fn fit(mesh: &mut TriangleMesh, options: &MeshBodyOptions) -> Result<Around, String> {
    let mut low = Vector3::repeat(f64::INFINITY);
    let mut high = Vector3::repeat(f64::NEG_INFINITY);
    for point in &mut mesh.points {
        *point *= options.scale;
        low = low.inf(point);
        high = high.sup(point);
    }
    if mesh.points.is_empty() {
        return Err("has no triangles; export the mesh again".to_owned());
    }
    let size = high - low;
    check_size(size.max(), options)?;
    let origin = (low + high) / 2.0;
    for point in &mut mesh.points {
        *point -= origin;
    }
    Ok(Around { origin, size })
}

fn check_size(longest: f64, options: &MeshBodyOptions) -> Result<(), String> {
    let [least, most] = options.longest_side;
    let fits = |length: f64| (least..=most).contains(&length);
    if fits(longest) {
        return Ok(());
    }
    let digits = if longest < 0.1 { 6 } else { 2 };
    let wanted = format!("is {longest:.digits$} m long, an object needs {least} to {most} m");
    // The two mistakes that units make.
    let drawn_in = [("millimetres", 1e-3), ("metres", 1e3)];
    let remedy = drawn_in
        .into_iter()
        .find(|(_, factor)| fits(longest * factor))
        .map_or_else(
            || "leave it out, or give the scale that makes it metres".to_owned(),
            |(unit, factor)| {
                let scale = options.scale * factor;
                format!("if it is drawn in {unit}, give --scale {scale}")
            },
        );
    Err(format!("{wanted}; {remedy}"))
}

/// What reading a file can end with, without the words about robot folders.
fn of_file(error: RobotError) -> MeshError {
    match error {
        RobotError::Read { path, source } => MeshError::Read { path, source },
        RobotError::TooLarge { path, bytes, limit } => MeshError::TooLarge { path, bytes, limit },
        other => MeshError::Content {
            path: PathBuf::new(),
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    const OPTIONS: MeshBodyOptions = MeshBodyOptions {
        scale: 1.0,
        max_pieces: 8,
        longest_side: [0.005, 0.5],
    };

    /// Quads of a box from zero, counter-clockwise seen from outside.
    const FACES: [[usize; 4]; 6] = [
        [1, 3, 4, 2],
        [5, 6, 8, 7],
        [1, 2, 6, 5],
        [3, 7, 8, 4],
        [1, 5, 7, 3],
        [2, 4, 8, 6],
    ];

    fn box_text(size: [f64; 3], faces: &[[usize; 4]], is_inverted: bool) -> String {
        let mut text = String::new();
        for corner in 0..8 {
            let at = [0, 1, 2].map(|axis| {
                if corner >> axis & 1 == 1 {
                    size[axis]
                } else {
                    0.0
                }
            });
            text += &format!("v {} {} {}\n", at[0], at[1], at[2]);
        }
        for face in faces {
            let mut face = *face;
            if is_inverted {
                face.reverse();
            }
            text += &format!("f {} {} {} {}\n", face[0], face[1], face[2], face[3]);
        }
        text
    }

    fn load(text: &str, options: &MeshBodyOptions) -> Result<MeshBody, MeshError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("box.obj");
        std::fs::write(&path, text).expect("writes");
        MeshBody::load(&path, options)
    }

    #[track_caller]
    fn check_refused(text: &str, options: &MeshBodyOptions, words: &[&str]) {
        let said = load(text, options)
            .expect_err("must be refused")
            .to_string();
        for word in ["box.obj"].iter().chain(words) {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn closed_open_and_inverted_boxes_are_the_same_body() {
        let size = [0.04, 0.06, 0.03];
        let whole = load(&box_text(size, &FACES, false), &OPTIONS).expect("closed");
        assert_eq!(whole.remarks, Vec::new());
        assert!((whole.origin_in_mesh - Vector3::from(size) / 2.0).norm() < 1e-12);
        let open = load(&box_text(size, &FACES[..5], false), &OPTIONS).expect("open");
        assert!(open.remarks[0].1.contains("not closed"), "{open:?}");
        let inverted = load(&box_text(size, &FACES, true), &OPTIONS).expect("inverted");
        assert!(inverted.remarks[0].1.contains("inside out"), "{inverted:?}");
        for body in [whole, open, inverted] {
            assert_eq!(body.pieces.len(), 1);
            let Shape::Convex(hull) = &body.pieces[0].shape else {
                panic!("{body:?}");
            };
            assert_eq!(hull.points().len(), 8);
            assert!((hull.volume() - 7.2e-5).abs() < 1e-12);
            assert!((body.volume - 7.2e-5).abs() < 1e-12);
        }
    }

    #[test]
    fn millimetres_are_told_and_a_scale_repairs_them() {
        let text = box_text([40.0, 60.0, 30.0], &FACES, false);
        check_refused(&text, &OPTIONS, &["millimetres", "--scale 0.001"]);
        let scaled = MeshBodyOptions {
            scale: 1e-3,
            ..OPTIONS
        };
        let body = load(&text, &scaled).expect("scaled");
        assert!((body.size - Vector3::new(0.04, 0.06, 0.03)).norm() < 1e-12);
        let metres = box_text([0.04, 0.06, 0.03], &FACES, false);
        check_refused(&metres, &scaled, &["drawn in metres", "--scale 1"]);
        let beyond = box_text([3.0, 1.0, 1.0], &FACES, false);
        check_refused(&beyond, &OPTIONS, &["leave it out"]);
    }

    #[test]
    fn what_is_no_solid_is_refused() {
        check_refused("", &OPTIONS, &["has no triangles"]);
        check_refused("v 0 0 nan\n", &OPTIONS, &["line 1", "NaN"]);
        let flat = box_text([0.04, 0.06, 0.0], &FACES, false);
        check_refused(&flat, &OPTIONS, &["plane"]);
        let truncated = box_text([0.04; 3], &FACES, false);
        let truncated = &truncated[..truncated.len() - 4];
        check_refused(truncated, &OPTIONS, &["line 14", "corners"]);
        let missing = MeshBody::load(Path::new("nowhere/mug.stl"), &OPTIONS);
        let said = missing.expect_err("not there").to_string();
        assert!(said.contains("nowhere/mug.stl"), "{said}");
    }
}
