//! Which grasps a gripper can carry out, as far as the cloud shows: the network is not asked to be sure of
//! the last millimetres.

use nalgebra::{Point3, Vector3};
use prehend_robot::{Jaw, LinkShape, Shape};
use prehend_types::{Pose, TableGrasp};
use serde::{Deserialize, Serialize};

use super::decode::ProposedPlace;
use super::picker::put_down;

/// The hand's straight way in, m.
const SWEEP: f64 = 0.05;
/// The way straight down to a place, m.
const DESCENT: f64 = 0.1;
/// Least distance of anything of the hand from the table, m.
const TABLE_GAP: f64 = 0.001;
/// Points inside of the hand that may be noise.
const NOISE: usize = 2;
/// The fingers' inner faces may be this near to what they reach around, m: less than the noise.
const SKIN: f64 = 0.002;

/// Why a grasp is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Wider than the gripper opens, or no width at all.
    Width,
    /// Part of the hand would be in the table.
    Table,
    /// Part of the hand would be where points were measured.
    Collision,
    /// The arm does not get there.
    Reach,
}

impl Refusal {
    /// What refused grasps are counted as.
    #[must_use]
    pub fn of_grasp(self) -> &'static str {
        match self {
            Self::Width => "grasp_refused_width",
            Self::Table => "grasp_refused_table",
            Self::Collision => "grasp_refused_collision",
            Self::Reach => "grasp_refused_reach",
        }
    }

    /// What refused placements are counted as.
    #[must_use]
    pub fn of_place(self) -> &'static str {
        match self {
            Self::Width => "place_refused_width",
            Self::Table => "place_refused_table",
            Self::Collision => "place_refused_collision",
            Self::Reach => "place_refused_reach",
        }
    }
}

/// A gripper against a cloud.
#[derive(Debug, Clone)]
pub struct HandFilter<'a> {
    jaw: &'a Jaw,
    /// By x, so that what is near is found without asking every point.
    cloud: Vec<Point3<f64>>,
}

impl<'a> HandFilter<'a> {
    /// `cloud` is all that was measured, base frame, m; the denser the better.
    #[must_use]
    pub fn new(jaw: &'a Jaw, cloud: &[[f32; 3]]) -> Self {
        let cloud = cloud.iter();
        let mut cloud: Vec<Point3<f64>> = cloud
            .map(|p| Point3::from(Vector3::from(*p).cast::<f64>()))
            .collect();
        cloud.sort_unstable_by(|a, b| a.x.total_cmp(&b.x));
        Self { jaw, cloud }
    }

    /// The grasp as the gripper can carry it out: as proposed, or standing back from the contact a little
    /// where the hand would be in the table or in something. `reaches` says whether the arm gets to a pose
    /// of the tool by the way in; it is asked last.
    ///
    /// # Errors
    /// Why it cannot, standing back as far as its pads allow.
    pub fn check(
        &self,
        grasp: &TableGrasp,
        mut reaches: impl FnMut(&Pose) -> bool,
    ) -> Result<TableGrasp, Refusal> {
        if !(grasp.width > 0.0 && grasp.width < self.jaw.max_width_m) {
            return Err(Refusal::Width);
        }
        let opening = grasp.opening(self.jaw.max_width_m);
        let boxes: Vec<(Pose, Vector3<f64>)> = self.jaw.boxes(opening).iter().map(swept).collect();
        let mut refusal = Refusal::Collision;
        for retreat in self.jaw.retreats() {
            let grasp = TableGrasp { retreat, ..*grasp };
            let tool = grasp.base_from_tool();
            match self.is_free(&tool, &boxes, 0.0) {
                Err(reason) => refusal = reason,
                Ok(()) => {
                    return reaches(&tool).then_some(grasp).ok_or(Refusal::Reach);
                }
            }
        }
        Err(refusal)
    }

    /// How far the fingers may open on the way in to a grasp that passed, m: all the way if there is room,
    /// because widths are known to some millimetres only.
    #[must_use]
    pub fn opening(&self, grasp: &TableGrasp) -> f64 {
        let least = grasp.opening(self.jaw.max_width_m);
        let tool = grasp.base_from_tool();
        let wider = [self.jaw.max_width_m, 0.5 * (self.jaw.max_width_m + least)];
        let free = wider.into_iter().find(|opening| {
            let boxes: Vec<(Pose, Vector3<f64>)> =
                self.jaw.boxes(*opening).iter().map(swept).collect();
            self.is_free(&tool, &boxes, 0.0).is_ok()
        });
        free.unwrap_or(least)
    }

    /// Whether the hand, `opening` (m) apart, can be lowered straight down to a pose of the tool and let go
    /// there. `reaches` is asked last.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_descent(
        &self,
        tool: &Pose,
        opening: f64,
        reaches: impl FnOnce() -> bool,
    ) -> Result<(), Refusal> {
        let opening = opening.min(self.jaw.max_width_m);
        let boxes: Vec<(Pose, Vector3<f64>)> = self.jaw.boxes(opening).iter().map(still).collect();
        self.is_free(tool, &boxes, DESCENT)?;
        reaches().then_some(()).ok_or(Refusal::Reach)
    }

    /// Whether a hand that holds something at `base_from_tool`, its bottom centre at `bottom`, can put it down there
    /// and open this far (m).
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check_place(
        &self,
        base_from_tool: &Pose,
        bottom: &Point3<f64>,
        opening: f64,
        place: &ProposedPlace,
    ) -> Result<(), Refusal> {
        let tool = put_down(base_from_tool, bottom, &place.point, place.turn);
        self.check_descent(&tool, opening, || true)
    }

    /// Whether the hand is in nothing at a pose, nor on its way straight down from `above` it, m.
    fn is_free(
        &self,
        tool: &Pose,
        boxes: &[(Pose, Vector3<f64>)],
        above: f64,
    ) -> Result<(), Refusal> {
        let lowest = boxes.iter().map(|(tool_from_box, half)| {
            let pose = tool * tool_from_box;
            let down = pose.rotation.inverse() * Vector3::z();
            pose.translation.z - half.dot(&down.abs())
        });
        let lowest = lowest.fold(f64::MAX, f64::min);
        if lowest < TABLE_GAP {
            return Err(Refusal::Table);
        }
        let reach = boxes
            .iter()
            .map(|(pose, half)| pose.translation.vector.norm() + half.norm())
            .fold(0.0, f64::max);
        let middle = tool.translation.vector;
        let from = self.cloud.partition_point(|p| p.x < middle.x - reach);
        let to = self.cloud.partition_point(|p| p.x <= middle.x + reach);
        let up = tool.inverse_transform_vector(&Vector3::z());
        // Most points are of the table, beneath the hand.
        let is_near = |point: &&Point3<f64>| {
            (lowest..middle.z + above + reach).contains(&point.z)
                && (point.y - middle.y).abs() < reach
        };
        let met = self.cloud.get(from..to).unwrap_or_default().iter();
        let met = met.filter(is_near).filter(|point| {
            let point = tool.inverse_transform_point(point).coords;
            let meets = |(pose, half): &(Pose, Vector3<f64>)| {
                let inner = half.add_scalar(-SKIN);
                is_met(&(point - pose.translation.vector), &inner, &up, above)
            };
            boxes.iter().any(meets)
        });
        if met.take(NOISE + 1).count() > NOISE {
            return Err(Refusal::Collision);
        }
        Ok(())
    }
}

/// Whether a point, from the middle of a box of half this size, is met by the box on its way along `up` (a unit
/// vector) from `length` away, or where it ends.
fn is_met(point: &Vector3<f64>, half: &Vector3<f64>, up: &Vector3<f64>, length: f64) -> bool {
    let (mut from, mut to) = (0.0_f64, length);
    for axis in 0..3 {
        if up[axis].abs() < 1e-9 {
            if point[axis].abs() >= half[axis] {
                return false;
            }
            continue;
        }
        let (middle, half) = (point[axis] / up[axis], half[axis] / up[axis].abs());
        from = from.max(middle - half);
        to = to.min(middle + half);
    }
    from <= to
}

/// A box of the hand: pose in the tool frame, half the size.
fn still(part: &LinkShape) -> (Pose, Vector3<f64>) {
    let half = match part.shape {
        Shape::Cuboid { half_extents } => half_extents,
        ref other => Vector3::repeat(other.support(&Vector3::z())),
    };
    (part.link_from_shape, half)
}

/// The same, lengthened by its way in.
fn swept(part: &LinkShape) -> (Pose, Vector3<f64>) {
    let (mut pose, mut half) = still(part);
    half.z += 0.5 * SWEEP;
    pose.translation.z -= 0.5 * SWEEP;
    (pose, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jaw() -> Jaw {
        let path = prehend_types::config::locate("robots/grippers/franka_hand.toml");
        Jaw::load(&path.expect("shipped")).expect("sound")
    }

    fn from_above(height: f64) -> TableGrasp {
        TableGrasp {
            contact: Point3::new(0.4, -0.02, height),
            closing: Vector3::y(),
            approach: -Vector3::z(),
            width: 0.04,
            retreat: 0.0,
        }
    }

    #[test]
    fn every_reason_is_found() {
        let jaw = jaw();
        // Something where the right finger comes down.
        let block: Vec<[f32; 3]> = (0..20)
            .map(|i| [0.4, -0.036, 0.05 + 0.001 * i as f32])
            .collect();
        let free = HandFilter::new(&jaw, &[]);
        let blocked = HandFilter::new(&jaw, &block);
        let grasp = from_above(0.05);
        assert_eq!(free.check(&grasp, |_| true), Ok(grasp));
        assert_eq!(free.opening(&grasp), jaw.max_width_m);
        assert_eq!(blocked.check(&grasp, |_| true), Err(Refusal::Collision));
        assert_eq!(
            free.check(&from_above(0.001), |_| true),
            Err(Refusal::Table)
        );
        let flat = free
            .check(&from_above(0.006), |_| true)
            .expect("held with the tips");
        assert!(flat.retreat > 0.0 && flat.retreat < jaw.tip());
        assert_eq!(free.check(&grasp, |_| false), Err(Refusal::Reach));
        let wide = TableGrasp {
            width: 0.2,
            ..grasp
        };
        assert_eq!(free.check(&wide, |_| true), Err(Refusal::Width));
        let none = TableGrasp {
            width: f64::NAN,
            ..grasp
        };
        assert_eq!(free.check(&none, |_| true), Err(Refusal::Width));
    }

    #[test]
    fn a_hand_that_lets_go_needs_room_for_its_fingers_all_the_way_down() {
        let jaw = jaw();
        let tool = from_above(0.05).base_from_tool();
        let free = HandFilter::new(&jaw, &[]);
        assert_eq!(free.check_descent(&tool, 0.06, || true), Ok(()));
        assert_eq!(
            free.check_descent(&tool, 0.06, || false),
            Err(Refusal::Reach)
        );
        // A wall beside the object: the fingers just clear it, unless they open wide. And a beam above it.
        let line = |y: f32, z: f32| (0..20).map(move |i| [0.4, y, z + 0.001 * i as f32]);
        let wall: Vec<[f32; 3]> = line(0.046, 0.04).collect();
        let filter = HandFilter::new(&jaw, &wall);
        assert_eq!(filter.check_descent(&tool, 0.045, || true), Ok(()));
        let wide = filter.check_descent(&tool, 0.08, || true);
        assert_eq!(wide, Err(Refusal::Collision));
        let beam: Vec<[f32; 3]> = line(0.03, 0.12).collect();
        let filter = HandFilter::new(&jaw, &beam);
        let beneath = filter.check_descent(&tool, 0.045, || true);
        assert_eq!(beneath, Err(Refusal::Collision));
    }

    #[test]
    fn what_is_between_the_fingers_is_not_in_the_way() {
        let jaw = jaw();
        let object: Vec<[f32; 3]> = (0..200)
            .map(|i| [0.4, -0.02 + 0.0002 * i as f32, 0.05])
            .collect();
        let filter = HandFilter::new(&jaw, &object);
        assert!(filter.check(&from_above(0.05), |_| true).is_ok());
    }
}
