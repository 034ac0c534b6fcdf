//! One object alone on the table, and what happened when it was grasped all over.

use prehend_robot::Jaw;
use prehend_types::{Pose, Role, Stream, TableGrasp, derive_seed};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::antipodal::{Limits, Load, ROOM, Search};
use super::pieces::Pieces;
use super::resting::{Resting, resting_poses};
use super::surface::Surface;
use super::trial::{TrialOutcome, try_grasp};
use crate::objects::{ObjectModel, Part};
use crate::scene::{Body, BodyMotion};

/// Lines that look for the narrowest place.
const N_NARROWEST: usize = 256;
/// Lines per resting pose after which no more grasps are looked for.
const MOST_LINES: usize = 2000;

/// A rigid object to be grasped.
#[derive(Debug, Clone, PartialEq)]
pub struct TableObject {
    /// Convex pieces in the object's frame.
    pub parts: Vec<Part>,
    /// Mass, kg.
    pub mass: f64,
    /// Friction coefficient.
    pub friction: f64,
}

/// What became of one grasp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraspOutcome {
    /// The object was lifted, shaken and held.
    Held,
    /// The fingers closed on nothing.
    Missed,
    /// Something was between the fingers, but did not come along or slipped.
    Dropped,
    /// The hand's way in leads through something that stands fast.
    Collided,
}

/// One grasp that was tried by physics.
#[derive(Debug, Clone, PartialEq)]
pub struct GraspTrial {
    /// Index of the resting pose that the object lay in.
    pub resting: usize,
    /// The grasp in the object's frame.
    pub grasp: TableGrasp,
    /// What became of it.
    pub outcome: GraspOutcome,
}

/// Everything that was tried with one object and one gripper.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectTrials {
    /// How the object comes to rest; none if it never did.
    pub resting: Vec<Resting>,
    /// Least distance between two facing surfaces, m; `None` if none face each other.
    pub narrowest: Option<f64>,
    /// Orientations of the hand that squeeze well at the points that were looked at...
    pub n_squeezes: usize,
    /// ... and those of them that the hand can get to.
    pub n_reached: usize,
    /// The grasps that were tried, resting poses in turn.
    pub trials: Vec<GraspTrial>,
}

impl From<ObjectModel> for TableObject {
    fn from(model: ObjectModel) -> Self {
        Self {
            parts: model.parts,
            mass: model.mass,
            friction: model.friction,
        }
    }
}

impl TableObject {
    pub(super) fn body(&self, base_from_body: &Pose) -> Body {
        Body {
            parts: self.parts.clone(),
            role: Role::Other,
            motion: BodyMotion::Free,
            mass: self.mass,
            friction: self.friction,
            base_from_body: *base_from_body,
        }
    }

    fn pieces(&self, base_from_object: &Pose) -> Pieces {
        let mut pieces = Pieces::default();
        pieces.add(0, &self.parts, base_from_object);
        pieces
    }

    /// Least distance between two facing surfaces, m, found by random lines; `None` if none face each
    /// other.
    #[must_use]
    pub fn narrowest(&self) -> Option<f64> {
        // Always the same lines: a property of the object, not of a seed.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let pieces = self.pieces(&Pose::identity());
        Surface::new(&pieces)?.narrowest(N_NARROWEST, &mut rng)
    }
}

/// The widest thing that a gripper grasps: its fingers need room to come in, m.
#[must_use]
pub fn widest_grasp(jaw: &Jaw) -> f64 {
    jaw.max_width_m - ROOM
}

impl ObjectTrials {
    /// Tries at most `most` grasps that geometry allows, spread over the object's surface and over the
    /// ways in which it comes to rest. Equal arguments give equal trials.
    #[must_use]
    pub fn new(object: &TableObject, jaw: &Jaw, seed: u64, most: usize) -> Self {
        let mut tried = Self {
            resting: resting_poses(object, &mut stream(seed, 0)),
            narrowest: object.narrowest(),
            n_squeezes: 0,
            n_reached: 0,
            trials: Vec::new(),
        };
        let mut found = tried.look_for(object, jaw, &Limits::SOUND, most, seed);
        // What has no sound grasp in any pose may still be held: here, physics decides on each.
        if found.iter().all(Vec::is_empty) {
            found = tried.look_for(object, jaw, &Limits::LUMP, most, seed);
        }
        // One of each pose in turn, so that a pose with few grasps leaves its share to the others.
        let in_turn = (0..most).flat_map(|round| {
            let poses = found.iter().enumerate();
            poses.filter_map(move |(index, grasps)| Some((index, grasps.get(round)?)))
        });
        let trials = in_turn
            .take(most)
            .map(|(index, grasp)| try_one(object, jaw, index, &tried.resting[index], grasp));
        tried.trials = trials.collect();
        tried
    }

    /// Grasps of each resting pose, base frame: one each at random points of the surface.
    fn look_for(
        &mut self,
        object: &TableObject,
        jaw: &Jaw,
        limits: &Limits,
        most: usize,
        seed: u64,
    ) -> Vec<Vec<TableGrasp>> {
        let poses: Vec<Pose> = self.resting.iter().map(|r| r.base_from_object).collect();
        let of_pose = |(index, base_from_object): (usize, &Pose)| {
            let pieces = object.pieces(base_from_object);
            let load = Load::new(0, &object.body(base_from_object));
            let mut rng = stream(seed, 1 + index as u64);
            let mut grasps = Vec::new();
            let Some(surface) = Surface::new(&pieces) else {
                return grasps;
            };
            let search = Search {
                pieces: &pieces,
                jaw,
                load: &load,
                limits,
            };
            for _ in 0..MOST_LINES {
                if grasps.len() == most {
                    break;
                }
                let Some(met) = surface.draw(&mut rng) else {
                    continue;
                };
                let at = search.at(&met.point, &met.normal);
                self.n_squeezes += at.free.len() + at.n_blocked;
                self.n_reached += at.free.len();
                grasps.extend(at.free.choose(&mut rng));
            }
            grasps
        };
        poses.iter().enumerate().map(of_pose).collect()
    }

    /// How many grasps held.
    #[must_use]
    pub fn n_held(&self) -> usize {
        let held = |trial: &&GraspTrial| trial.outcome == GraspOutcome::Held;
        self.trials.iter().filter(held).count()
    }
}

fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Labels, index))
}

fn try_one(
    object: &TableObject,
    jaw: &Jaw,
    index: usize,
    resting: &Resting,
    grasp: &TableGrasp,
) -> GraspTrial {
    let body = object.body(&resting.base_from_object);
    let outcome = match try_grasp(&[body], jaw, grasp) {
        TrialOutcome::Held { .. } => GraspOutcome::Held,
        TrialOutcome::Missed => GraspOutcome::Missed,
        TrialOutcome::Dropped => GraspOutcome::Dropped,
        TrialOutcome::Collided => GraspOutcome::Collided,
    };
    let object_from_base = resting.base_from_object.inverse();
    GraspTrial {
        resting: index,
        grasp: TableGrasp {
            contact: object_from_base * grasp.contact,
            closing: object_from_base * grasp.closing,
            approach: object_from_base * grasp.approach,
            width: grasp.width,
            retreat: grasp.retreat,
        },
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nalgebra::{Translation3, Vector3};
    use prehend_robot::{ConvexHull, Shape};
    use prehend_types::config::locate;

    use super::*;
    use crate::objects::build::block;
    use crate::tabletop::Split;

    fn franka() -> Jaw {
        let path = locate("robots/grippers/franka_hand.toml").expect("shipped");
        Jaw::load(&path).expect("sound")
    }

    #[test]
    fn grasps_of_a_block_hold_and_are_in_its_own_frame() {
        let block = TableObject {
            parts: vec![block([0.06, 0.03, 0.04], [0.0; 3])],
            mass: 0.1,
            friction: 0.8,
        };
        let tried = ObjectTrials::new(&block, &franka(), 1, 12);
        assert_eq!(tried.trials.len(), 12);
        assert!(tried.n_held() >= 10, "{tried:?}");
        assert!(tried.narrowest.is_some_and(|m| (m - 0.03).abs() < 1e-5));
        for trial in &tried.trials {
            let TableGrasp {
                contact, closing, ..
            } = trial.grasp;
            // On a face of the block, closing into it.
            let axis = closing.iamax();
            let (low, high) = ([-0.03, -0.015, 0.0], [0.03, 0.015, 0.04]);
            let face = if closing[axis] > 0.0 { low } else { high };
            assert!((contact[axis] - face[axis]).abs() < 1e-4, "{trial:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_trials_and_another_one_others() {
        let object = TableObject::from(Split::Train.instance(3).model());
        let trials = |seed| ObjectTrials::new(&object, &franka(), seed, 3);
        assert_eq!(trials(5), trials(5));
        assert_ne!(trials(5).trials, trials(6).trials);
    }

    #[test]
    fn what_is_slippery_is_not_squeezed_where_it_slants() {
        let wedge = |friction| {
            // 17 degrees off on both long sides, inside the cone of everything in the library.
            let points = [-1.0, 1.0].into_iter().flat_map(|end: f64| {
                let at = |y: f64, z: f64| Vector3::new(0.03 * end, y, z);
                [
                    at(-0.02, 0.0),
                    at(0.02, 0.0),
                    at(-0.005, 0.05),
                    at(0.005, 0.05),
                ]
            });
            let points: Vec<Vector3<f64>> = points.collect();
            let hulled = ConvexHull::around(&points).expect("a wedge");
            TableObject {
                parts: vec![Part {
                    shape: Shape::Convex(Arc::new(hulled.hull)),
                    body_from_part: Pose::from(Translation3::from(hulled.center)),
                }],
                mass: 0.1,
                friction,
            }
        };
        for friction in [0.6, 0.2] {
            let tried = ObjectTrials::new(&wedge(friction), &franka(), 1, 30);
            let n = tried.trials.len();
            assert!(n >= 10, "{friction}: {n}");
            assert!(
                tried.n_held() * 10 >= n * 9,
                "{friction}: {} of {n}",
                tried.n_held()
            );
        }
    }

    #[test]
    fn what_is_too_wide_is_not_tried() {
        let wide = TableObject {
            parts: vec![block([0.12, 0.12, 0.12], [0.0; 3])],
            mass: 0.2,
            friction: 0.8,
        };
        let jaw = franka();
        let tried = ObjectTrials::new(&wide, &jaw, 1, 5);
        assert!(tried.narrowest > Some(widest_grasp(&jaw)));
        assert_eq!((tried.n_squeezes, tried.trials.len()), (0, 0));
    }
}
