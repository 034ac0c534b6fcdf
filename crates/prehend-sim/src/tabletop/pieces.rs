//! Convex pieces where they stand, for rays and overlaps.

use nalgebra::{Point3, Unit, Vector3};
use prehend_robot::LinkShape;
use prehend_types::Pose;
use rapier3d::geometry::SharedShape;
use rapier3d::math::Pose as RapierPose;
use rapier3d::parry::query::{Ray, intersection_test};

use crate::geometry;
use crate::objects::Part;
use crate::physics::{collider, from_rapier, to_rapier, to_rapier_vector, vector};

/// How far outside of everything rays start, m.
const FAR: f64 = 0.5;
/// Gaps that a line through a body steps over, m: neighbouring pieces touch, but not to the bit.
const SEAM: f64 = 2e-4;

/// One convex piece in the base frame.
#[derive(Clone)]
pub(crate) struct Piece {
    shape: SharedShape,
    pose: RapierPose,
    center: Vector3<f64>,
    radius: f64,
    /// Which body it belongs to.
    pub body: usize,
}

/// Where a line meets a surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Meeting {
    /// Along the line, m.
    pub distance: f64,
    /// Outwards.
    pub normal: Vector3<f64>,
}

/// The pieces of several bodies.
#[derive(Clone, Default)]
pub(crate) struct Pieces(pub Vec<Piece>);

impl Pieces {
    /// Adds a body's parts.
    pub fn add(&mut self, body: usize, parts: &[Part], base_from_body: &Pose) {
        self.0.extend(parts.iter().map(|part| {
            let shaped = collider(&part.shape)
                .position(to_rapier(&(base_from_body * part.body_from_part)))
                .build();
            let pose = *shaped.position();
            Piece {
                shape: shaped.shared_shape().clone(),
                center: from_rapier(&pose).translation.vector,
                pose,
                radius: geometry::radius(&part.shape),
                body,
            }
        }));
    }

    /// Whether one of these boxes, fixed to a frame with this pose, overlaps a piece that `counts`.
    pub fn overlap(
        &self,
        base_from_frame: &Pose,
        boxes: &[(SharedShape, LinkShape)],
        counts: impl Fn(usize) -> bool,
    ) -> bool {
        boxes.iter().any(|(shape, placed)| {
            let pose = base_from_frame * placed.link_from_shape;
            let radius = geometry::radius(&placed.shape);
            let center = pose.translation.vector;
            let pose = to_rapier(&pose);
            self.0.iter().any(|piece| {
                counts(piece.body)
                    && (piece.center - center).norm() < piece.radius + radius
                    && intersection_test(&pose, &**shape, &piece.pose, &*piece.shape)
                        .is_ok_and(|found| found.intersecting)
            })
        })
    }

    /// Whether a body's pieces come nearer than `gap` to another body's that `counts`.
    pub fn are_near(&self, other: &Self, gap: f64, counts: impl Fn(usize) -> bool) -> bool {
        self.0.iter().any(|own| {
            other.0.iter().any(|piece| {
                counts(piece.body)
                    && (piece.center - own.center).norm() < piece.radius + own.radius + gap
                    && rapier3d::parry::query::distance(
                        &own.pose,
                        &*own.shape,
                        &piece.pose,
                        &*piece.shape,
                    )
                    .is_ok_and(|found| f64::from(found.distance) < gap)
            })
        })
    }

    /// Where a ray first meets the body, from outside.
    pub fn first_hit(
        &self,
        body: usize,
        from: &Point3<f64>,
        direction: &Unit<Vector3<f64>>,
    ) -> Option<Meeting> {
        let own = self.0.iter().filter(|piece| piece.body == body);
        let hits = own.filter_map(|piece| piece.entry(from, direction));
        hits.min_by(|a, b| a.distance.total_cmp(&b.distance))
    }

    /// Where a line that enters the body at `from` leaves it: distance and normal.
    pub fn exit(
        &self,
        body: usize,
        from: &Point3<f64>,
        direction: &Unit<Vector3<f64>>,
    ) -> Option<Meeting> {
        let mut spans: Vec<(f64, Meeting)> = self
            .0
            .iter()
            .filter(|piece| piece.body == body)
            .filter_map(|piece| piece.span(from, direction))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut at: Option<Meeting> = None;
        for (enters, leaves) in spans {
            let reached = at.map_or(0.0, |at| at.distance);
            if enters <= reached + SEAM && leaves.distance > reached {
                at = Some(leaves);
            }
        }
        at
    }

    /// Highest surface on the vertical line through a point of the plane; `None` beside everything.
    pub fn top(&self, x: f64, y: f64) -> Option<f64> {
        let down = Unit::new_unchecked(-Vector3::z());
        let from = Point3::new(x, y, 1.0);
        let hits = self.0.iter().filter_map(|piece| {
            let beside = libm::hypot(piece.center.x - x, piece.center.y - y) > piece.radius;
            if beside {
                return None;
            }
            piece.entry(&from, &down)
        });
        hits.map(|hit| 1.0 - hit.distance).reduce(f64::max)
    }

    /// Lowest surface on the vertical line through a point of the plane; `None` beside everything.
    pub fn underside(&self, x: f64, y: f64) -> Option<f64> {
        let up = Vector3::z_axis();
        let from = Point3::new(x, y, -1.0);
        let hits = self.0.iter().filter_map(|piece| {
            let beside = libm::hypot(piece.center.x - x, piece.center.y - y) > piece.radius;
            if beside {
                return None;
            }
            piece.entry(&from, &up)
        });
        hits.map(|hit| hit.distance - 1.0).reduce(f64::min)
    }

    /// Lowest and highest corner of a box around everything.
    pub fn bounds(&self) -> Option<[Vector3<f64>; 2]> {
        let aabb = self
            .0
            .iter()
            .map(|piece| piece.shape.compute_aabb(&piece.pose))
            .reduce(|a, b| rapier3d::parry::bounding_volume::BoundingVolume::merged(&a, &b))?;
        Some([vector(aabb.mins), vector(aabb.maxs)])
    }
}

impl Piece {
    fn entry(&self, from: &Point3<f64>, direction: &Unit<Vector3<f64>>) -> Option<Meeting> {
        let ray = Ray::new(to_rapier_vector(&from.coords), to_rapier_vector(direction));
        let hit = self
            .shape
            .cast_ray_and_get_normal(&self.pose, &ray, 4.0, true)?;
        (hit.time_of_impact > 0.0).then(|| Meeting {
            distance: f64::from(hit.time_of_impact),
            normal: vector(hit.normal),
        })
    }

    /// Where a line enters and leaves; both found from outside, where normals are plain.
    fn span(&self, from: &Point3<f64>, direction: &Unit<Vector3<f64>>) -> Option<(f64, Meeting)> {
        let away = (self.center - from.coords).cross(direction).norm();
        if away > self.radius {
            return None;
        }
        let before = from - direction.as_ref() * FAR;
        let behind = from + direction.as_ref() * FAR;
        let enters = self.entry(&before, direction)?.distance - FAR;
        let leaves = self.entry(&behind, &-*direction)?;
        Some((
            enters,
            Meeting {
                distance: FAR - leaves.distance,
                normal: leaves.normal,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::build::block;

    #[test]
    fn a_line_leaves_where_the_union_ends() {
        let mut pieces = Pieces::default();
        // Two touching boxes, and a third behind a gap.
        let parts = [
            block([0.02; 3], [0.01, 0.0, 0.0]),
            block([0.02; 3], [0.03, 0.0, 0.0]),
            block([0.02; 3], [0.08, 0.0, 0.0]),
        ];
        pieces.add(3, &parts, &Pose::identity());
        let x = Vector3::x_axis();
        let from = Point3::new(0.0, 0.0, 0.01);
        let exit = pieces.exit(3, &from, &x).expect("inside");
        assert!((exit.distance - 0.04).abs() < 1e-5, "{exit:?}");
        assert!((exit.normal - Vector3::x()).norm() < 1e-5);
        assert_eq!(pieces.exit(2, &from, &x), None);
        assert!((pieces.top(0.08, 0.0).expect("over it") - 0.02).abs() < 1e-5);
        assert_eq!(pieces.top(0.2, 0.0), None);
    }
}
