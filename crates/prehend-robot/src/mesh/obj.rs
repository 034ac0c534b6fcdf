//! Wavefront OBJ: corners and faces; materials, normals and textures are skipped, no file it names is
//! opened.

use nalgebra::Vector3;

use super::{MeshBuilder, TriangleMesh, coordinate};

/// Faces with more corners are not from a mesh exporter.
const MAX_FACE_CORNERS: usize = 1000;

pub(super) fn read(bytes: &[u8]) -> Result<TriangleMesh, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let mut points: Vec<Vector3<f64>> = Vec::new();
    let mut builder = MeshBuilder::default();
    for (idx, line) in text.lines().enumerate() {
        let what = || format!("line {}", idx + 1);
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("v") => {
                let mut point = Vector3::zeros();
                for value in point.iter_mut() {
                    let word = words.next().unwrap_or_default();
                    let parsed = word.parse::<f64>().map_err(|_| {
                        format!(
                            "{}: `{word}` is not a number; export the mesh again",
                            what()
                        )
                    })?;
                    *value = coordinate(parsed, &what())?;
                }
                points.push(point);
            }
            Some("f") => {
                let corners = words
                    .take(MAX_FACE_CORNERS + 1)
                    .map(|word| corner(word, &points).map_err(|e| format!("{}: {e}", what())))
                    .collect::<Result<Vec<_>, _>>()?;
                if !(3..=MAX_FACE_CORNERS).contains(&corners.len()) {
                    return Err(format!(
                        "{}: a face has {} corners; it needs 3 to {MAX_FACE_CORNERS}",
                        what(),
                        corners.len()
                    ));
                }
                for pair in corners[1..].windows(2) {
                    builder.triangle([corners[0], pair[0], pair[1]])?;
                }
            }
            _ => {}
        }
    }
    Ok(builder.finish())
}

/// `7`, `7/1`, `7//3`, `7/1/3` or negative, counted back from the last point.
fn corner(word: &str, points: &[Vector3<f64>]) -> Result<Vector3<f64>, String> {
    let number = word.split('/').next().unwrap_or_default();
    let given: i64 = number
        .parse()
        .map_err(|_| format!("`{word}` is not a corner of a face"))?;
    let idx = if given < 0 {
        points.len() as i64 + given
    } else {
        given - 1
    };
    usize::try_from(idx)
        .ok()
        .and_then(|idx| points.get(idx))
        .copied()
        .ok_or_else(|| {
            format!(
                "there is no vertex {given}; {} are known here",
                points.len()
            )
        })
}
