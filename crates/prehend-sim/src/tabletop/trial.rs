//! Does a grasp hold, does a placement stand? Tried with a free hand: approach, close, lift, shake; or
//! lower and let go.

use nalgebra::{Point3, Vector3};
use prehend_robot::Jaw;
use prehend_types::{Pose, TableGrasp};

use super::antipodal::SweptHand;
use super::bench::{Bench, FreeHand, turned};
use super::pieces::Pieces;
use super::place::{RELEASE, turn_about};
use super::placing::{Carried, hand_parts};
use crate::scene::{Body, BodyMotion};

/// How far back along its approach a hand starts, m.
pub(crate) const STANDOFF: f64 = 0.08;
/// Lift, m.
const LIFT: f64 = 0.12;
/// An object that rose this far is lifted, m.
const LIFTED: f64 = 0.06;
/// How far it may slide or turn in the hand after the fingers closed, m and rad.
const SLIP: [f64; 2] = [0.02, 0.5];
/// What hangs further from how it lay than this may not stand when it is put down, rad.
const LEAN: f64 = 0.1;

/// What became of a grasp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TrialOutcome {
    /// This body was lifted and held.
    Held {
        /// Its index.
        body: usize,
    },
    /// The fingers closed on nothing.
    Missed,
    /// Something was between the fingers, but did not come along or slipped.
    Dropped,
    /// The hand's way in leads through the table, or through something that stands fast.
    Collided,
}

impl TrialOutcome {
    /// Whether something was held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

/// Tries a grasp on bodies that lie where `bodies` says.
#[must_use]
pub fn try_grasp(bodies: &[Body], jaw: &Jaw, grasp: &TableGrasp) -> TrialOutcome {
    attempt_grasp(bodies, jaw, grasp).outcome
}

/// A grasp that was tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What became of it.
    pub outcome: TrialOutcome,
    /// Where the bodies are when it is over.
    pub poses: Vec<Pose>,
    /// Where the hand is.
    pub base_from_tool: Pose,
}

impl Attempt {
    /// Whether something is held and hangs as it lay in `bodies`, but for turns about the vertical: fit to be
    /// put down again.
    #[must_use]
    pub fn holds_level(&self, bodies: &[Body]) -> bool {
        let TrialOutcome::Held { body } = self.outcome else {
            return false;
        };
        let turn = self.poses[body].rotation * bodies[body].base_from_body.rotation.inverse();
        (turn * Vector3::z()).angle(&Vector3::z()) < LEAN
    }
}

/// The same as [`try_grasp`]; and where everything is when it is over.
#[must_use]
pub fn attempt_grasp(bodies: &[Body], jaw: &Jaw, grasp: &TableGrasp) -> Attempt {
    let goal = grasp.base_from_tool();
    let back = goal * Pose::translation(0.0, 0.0, -STANDOFF);
    let opening = grasp.opening(jaw.max_width_m);
    // Physics would let a palm that is moved along a path through what is fixed as well.
    let mut fixed = Pieces::default();
    for (index, body) in bodies
        .iter()
        .enumerate()
        .filter(|(_, body)| !body.can_move())
    {
        fixed.add(index, &body.parts, &body.base_from_body);
    }
    if !SweptHand::new(jaw, opening).clears(&goal, &fixed, 0.0) {
        return Attempt {
            outcome: TrialOutcome::Collided,
            poses: bodies.iter().map(|body| body.base_from_body).collect(),
            base_from_tool: back,
        };
    }
    let mut hand = FreeHand::new(Bench::new(bodies), jaw, &back, opening);
    let before: Vec<f64> = heights(&hand, bodies.len());
    hand.go(&goal, opening, 0.3);
    hand.go(&goal, 0.0, 0.2 + opening / 0.1);
    let ended = |hand: &FreeHand, outcome| Attempt {
        outcome,
        poses: (0..bodies.len()).map(|i| hand.bench.pose(i)).collect(),
        base_from_tool: hand.tool(),
    };
    if hand.width() < 1e-3 {
        return ended(&hand, TrialOutcome::Missed);
    }
    let closed: Vec<Pose> = in_hand(&hand, bodies.len());
    let up = Pose::translation(0.0, 0.0, LIFT) * goal;
    hand.go(&up, 0.0, 0.5);
    for angle in [0.25, -0.25, 0.0] {
        hand.go(&turned(&up, Vector3::new(1.0, 0.0, 0.6), angle), 0.0, 0.15);
    }
    let risen = heights(&hand, bodies.len());
    let after = in_hand(&hand, bodies.len());
    let held = (0..bodies.len()).find(|&index| {
        let slip = (after[index].translation.vector - closed[index].translation.vector).norm();
        let turn = after[index].rotation.angle_to(&closed[index].rotation);
        bodies[index].can_move()
            && risen[index] - before[index] > LIFTED
            && slip < SLIP[0]
            && turn < SLIP[1]
    });
    let outcome = match held {
        Some(body) if hand.width() > 1e-3 => TrialOutcome::Held { body },
        _ => TrialOutcome::Dropped,
    };
    ended(&hand, outcome)
}

/// What became of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceOutcome {
    /// The object stands where it was put, and nothing else moved.
    Stands,
    /// Object or hand went through something on the way down.
    Collided,
    /// It tipped, slid or rolled.
    Fell,
    /// It moved something else.
    Disturbed,
}

/// Farthest that a placed object may move and turn after it was let go, and that others may move; m, rad.
const DRIFT: f64 = 0.02;
const TILT: f64 = 0.175;
const DISTURBED: f64 = 0.01;
/// How deep a body may stand in another on its way: what cells hide, m.
const GRAZE: f64 = 0.003;

/// Puts a carried object down with its bottom centre over a point of the scene, turned, and lets go.
/// `rest` is what stands there already.
#[must_use]
pub fn try_place(
    rest: &[Body],
    carried: &Carried,
    jaw: &Jaw,
    point: &Point3<f64>,
    turn: usize,
) -> PlaceOutcome {
    let above = Pose::translation(point.x, point.y, point.z + RELEASE);
    let moved = above * turn_about(turn, &carried.bottom);
    let mut body = carried.body.clone();
    body.motion = BodyMotion::Free;
    body.base_from_body = moved * carried.body.base_from_body;
    let base_from_tool = moved * carried.base_from_tool;
    let mut standing = Pieces::default();
    for (index, body) in rest.iter().enumerate() {
        standing.add(index, &body.parts, &body.base_from_body);
    }
    // Coarse steps of the way down; the thinnest thing that stands is higher than one.
    for step in 0..10 {
        let lifted = Pose::translation(0.0, 0.0, 0.01 * f64::from(step) + GRAZE);
        let mut mover = Pieces::default();
        mover.add(0, &body.parts, &(lifted * body.base_from_body));
        mover.add(
            1,
            &hand_parts(jaw, carried.opening),
            &(lifted * base_from_tool),
        );
        let is_low = mover.bounds().is_some_and(|[low, _]| low.z < 0.0);
        if is_low || mover.are_near(&standing, 1e-6, |_| true) {
            return PlaceOutcome::Collided;
        }
    }
    let mut bodies = rest.to_vec();
    bodies.push(body.clone());
    let own = rest.len();
    let mut bench = Bench::new(&bodies);
    bench.settle(1.5);
    let end = bench.pose(own);
    // A hand that closed on it may have tilted it; what counts is that it lies as it lay.
    let tilt = (end.rotation * carried.lay.inverse() * Vector3::z()).angle(&Vector3::z());
    let drift = end.translation.vector - body.base_from_body.translation.vector;
    if tilt > TILT || drift.norm() > DRIFT {
        return PlaceOutcome::Fell;
    }
    let is_moved = |index: usize| {
        let before = bodies[index].base_from_body.translation.vector;
        (bench.pose(index).translation.vector - before).norm() > DISTURBED
    };
    if (0..own).any(is_moved) {
        return PlaceOutcome::Disturbed;
    }
    PlaceOutcome::Stands
}

fn heights(hand: &FreeHand, n: usize) -> Vec<f64> {
    (0..n).map(|i| hand.bench.pose(i).translation.z).collect()
}

fn in_hand(hand: &FreeHand, n: usize) -> Vec<Pose> {
    let tool = hand.tool();
    (0..n).map(|i| tool.inv_mul(&hand.bench.pose(i))).collect()
}
