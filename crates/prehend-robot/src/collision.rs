//! How near the arm comes to itself: distances between capsules of links that are not neighbours.

use arrayvec::ArrayVec;
use nalgebra::{Point3, Vector3};
use prehend_types::{JointPositions, MAX_JOINTS, Pose};

use crate::chain::Chain;
use crate::{GripperSpec, Link, LinkShape, Part, Robot};

/// One capsule on the kinematic chain, in the frame of what a joint carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChainCapsule {
    /// Carried by joint `body_idx - 1`; 0 is the base.
    body_idx: usize,
    a: Point3<f64>,
    b: Point3<f64>,
    radius: f64,
}

/// Sphere centres of a capsule in the base frame.
type Segment = [Point3<f64>; 2];

/// Capsules that are moved to the base frame once per look; any further one is moved for each of its pairs.
const MAX_MOVED: usize = 48;

/// The arm's capsules, and which of them are checked against each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct SelfCollision {
    capsules: Vec<ChainCapsule>,
    pairs: Vec<[usize; 2]>,
}

impl Robot {
    /// Smallest distance between two parts of the robot that could collide, m; negative when they
    /// overlap, infinite when no pair is checked. Real-time safe: no allocation.
    ///
    /// Shapes count as their [`LinkShape::bounding_capsule`]. Neighbours on the chain are not checked,
    /// nor pairs that already overlap at home, which is how vendors' coarse capsules are meant.
    #[must_use]
    pub fn self_distance(&self, q: &JointPositions) -> f64 {
        self.self_collision.distance(&body_poses(&self.chain, q))
    }

    /// [`Self::self_distance`] and [`Self::forward`] in one pass. Real-time safe: no allocation.
    #[must_use]
    pub fn self_distance_and_forward(&self, q: &JointPositions) -> (f64, Pose) {
        let base_from_body = body_poses(&self.chain, q);
        (
            self.self_collision.distance(&base_from_body),
            base_from_body[self.n_joints()] * self.chain.last_joint_from_tcp,
        )
    }

    /// For each joint, how far one rad (or m) of it moves the tool and the axes of the parts that
    /// [`Self::self_distance`] looks at, at most and at any posture, m. By the sum of these over a motion no
    /// distance between two parts, and no coordinate of the tool, can change more. Zero beyond the
    /// joint count.
    #[must_use]
    pub fn reach(&self) -> [f64; MAX_JOINTS] {
        let joints = &self.chain.joints;
        let mut farthest = [0.0_f64; MAX_JOINTS + 1];
        farthest[joints.len()] = self.chain.last_joint_from_tcp.translation.vector.norm();
        for capsule in &self.self_collision.capsules {
            let radius = capsule.a.coords.norm().max(capsule.b.coords.norm());
            farthest[capsule.body_idx] = farthest[capsule.body_idx].max(radius);
        }
        let mut reach = [0.0; MAX_JOINTS];
        // From the tip down: what a body carries is no farther than its own joint is, and then some.
        let mut beyond = 0.0_f64;
        for (joint_idx, joint) in joints.iter().enumerate().rev() {
            let from_here = farthest[joint_idx + 1].max(beyond);
            reach[joint_idx] = if joint.is_prismatic { 1.0 } else { from_here };
            let range = self.limits.q_min[joint_idx]
                .abs()
                .max(self.limits.q_max[joint_idx].abs());
            let stroke = if joint.is_prismatic { range } else { 0.0 };
            beyond = from_here + joint.previous_from_joint.translation.vector.norm() + stroke;
        }
        reach
    }
}

impl SelfCollision {
    /// The pairs worth checking: not neighbours, and apart at home.
    pub(crate) fn new(
        chain: &Chain,
        links: &[Link],
        gripper: Option<&GripperSpec>,
        home: &JointPositions,
    ) -> Self {
        let capsules = chain_capsules(chain, links, gripper);
        let base_from_body = body_poses(chain, home);
        let mut pairs = Vec::new();
        for (idx, first) in capsules.iter().enumerate() {
            for (other_idx, second) in capsules.iter().enumerate().skip(idx + 1) {
                let is_apart = first.body_idx.abs_diff(second.body_idx) > 1;
                let [one, other] = [first, second].map(|capsule| capsule.moved(&base_from_body));
                if is_apart && segment_distance(one, other) > first.radius + second.radius {
                    pairs.push([idx, other_idx]);
                }
            }
        }
        Self { capsules, pairs }
    }

    /// Smallest distance of any pair, m; NaN if one has none. Never allocates.
    fn distance(&self, base_from_body: &[Pose; MAX_JOINTS + 1]) -> f64 {
        let moved: ArrayVec<Segment, MAX_MOVED> = (self.capsules.iter().take(MAX_MOVED))
            .map(|capsule| capsule.moved(base_from_body))
            .collect();
        let segment = |idx: usize| {
            (moved.get(idx).copied()).unwrap_or_else(|| self.capsules[idx].moved(base_from_body))
        };
        let mut smallest = f64::INFINITY;
        for [first, second] in &self.pairs {
            let radii = self.capsules[*first].radius + self.capsules[*second].radius;
            let distance = segment_distance(segment(*first), segment(*second)) - radii;
            if distance.is_nan() {
                return f64::NAN;
            }
            smallest = smallest.min(distance);
        }
        smallest
    }
}

impl ChainCapsule {
    fn moved(&self, base_from_body: &[Pose; MAX_JOINTS + 1]) -> Segment {
        let pose = &base_from_body[self.body_idx];
        [pose * self.a, pose * self.b]
    }
}

fn body_poses(chain: &Chain, q: &JointPositions) -> [Pose; MAX_JOINTS + 1] {
    let mut base_from_body = [Pose::identity(); MAX_JOINTS + 1];
    for (idx, joint) in chain.joints.iter().enumerate() {
        let q = q.get(idx).copied().unwrap_or(f64::NAN);
        base_from_body[idx + 1] = base_from_body[idx] * joint.pose(q);
    }
    base_from_body
}

/// Every link's shapes as capsules, moved to the frame of the joint that carries the link. A gripper
/// with capsules of its own is represented by those, at any width.
fn chain_capsules(
    chain: &Chain,
    links: &[Link],
    gripper: Option<&GripperSpec>,
) -> Vec<ChainCapsule> {
    let gripper = gripper.filter(|gripper| !gripper.self_collision.is_empty());
    let mut capsules = Vec::new();
    for ((link_idx, link), (body_idx, body_from_link)) in
        links.iter().enumerate().zip(&chain.carried)
    {
        let shapes: &[LinkShape] = match gripper {
            Some(gripper) if gripper.hand_idx == link_idx => &gripper.self_collision,
            Some(_) if link.part != Part::Arm => &[],
            _ => &link.shapes,
        };
        capsules.extend(shapes.iter().map(|shape| {
            let (a, b, radius) = shape.bounding_capsule();
            let moved = |point: Vector3<f64>| body_from_link * Point3::from(point);
            ChainCapsule {
                body_idx: *body_idx,
                a: moved(a),
                b: moved(b),
                radius,
            }
        }));
    }
    capsules
}

/// Distance between the segments `p1 q1` and `p2 q2` (Ericson, Real-Time Collision Detection, 5.1.9).
fn segment_distance([p1, q1]: Segment, [p2, q2]: Segment) -> f64 {
    const TINY: f64 = 1e-18;
    let (d1, d2, r) = (q1 - p1, q2 - p2, p1 - p2);
    let (a, e, f) = (d1.norm_squared(), d2.norm_squared(), d2.dot(&r));
    let (s, t) = if a <= TINY && e <= TINY {
        (0.0, 0.0)
    } else if a <= TINY {
        (0.0, (f / e).clamp(0.0, 1.0))
    } else {
        let c = d1.dot(&r);
        if e <= TINY {
            ((-c / a).clamp(0.0, 1.0), 0.0)
        } else {
            let b = d1.dot(&d2);
            let denominator = a * e - b * b;
            let s = if denominator > TINY {
                ((b * f - c * e) / denominator).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let t = (b * s + f) / e;
            if t < 0.0 {
                ((-c / a).clamp(0.0, 1.0), 0.0)
            } else if t > 1.0 {
                (((b - c) / a).clamp(0.0, 1.0), 1.0)
            } else {
                (s, t)
            }
        }
    };
    ((p1 + d1 * s) - (p2 + d2 * t)).norm()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(segments: [[f64; 3]; 4], expected: f64) {
        let [p1, q1, p2, q2] = segments.map(Point3::from);
        for (p1, q1, p2, q2) in [
            (p1, q1, p2, q2),
            (q1, p1, p2, q2),
            (p2, q2, p1, q1),
            (p2, q2, q1, p1),
        ] {
            let got = segment_distance([p1, q1], [p2, q2]);
            assert!((got - expected).abs() < 1e-12, "{got} != {expected}");
        }
    }

    #[test]
    fn segments_keep_their_distance() {
        let (o, x, z) = ([0.0; 3], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]);
        check([o, x, [0.5, -1.0, 2.0], [0.5, 1.0, 2.0]], 2.0); // crossing
        check([o, x, z, [1.0, 0.0, 2.0]], 2.0); // parallel
        check([o, x, [4.0, 0.0, 4.0], [4.0, 0.0, 9.0]], 5.0); // end to end
        check([o, o, [3.0, 4.0, 0.0], [3.0, 4.0, 0.0]], 5.0); // two points
        check([o, o, [-1.0, 3.0, 0.0], [1.0, 3.0, 0.0]], 3.0); // point and segment
    }
}
