//! Where things go: plates, trays and bins, fixed to the table.

use nalgebra::Point3;
use prehend_types::Pose;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Part;
use super::build::{block, round_wall, upright};
use crate::geometry;

/// A kind of receptacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceptacleKind {
    /// Round, with a low rim.
    Plate,
    /// Rectangular, with low walls.
    Tray,
    /// Square, with walls higher than most objects.
    Bin,
}

impl ReceptacleKind {
    /// Its name in instructions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plate => "plate",
            Self::Tray => "tray",
            Self::Bin => "bin",
        }
    }
}

/// What the target must end up in. Its frame has the origin at the bottom centre, z up.
#[derive(Debug, Clone, PartialEq)]
pub struct Receptacle {
    /// Which kind.
    pub kind: ReceptacleKind,
    /// Convex pieces.
    pub parts: Vec<Part>,
    /// Where it stands.
    pub base_from_body: Pose,
    /// Height of the inner floor above the table, m.
    pub floor: f64,
    /// Height of the walls above the table, m.
    pub wall_top: f64,
    /// Half the inner size along x and y, m; a plate has its inner radius twice.
    pub inner: [f64; 2],
    /// Radius of the smallest vertical cylinder that holds it, m.
    pub footprint_radius: f64,
}

impl Receptacle {
    /// Draws one receptacle, standing at the origin.
    pub(crate) fn generate(rng: &mut ChaCha8Rng) -> Self {
        let kinds = [
            ReceptacleKind::Plate,
            ReceptacleKind::Tray,
            ReceptacleKind::Bin,
        ];
        let kind = kinds[rng.random_range(0..kinds.len())];
        let wall = 0.006;
        let (parts, inner, floor, wall_top) = match kind {
            ReceptacleKind::Plate => {
                let radius = rng.random_range(0.095..0.115);
                let height = rng.random_range(0.016..0.024);
                let floor = 0.006;
                let mut parts = vec![upright(radius, floor, [0.0; 3])];
                parts.extend(round_wall(16, radius, wall, height, 0.0, 0.0));
                (parts, [radius - wall; 2], floor, height)
            }
            ReceptacleKind::Tray | ReceptacleKind::Bin => {
                let (size, height) = if kind == ReceptacleKind::Tray {
                    let size = [rng.random_range(0.20..0.25), rng.random_range(0.17..0.20)];
                    (size, rng.random_range(0.020..0.030))
                } else {
                    let size = [rng.random_range(0.17..0.20), rng.random_range(0.17..0.20)];
                    (size, rng.random_range(0.045..0.065))
                };
                let floor = 0.005;
                let [x, y] = [0.5 * size[0] + 0.5 * wall, 0.5 * size[1] + 0.5 * wall];
                let parts = vec![
                    block([size[0], size[1], floor], [0.0; 3]),
                    block([wall, size[1] + 2.0 * wall, height], [x, 0.0, 0.0]),
                    block([wall, size[1] + 2.0 * wall, height], [-x, 0.0, 0.0]),
                    block([size[0] + 2.0 * wall, wall, height], [0.0, y, 0.0]),
                    block([size[0] + 2.0 * wall, wall, height], [0.0, -y, 0.0]),
                ];
                (parts, [0.5 * size[0], 0.5 * size[1]], floor, height)
            }
        };
        let footprint_radius = parts.iter().map(geometry::reach).fold(0.0, f64::max);
        Self {
            kind,
            parts,
            base_from_body: Pose::identity(),
            floor,
            wall_top,
            inner,
            footprint_radius,
        }
    }

    /// Whether a point in the base frame lies over the inner floor, at whatever height.
    #[must_use]
    pub fn contains(&self, in_base: &Point3<f64>) -> bool {
        let point = self.base_from_body.inverse_transform_point(in_base);
        match self.kind {
            ReceptacleKind::Plate => libm::hypot(point.x, point.y) <= self.inner[0],
            ReceptacleKind::Tray | ReceptacleKind::Bin => {
                point.x.abs() <= self.inner[0] && point.y.abs() <= self.inner[1]
            }
        }
    }
}
