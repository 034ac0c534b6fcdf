//! Turns STL and OBJ files into convex pieces.

mod body;
mod decompose;
mod obj;
mod roots;
mod solid;
mod stl;
mod store;

pub use body::{MeshBody, MeshBodyOptions, MeshError};
pub(crate) use roots::Roots;
pub(crate) use solid::Solid;
pub(crate) use store::{Cut, MeshStore, Pieces};

use std::collections::BTreeMap;

use nalgebra::Vector3;

/// More than any collision mesh needs.
pub(crate) const MAX_MESH_BYTES: u64 = 32 << 20;
/// Bounds memory and the time of one mesh.
const MAX_TRIANGLES: usize = 500_000;
/// Parts of robots are smaller; a mesh in millimetres that lacks its scale is not.
const MAX_SIZE: f64 = 20.0;
/// Triangles with less area than this share of size² are none.
const NO_AREA: f64 = 1e-14;

/// Points and triangles; equal points are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct TriangleMesh {
    pub points: Vec<Vector3<f64>>,
    pub triangles: Vec<[u32; 3]>,
}

/// Collects triangles and joins equal corners, which STL repeats.
#[derive(Default)]
pub(super) struct MeshBuilder {
    mesh: TriangleMesh,
    known: BTreeMap<[u64; 3], u32>,
}

impl MeshBuilder {
    fn corner(&mut self, point: Vector3<f64>) -> u32 {
        // + 0.0 makes -0.0 and 0.0 the same bits.
        let key = [point.x, point.y, point.z].map(|value| (value + 0.0).to_bits());
        let next = self.mesh.points.len() as u32;
        let idx = *self.known.entry(key).or_insert(next);
        if idx == next {
            self.mesh.points.push(point);
        }
        idx
    }

    pub fn triangle(&mut self, corners: [Vector3<f64>; 3]) -> Result<(), String> {
        if self.mesh.triangles.len() >= MAX_TRIANGLES {
            return Err(format!(
                "has more than {MAX_TRIANGLES} triangles; export a coarser collision mesh"
            ));
        }
        let corners = corners.map(|corner| self.corner(corner));
        self.mesh.triangles.push(corners);
        Ok(())
    }

    pub fn finish(self) -> TriangleMesh {
        self.mesh
    }
}

/// A finite coordinate of a sensible size, or what is wrong with it.
pub(super) fn coordinate(value: f64, what: &str) -> Result<f64, String> {
    if value.is_finite() && value.abs() <= 1e9 {
        return Ok(value);
    }
    Err(format!(
        "{what} has the coordinate {value}; export the mesh again"
    ))
}

impl TriangleMesh {
    /// Reads a mesh by its file extension.
    pub fn read(bytes: &[u8], extension: &str) -> Result<Self, String> {
        match extension.to_ascii_lowercase().as_str() {
            "stl" => stl::read(bytes),
            "obj" => obj::read(bytes),
            other => Err(format!(
                "is a .{other} file, which is not read; convert it to .stl or .obj"
            )),
        }
    }

    /// Scales, then drops triangles without area and refuses what cannot be part of a robot.
    pub fn prepare(&mut self, scale: &Vector3<f64>) -> Result<(), String> {
        for point in &mut self.points {
            point.component_mul_assign(scale);
        }
        let Some(first) = self.points.first() else {
            return Err("has no triangles".to_owned());
        };
        let (mut low, mut high) = (*first, *first);
        for point in &self.points {
            low = low.inf(point);
            high = high.sup(point);
        }
        let size = (high - low).norm();
        if size > MAX_SIZE {
            return Err(format!(
                "spans {size:.1} m; if it is in millimetres, write scale=\"0.001 0.001 0.001\""
            ));
        }
        let Self { points, triangles } = self;
        triangles.retain(|triangle| {
            let [a, b, c] = triangle.map(|idx| points[idx as usize]);
            (b - a).cross(&(c - a)).norm() > NO_AREA * size * size
        });
        if triangles.is_empty() {
            return Err("has no triangle with an area; export the mesh again".to_owned());
        }
        // Scaling by a negative factor mirrors: the order of corners has to follow.
        if scale.iter().filter(|factor| **factor < 0.0).count() % 2 == 1 {
            for triangle in triangles {
                triangle.swap(1, 2);
            }
        }
        Ok(())
    }

    /// Whether every edge is met once in each direction: the surface then encloses a volume.
    pub fn is_closed(&self) -> bool {
        let mut edges: Vec<(u32, u32)> = (self.triangles.iter())
            .flat_map(|[a, b, c]| [(*a, *b), (*b, *c), (*c, *a)])
            .collect();
        edges.sort_unstable();
        let is_unique = edges.windows(2).all(|pair| pair[0] != pair[1]);
        is_unique
            && edges
                .iter()
                .all(|(from, to)| edges.binary_search(&(*to, *from)).is_ok())
    }

    /// Mass distribution, taken as solid; meaningful if [`Self::is_closed`].
    pub fn solid(&self) -> Solid {
        Solid::new(&self.points, &self.triangles)
    }
}
