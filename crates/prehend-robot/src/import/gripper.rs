//! Finds two prismatic fingers on one link, and where their pads are.

use nalgebra::{Unit, Vector3};
use prehend_types::Pose;

use super::model::Model;
use crate::urdf::{JointKind, Mimic, UrdfJoint};
use crate::{LinkShape, Shape};

/// Shapes that end within this of the farthest are one pad, m.
const TIP: f64 = 5e-3;

/// Two joints that open a hand, the leading one first.
pub(super) struct Pair {
    pub hand: usize,
    pub joints: [usize; 2],
    /// How the second moves when the first moves by 1: 1 or -1.
    sign: f64,
}

pub(super) struct GripperPlan {
    pub hand: String,
    pub left: FingerPlan,
    pub right: FingerPlan,
    pub max_width: f64,
    pub max_speed: f64,
    pub force: f64,
    /// Between the pads, in the hand's frame, m.
    pub middle: Vector3<f64>,
}

pub(super) struct FingerPlan {
    pub joint: String,
    pub pad_center: Vector3<f64>,
    pub pad_size: Vector3<f64>,
}

/// All pairs of fingers in the model.
pub(super) fn pairs(model: &Model) -> Vec<Pair> {
    let hands = 0..model.urdf.links.len();
    hands.filter_map(|hand| pair_on(model, hand)).collect()
}

fn pair_on(model: &Model, hand: usize) -> Option<Pair> {
    let moving: Vec<usize> = model
        .children(hand)
        .into_iter()
        .map(|child| child - 1)
        .filter(|idx| model.urdf.joints[*idx].kind != JointKind::Fixed)
        .collect();
    let [first, second] = moving.try_into().ok()?;
    let joints = |idx: usize| &model.urdf.joints[idx];
    let is_finger =
        |idx: usize| joints(idx).kind == JointKind::Prismatic && !moves_beyond(model, idx + 1);
    if !is_finger(first) || !is_finger(second) {
        return None;
    }
    let follows = |follower: usize, leader: usize| {
        let mimic = joints(follower).mimic.as_ref()?;
        let is_mirror = mimic.joint == joints(leader).name
            && mimic.multiplier.abs() == 1.0
            && mimic.offset == 0.0;
        is_mirror.then_some(mimic.multiplier)
    };
    let is_free = |idx: usize| joints(idx).mimic.is_none();
    let axis = |idx: usize| joints(idx).parent_from_joint.rotation * joints(idx).axis;
    let along = axis(first).dot(&axis(second));
    let (joints, sign) = if let Some(sign) = follows(second, first) {
        ([first, second], sign)
    } else if let Some(sign) = follows(first, second) {
        ([second, first], sign)
    } else if is_free(first) && is_free(second) {
        ([first, second], -along.signum())
    } else {
        return None;
    };
    // They must go apart.
    (along * sign < -0.99).then_some(Pair { hand, joints, sign })
}

/// Whether a joint moves behind this link.
fn moves_beyond(model: &Model, link_idx: usize) -> bool {
    model.children(link_idx).into_iter().any(|child| {
        model.urdf.joints[child - 1].kind != JointKind::Fixed || moves_beyond(model, child)
    })
}

/// Writes the pair as this crate wants it, both opening in the positive direction and the second
/// following the first, and guesses pads, speed and force.
pub(super) fn plan(model: &mut Model, pair: &Pair) -> GripperPlan {
    let [left, right] = pair.joints;
    let is_free = model.urdf.joints[right].mimic.is_none();
    let leader = model.urdf.joints[left].name.clone();
    if is_free {
        let why = "both fingers are taken to move together, as those of a parallel gripper do";
        model.assume(&leader, "coupled fingers", why);
    }
    // 0 is closed: the longer side of the range is where it opens to.
    let opens_down = model.urdf.joints[left]
        .limit
        .is_some_and(|limit| limit.lower.abs() > limit.upper.abs());
    if opens_down {
        flip(&mut model.urdf.joints[left]);
    }
    if (pair.sign < 0.0) != opens_down {
        flip(&mut model.urdf.joints[right]);
    }
    model.urdf.joints[right].mimic = Some(Mimic {
        joint: leader.clone(),
        multiplier: 1.0,
        offset: 0.0,
    });
    let limits = [left, right].map(|idx| model.urdf.joints[idx].limit);
    let [left_limit, right_limit] = limits.map(|limit| {
        limit.map_or((0.0, 0.0, 0.0, 0.0), |l| {
            (l.lower, l.upper, l.velocity, l.effort)
        })
    });
    let opening = left_limit.1.min(right_limit.1);
    let force = left_limit.3.min(right_limit.3);
    let fingers = [left, right].map(|idx| finger(model, idx));
    let (middle, gap) = between(model, [left, right], &fingers);
    model.assume(
        &leader,
        format!("gripper from 0 to {} m, {force} N", 2.0 * opening),
        "from the fingers' joint limits, 0 being closed; compare with the gripper's data sheet",
    );
    if gap.abs() > 1e-3 {
        let why =
            "the width counts from the pads touching; correct the pads or the joints' origins";
        model.assume(
            &leader,
            format!("pads {:.1} mm apart when closed", gap * 1e3),
            why,
        );
    }
    let [left_finger, right_finger] = fingers;
    GripperPlan {
        hand: model.urdf.links[pair.hand].name.clone(),
        left: left_finger,
        right: right_finger,
        max_width: 2.0 * opening,
        max_speed: 2.0 * left_limit.2.min(right_limit.2),
        force,
        middle,
    }
}

/// The same motion counted the other way.
fn flip(joint: &mut UrdfJoint) {
    joint.axis = -joint.axis;
    if let Some(limit) = &mut joint.limit {
        (limit.lower, limit.upper) = (-limit.upper, -limit.lower);
    }
}

/// The pad: the box around those of the finger's shapes that reach farthest out of the hand. Primitives
/// are preferred, because the piece of a mesh is a whole finger.
fn finger(model: &mut Model, joint_idx: usize) -> FingerPlan {
    let joint = &model.urdf.joints[joint_idx];
    let link = &model.urdf.links[joint_idx + 1];
    let hand_from_finger = joint.parent_from_joint;
    let opening = hand_from_finger.rotation * joint.axis;
    let has_primitive = (link.shapes.iter()).any(|s| !matches!(s.shape, Shape::Convex(_)));
    let shapes: Vec<&LinkShape> = (link.shapes.iter())
        .filter(|s| !has_primitive || !matches!(s.shape, Shape::Convex(_)))
        .collect();
    let middles = shapes.iter().map(|shape| {
        let [low, high] = bounds(shape);
        (hand_from_finger * nalgebra::Point3::from((low + high) / 2.0)).coords
    });
    let mean = middles.sum::<Vector3<f64>>() / shapes.len().max(1) as f64;
    // Out of the hand, across the opening direction.
    let outward = mean - opening * mean.dot(&opening);
    let outward = Unit::try_new(outward, 1e-6).unwrap_or_else(Vector3::z_axis);
    let reach = |shape: &LinkShape| shape.extent(&hand_from_finger, &outward)[1];
    let farthest = shapes
        .iter()
        .map(|s| reach(s))
        .fold(f64::NEG_INFINITY, f64::max);
    let tips = shapes.iter().filter(|shape| reach(shape) >= farthest - TIP);
    let around = tips
        .map(|shape| bounds(shape))
        .reduce(|a, b| [a[0].inf(&b[0]), a[1].sup(&b[1])]);
    let name = joint.name.clone();
    let (pad_center, pad_size, why) = match around {
        Some([low, high]) => {
            let why = "the box around the finger's collision shapes that reach farthest out";
            ((low + high) / 2.0, high - low, why)
        }
        None => {
            let why = "the finger has no collision shape; measure its pad";
            (Vector3::zeros(), Vector3::repeat(0.02), why)
        }
    };
    // A pad thinner than this is none for the simulator.
    let pad_size = pad_size.map(|size| size.max(1e-4));
    let [x, y, z] = [pad_size.x, pad_size.y, pad_size.z].map(|size| size * 1e3);
    model.assume(&name, format!("pad of {x:.1} x {y:.1} x {z:.1} mm"), why);
    FingerPlan {
        joint: name,
        pad_center,
        pad_size,
    }
}

/// Lowest and highest corner of the box around a shape.
fn bounds(shape: &LinkShape) -> [Vector3<f64>; 2] {
    let sides = [Vector3::x(), Vector3::y(), Vector3::z()]
        .map(|axis| shape.extent(&Pose::identity(), &axis));
    [0, 1].map(|end| Vector3::new(sides[0][end], sides[1][end], sides[2][end]))
}

/// The point between the pads in the hand's frame, and their distance, with the joints at 0.
fn between(model: &Model, joints: [usize; 2], fingers: &[FingerPlan; 2]) -> (Vector3<f64>, f64) {
    let mut middle = Vector3::zeros();
    let mut gap = 0.0;
    for (joint_idx, finger) in joints.into_iter().zip(fingers) {
        let joint = &model.urdf.joints[joint_idx];
        let center = joint.parent_from_joint * nalgebra::Point3::from(finger.pad_center);
        middle += center.coords / 2.0;
        let opening = joint.parent_from_joint.rotation * joint.axis;
        let half = joint.axis.abs().dot(&finger.pad_size) / 2.0;
        gap += center.coords.dot(&opening) - half;
    }
    (middle, gap)
}
