//! What the hand holds, looked at from one side after another: what hand and object hide of it from one side
//! they show from the other.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Point3, UnitQuaternion, Vector3};
use prehend_cloud::{bottom_centre, is_in_hand};
use prehend_types::Pose;

/// Sides from which it may be looked at, in quarter turns about the vertical from the first: the opposite one
/// shows most.
const SIDES: [i8; 4] = [2, -2, 1, -1];
/// Looks at one object.
const MOST_LOOKS: usize = 3;
/// Fewer points than this show nothing of what is held.
const FEWEST: usize = 12;

/// The looks at one object so far.
#[derive(Debug, Clone)]
pub(super) struct Showing {
    /// Sides that were looked at, and the one that the hand is turned to.
    sides: Vec<i8>,
    /// What was seen of it, in the tool's frame.
    points: Vec<Point3<f64>>,
}

/// The object in the hand as it was seen.
#[derive(Debug, Clone)]
pub(super) struct HeldObject {
    /// Its points along the base's axes from its bottom centre, m.
    pub points: Vec<[f32; 3]>,
    /// Where its bottom centre is.
    pub bottom: Point3<f64>,
    /// Where the tool is.
    pub base_from_tool: Pose,
}

impl Showing {
    /// The hand as it is, before the first look.
    pub fn new() -> Self {
        Self {
            sides: vec![0],
            points: Vec::new(),
        }
    }

    /// Adds what hangs in the raised hand, whose pose is `tool`: some of a cloud in the base frame, m.
    pub fn look(&mut self, tool: &Pose, cloud: &[[f32; 3]]) {
        let middle = tool.translation.vector.into();
        let held = cloud.iter().filter(|p| is_in_hand(p, &middle));
        let held = held.map(|p| tool.inverse_transform_point(&Point3::from(*p).cast()));
        self.points.extend(held);
    }

    /// All that was seen of it, as it hangs now; `None` if it is too little.
    pub fn held(&self, tool: &Pose) -> Option<HeldObject> {
        if self.points.len() < FEWEST {
            return None;
        }
        let points = self.points.iter().map(|p| (tool * p).cast::<f32>().into());
        let points: Vec<[f32; 3]> = points.collect();
        let bottom = bottom_centre(&points)?;
        let origin = bottom.coords.cast::<f32>();
        let from_bottom = |p: &[f32; 3]| (Vector3::from(*p) - origin).into();
        Some(HeldObject {
            points: points.iter().map(from_bottom).collect(),
            bottom,
            base_from_tool: *tool,
        })
    }

    /// Other sides to look from, best first, with the tool's pose for each; none after enough looks.
    pub fn others(&self, tool: &Pose) -> impl Iterator<Item = (Self, Pose)> {
        let is_over = self.sides.len() >= MOST_LOOKS;
        let at = self.sides.last().copied().unwrap_or_default();
        let is_new =
            move |side: &i8| !is_over && self.sides.iter().all(|seen| (seen - side) % 4 != 0);
        SIDES.into_iter().filter(is_new).map(move |side| {
            let turn = FRAC_PI_2 * f64::from(side - at);
            let mut pose = *tool;
            pose.rotation =
                UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn) * pose.rotation;
            let mut next = self.clone();
            next.sides.push(side);
            (next, pose)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_from_two_sides_is_put_together_as_it_hangs() {
        let tool = Pose::translation(0.4, 0.0, 0.4);
        let side = |x: f32| -> Vec<[f32; 3]> {
            let row = (0..10_u8).map(move |i| [0.4 + x, 0.002 * f32::from(i), 0.35]);
            row.collect()
        };
        let mut showing = Showing::new();
        showing.look(&tool, &side(0.03));
        assert!(showing.held(&tool).is_none(), "ten points are too few");
        let (mut showing, pose) = showing.others(&tool).next().expect("not enough looks yet");
        showing.look(&pose, &side(0.02));
        let held = showing.held(&pose).expect("twenty points");
        let x = |i: usize| f64::from(held.points[i][0]) + held.bottom.x;
        // The first side is now behind, the second in front.
        assert!((x(0) - 0.37).abs() < 1e-6 && (x(10) - 0.42).abs() < 1e-6);
        assert_eq!(held.base_from_tool, pose);
    }

    #[test]
    fn no_side_is_looked_at_twice_and_it_ends() {
        let tool = Pose::translation(0.4, 0.0, 0.4);
        let first = Showing::new();
        let sides: Vec<Vec<i8>> = first.others(&tool).map(|(next, _)| next.sides).collect();
        assert_eq!(sides, [[0, 2], [0, -2], [0, 1], [0, -1]]);
        let (quarter, _) = first.others(&tool).nth(2).expect("a quarter");
        let sides: Vec<i8> = quarter
            .others(&tool)
            .map(|(next, _)| next.sides[2])
            .collect();
        assert_eq!(sides, [2, -2, -1]);
        let (last, _) = quarter.others(&tool).next().expect("a third look");
        assert_eq!(last.others(&tool).count(), 0);
    }
}
