//! Triangle meshes behind a tree of boxes, built once and shared.

use nalgebra::Vector3;
use wide::f32x8;

use super::lanes::{Nearest, Rays, above, pick, reaches};
use super::tree::{Node, Tree};

/// Triangles in the mesh's own frame, m, with a tree of bounding boxes. Faces are seen from both sides.
#[derive(Debug, Clone)]
pub struct TriangleMesh {
    tree: Tree,
    /// In the order of the tree's leaves.
    triangles: Vec<Triangle>,
}

#[derive(Debug, Clone, Copy)]
struct Triangle {
    corner: Vector3<f32>,
    edges: [Vector3<f32>; 2],
}

/// Why triangles are no mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// There is no triangle, or none with an area.
    #[error("a mesh needs a triangle with an area; none of {n_triangles} has one")]
    Empty {
        /// How many triangles were given.
        n_triangles: usize,
    },
    /// A triangle names a corner that does not exist.
    #[error("triangle {triangle} names vertex {vertex}; there are {n_vertices}")]
    Index {
        /// The triangle.
        triangle: usize,
        /// The vertex it names.
        vertex: u32,
        /// How many there are.
        n_vertices: usize,
    },
    /// A corner is not a finite number, or further than 100 m away.
    #[error("vertex {vertex} is not finite, or further than 100 m from the mesh's origin")]
    Vertex {
        /// The vertex.
        vertex: usize,
    },
}

/// Farthest coordinate of a corner, m.
const REACH: f32 = 100.0;
/// A hit may lie outside a triangle by this share of its edges, so that no ray slips between two.
const SEAM: f32 = 1e-5;

impl TriangleMesh {
    /// Builds the tree. Triangles without area are left out.
    ///
    /// # Errors
    /// [`MeshError`] if an index or a coordinate is unusable, or nothing is left.
    pub fn new(vertices: &[[f32; 3]], triangles: &[[u32; 3]]) -> Result<Self, MeshError> {
        let far = |v: &[f32; 3]| !v.iter().all(|c| c.abs() <= REACH);
        if let Some(vertex) = vertices.iter().position(far) {
            return Err(MeshError::Vertex { vertex });
        }
        let corner = |triangle: usize, vertex: u32| {
            let found = vertices.get(vertex as usize);
            found.map(|v| Vector3::from(*v)).ok_or(MeshError::Index {
                triangle,
                vertex,
                n_vertices: vertices.len(),
            })
        };
        let mut usable = Vec::with_capacity(triangles.len());
        for (index, [a, b, c]) in triangles.iter().enumerate() {
            let [a, b, c] = [corner(index, *a)?, corner(index, *b)?, corner(index, *c)?];
            let edges = [b - a, c - a];
            if edges[0].cross(&edges[1]).norm_squared() > 0.0 {
                usable.push(Triangle { corner: a, edges });
            }
        }
        if usable.is_empty() {
            return Err(MeshError::Empty {
                n_triangles: triangles.len(),
            });
        }
        let boxes: Vec<_> = usable.iter().map(Triangle::bounds).collect();
        let (tree, order) = Tree::build(&boxes);
        let triangles = order.iter().map(|index| usable[*index as usize]).collect();
        Ok(Self { tree, triangles })
    }

    /// Number of triangles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.triangles.len()
    }

    /// Never: an empty mesh cannot be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }

    /// Middle and half size of the bounding box.
    pub(super) fn bounds(&self) -> (Vector3<f32>, Vector3<f32>) {
        let root = self.tree.root();
        let (low, high) = (Vector3::from(root.low), Vector3::from(root.high));
        ((low + high) * 0.5, (high - low) * 0.5)
    }

    /// Keeps what is nearer than `nearest`.
    pub(super) fn hit(&self, origin: &[f32; 3], rays: &Rays, id: f32x8, nearest: &mut Nearest) {
        let inverse = [rays.x, rays.y, rays.z].map(reciprocal);
        let mut waiting = [(0_u32, 0.0_f32); Tree::DEPTH + 1];
        let mut n_waiting = 1;
        while n_waiting > 0 {
            n_waiting -= 1;
            let (index, entry) = waiting[n_waiting];
            // Something nearer may have been found in all lanes since this box was put aside.
            if above(nearest.depth, f32x8::splat(entry)).to_bitmask() == 0 {
                continue;
            }
            let node = self.tree.node(index);
            if node.count > 0 {
                let first = node.first as usize;
                for triangle in &self.triangles[first..first + node.count as usize] {
                    triangle.hit(origin, rays, id, nearest);
                }
                continue;
            }
            let [left, right] = [node.first, node.first + 1];
            let entries = [left, right]
                .map(|child| enter(self.tree.node(child), origin, &inverse, nearest.depth));
            // The nearer box goes on top.
            let (near, far) = match entries {
                [Some(a), Some(b)] if a <= b => (Some((left, a)), Some((right, b))),
                [Some(a), Some(b)] => (Some((right, b)), Some((left, a))),
                [a, b] => (a.map(|a| (left, a)), b.map(|b| (right, b))),
            };
            for child in [far, near].into_iter().flatten() {
                waiting[n_waiting] = child;
                n_waiting += 1;
            }
        }
    }
}

/// 1 / x, finite for zero.
#[inline]
fn reciprocal(x: f32x8) -> f32x8 {
    let tiny = f32x8::splat(1e-20);
    let usable = above(x.abs(), tiny);
    f32x8::splat(1.0) / pick(usable, x, tiny)
}

/// Least ray parameter over all lanes at which one enters a box before `until`.
#[inline]
fn enter(node: &Node, origin: &[f32; 3], inverse: &[f32x8; 3], until: f32x8) -> Option<f32> {
    let (mut enter, mut leave) = (f32x8::ZERO, until);
    for axis in 0..3 {
        let first = f32x8::splat(node.low[axis] - origin[axis]) * inverse[axis];
        let second = f32x8::splat(node.high[axis] - origin[axis]) * inverse[axis];
        enter = enter.fast_max(first.fast_min(second));
        leave = leave.fast_min(first.fast_max(second));
    }
    let hit = reaches(leave, enter);
    if hit.to_bitmask() == 0 {
        return None;
    }
    let entries = pick(hit, enter, f32x8::splat(f32::INFINITY)).to_array();
    Some(
        entries
            .into_iter()
            .fold(f32::INFINITY, |a, b| if b < a { b } else { a }),
    )
}

impl Triangle {
    fn bounds(&self) -> [[f32; 3]; 2] {
        let corners = [
            self.corner,
            self.corner + self.edges[0],
            self.corner + self.edges[1],
        ];
        let low = corners[0].inf(&corners[1]).inf(&corners[2]);
        let high = corners[0].sup(&corners[1]).sup(&corners[2]);
        // Room for the seam and for rounding.
        let room = (high - low) * (2.0 * SEAM) + Vector3::repeat(1e-6);
        [(low - room).into(), (high + room).into()]
    }

    /// Möller and Trumbore (1997). With one origin for all rays, every term is the product of the
    /// direction with a vector of the triangle alone.
    #[inline]
    fn hit(&self, origin: &[f32; 3], rays: &Rays, id: f32x8, nearest: &mut Nearest) {
        let from_corner = Vector3::from(*origin) - self.corner;
        let [along, across] = &self.edges;
        let q = from_corner.cross(along);
        let determinant = rays.dot(&across.cross(along).into());
        let inverse = f32x8::splat(1.0) / determinant;
        let u = rays.dot(&across.cross(&from_corner).into()) * inverse;
        let v = rays.dot(&q.into()) * inverse;
        let t = f32x8::splat(across.dot(&q)) * inverse;
        let least = f32x8::splat(-SEAM);
        let inside =
            reaches(u, least) & reaches(v, least) & reaches(f32x8::splat(1.0 + SEAM), u + v);
        nearest.take(inside, t, id);
    }
}
