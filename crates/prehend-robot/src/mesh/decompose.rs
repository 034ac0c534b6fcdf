//! Splits a concave solid into nearly convex parts.
//!
//! The split is parry's V-HACD (Mamou 2016), the only thing that this crate uses of parry: geometry,
//! not rapier's physics. Its parts become our own hulls, in double precision and with few corners.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nalgebra::Vector3;
use parry3d::math::Vector as ParryVector;
use parry3d::transformation::vhacd::{VHACD, VHACDParameters};

use super::TriangleMesh;

/// Voxels along the longest side.
const RESOLUTION: u32 = 48;
/// Concavity that may remain, as a share of the hull's volume.
const CONCAVITY: f64 = 0.02;

/// Points of each part; empty if there is no good split.
pub(super) fn split(mesh: &TriangleMesh, max_pieces: u32) -> Vec<Vec<Vector3<f64>>> {
    // Around zero and of size one, where single precision loses least.
    let (mut low, mut high) = (
        Vector3::repeat(f64::INFINITY),
        Vector3::repeat(f64::NEG_INFINITY),
    );
    for point in &mesh.points {
        low = low.inf(point);
        high = high.sup(point);
    }
    let (middle, size) = ((low + high) / 2.0, (high - low).max());
    if !size.is_finite() || size <= 0.0 {
        return Vec::new();
    }
    let points: Vec<ParryVector> = mesh
        .points
        .iter()
        .map(|point| {
            let unit = (point - middle) / size;
            ParryVector::new(unit.x as f32, unit.y as f32, unit.z as f32)
        })
        .collect();
    let parameters = VHACDParameters {
        resolution: RESOLUTION,
        concavity: CONCAVITY as f32,
        max_convex_hulls: max_pieces,
        ..VHACDParameters::default()
    };
    // Foreign code on a user's mesh: should it panic, the caller takes the hull of everything.
    let parts = catch_unwind(AssertUnwindSafe(|| {
        VHACD::decompose(&parameters, &points, &mesh.triangles, true)
            .compute_primitive_intersections(&points, &mesh.triangles)
    }));
    let back = |point: &ParryVector| {
        let unit = Vector3::new(f64::from(point.x), f64::from(point.y), f64::from(point.z));
        unit * size + middle
    };
    parts
        .unwrap_or_default()
        .iter()
        .map(|part| part.iter().map(back).collect::<Vec<_>>())
        .filter(|part: &Vec<Vector3<f64>>| part.iter().flatten().all(|value| value.is_finite()))
        .collect()
}
