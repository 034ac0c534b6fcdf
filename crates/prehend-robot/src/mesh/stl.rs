//! STL, binary and text.

use nalgebra::Vector3;

use super::{MeshBuilder, TriangleMesh, coordinate};

const HEADER: usize = 84;
const TRIANGLE: usize = 50;

/// A file whose length fits its count is binary, even if its header starts with `solid`.
pub(super) fn read(bytes: &[u8]) -> Result<TriangleMesh, String> {
    let count = bytes
        .get(80..HEADER)
        .and_then(|four| four.try_into().ok())
        .map(u32::from_le_bytes);
    let needed = count.map(|count| HEADER as u64 + TRIANGLE as u64 * u64::from(count));
    if needed == Some(bytes.len() as u64) {
        return binary(bytes);
    }
    if bytes.trim_ascii_start().starts_with(b"solid") {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            "starts as text STL but is not UTF-8; export it as binary STL".to_owned()
        })?;
        return ascii(text);
    }
    match (count, needed) {
        (Some(count), Some(needed)) => Err(format!(
            "announces {count} triangles, that is {needed} bytes, but has {}; export it again",
            bytes.len()
        )),
        _ => Err("is too short for an STL file; export it again".to_owned()),
    }
}

fn binary(bytes: &[u8]) -> Result<TriangleMesh, String> {
    let mut builder = MeshBuilder::default();
    for (number, triangle) in bytes[HEADER..].chunks_exact(TRIANGLE).enumerate() {
        let what = format_args!("triangle {number}").to_string();
        let mut corners = [Vector3::zeros(); 3];
        // 12 bytes of normal come first; the order of the corners says the same.
        for (corner, floats) in corners.iter_mut().zip(triangle[12..48].chunks_exact(12)) {
            for (value, four) in corner.iter_mut().zip(floats.chunks_exact(4)) {
                let four = [four[0], four[1], four[2], four[3]];
                *value = coordinate(f64::from(f32::from_le_bytes(four)), &what)?;
            }
        }
        builder.triangle(corners)?;
    }
    Ok(builder.finish())
}

fn ascii(text: &str) -> Result<TriangleMesh, String> {
    let mut builder = MeshBuilder::default();
    let mut corners: Vec<Vector3<f64>> = Vec::with_capacity(3);
    for (idx, line) in text.lines().enumerate() {
        let what = || format!("line {}", idx + 1);
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("vertex") => {
                let mut corner = Vector3::zeros();
                for value in corner.iter_mut() {
                    let word = words.next().unwrap_or_default();
                    let parsed = word.parse::<f64>().map_err(|_| {
                        format!(
                            "{}: `{word}` is not a number; export the mesh again",
                            what()
                        )
                    })?;
                    *value = coordinate(parsed, &what())?;
                }
                corners.push(corner);
            }
            Some("endfacet") => {
                let three: [Vector3<f64>; 3] = corners.as_slice().try_into().map_err(|_| {
                    format!("{}: a facet has {} corners, not 3", what(), corners.len())
                })?;
                builder.triangle(three)?;
                corners.clear();
            }
            Some("facet" | "outer" | "endloop" | "solid" | "endsolid") | None => {}
            Some(other) => {
                let shown: String = other.chars().take(20).collect();
                return Err(format!("{}: `{shown}` is not STL", what()));
            }
        }
    }
    if corners.is_empty() {
        Ok(builder.finish())
    } else {
        Err("ends in the middle of a facet; export it again".to_owned())
    }
}
