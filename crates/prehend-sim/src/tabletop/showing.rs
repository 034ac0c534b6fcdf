//! A hand that shows what it holds to the cameras, from two opposite sides: what hand and object hide of it from one
//! side they show from the other.

use std::f64::consts::PI;

use nalgebra::Translation3;
use prehend_robot::Jaw;
use prehend_types::Pose;

use super::arrange::{fixed, yaw};
use super::placing::{Carried, hand_parts};
use super::see::{Seen, look, solids};
use crate::scene::Body;

/// Directions about the vertical in which the hand is shown, rad.
const SIDES: [f64; 2] = [0.0, PI];

/// What was seen.
pub(super) struct Showing {
    /// What stands behind hand and object, as seen past them at first.
    pub scene: Vec<Seen>,
    /// What is in the hand, m, base frame, from both sides; turned back to how it is held at first.
    pub held: Vec<[f32; 3]>,
}

/// Shows an object that is held `width` apart, over what stands there. `is_held` tells its points, as far as
/// whoever looks can tell them.
pub(super) fn show(
    rest: &[Body],
    carried: &Carried,
    width: f64,
    jaw: &Jaw,
    seed: u64,
    is_held: impl Fn(&Seen) -> bool,
) -> Showing {
    let hand = fixed(hand_parts(jaw, width), carried.base_from_tool);
    let tool = Translation3::from(carried.base_from_tool.translation.vector);
    let mut showing = Showing {
        scene: Vec::new(),
        held: Vec::new(),
    };
    for (exposure, side) in (0..).zip(SIDES) {
        let about = tool * yaw(side) * tool.inverse();
        let turned = |body: &Body| Body {
            base_from_body: about * body.base_from_body,
            ..body.clone()
        };
        let shown = [rest, &[turned(&carried.body), turned(&hand)]].concat();
        let back = about.inverse();
        for seen in look(&solids(&shown), seed, exposure) {
            // The hand knows its own shape.
            if seen.body == Some(rest.len() + 1) {
                continue;
            }
            if is_held(&seen) {
                showing.held.push(moved(&back, seen.point));
            } else if exposure == 0 {
                showing.scene.push(seen);
            }
        }
    }
    showing
}

fn moved(by: &Pose, point: [f32; 3]) -> [f32; 3] {
    let point = by * nalgebra::Point3::from(point).cast::<f64>();
    point.cast::<f32>().into()
}
