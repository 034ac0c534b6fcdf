//! Has it worked? Judged from the simulator's state, never from what a policy says.

use nalgebra::Point3;

use super::PickPlaceEpisode;
use crate::SceneConfig;
use crate::physics::{BodyState, DT};
use crate::tasks::{Failure, Memory, TaskStatus};

/// The target counts as lifted when it has risen by this much, m.
const LIFT: f64 = 0.03;
/// The target stands on the receptacle's floor when its lowest point is at most this far above, m: it
/// must not lie across the walls.
const ON_FLOOR: f64 = 0.01;

/// Judges one physics step. Success: the target was released, came to rest on the receptacle's floor
/// and stayed there long enough.
pub(super) fn step(
    config: &SceneConfig,
    episode: &PickPlaceEpisode,
    target: &BodyState,
    touches: [bool; 2],
    steps: u64,
    memory: &mut Memory,
) -> TaskStatus {
    let center = center(episode, target);
    let is_held = touches.contains(&true);
    let is_finite = center.coords.iter().all(|v| v.is_finite());
    memory.lifted |= target.base_from_body.translation.z > LIFT;

    // A point 3 cm from the axis of a turning body must be slow too.
    let speed = target.linear.norm() + 0.03 * target.angular.norm();
    let is_on_floor =
        || episode.target().lowest(&target.base_from_body) < episode.receptacle.floor + ON_FLOOR;
    let is_at_rest = speed < config.task.rest_speed_m_per_s;
    let is_placed = episode.receptacle.contains(&center) && !is_held && is_at_rest && is_on_floor();
    let success = memory.lasted(is_placed, config.task.rest_s);
    let lifted = memory.lifted;
    let failure = if success {
        None
    } else if !is_finite {
        Some(Failure::Diverged)
    } else if center.z < -0.02 {
        Some(Failure::OffTable)
    } else if steps as f64 * DT >= config.task.time_limit_s {
        Some(if is_held && lifted {
            Failure::NotReleased
        } else if lifted {
            Failure::Dropped
        } else {
            Failure::NeverLifted
        })
    } else {
        None
    };
    TaskStatus { success, failure }
}

/// Middle of the target's height on its axis, in the base frame.
pub(super) fn center(episode: &PickPlaceEpisode, target: &BodyState) -> Point3<f64> {
    target.base_from_body * Point3::new(0.0, 0.0, 0.5 * episode.target().height)
}

#[cfg(test)]
mod tests {
    use nalgebra::{UnitQuaternion, Vector3};
    use prehend_types::Pose;
    use prehend_types::config::locate;

    use super::*;
    use crate::FamilySet;

    struct Case {
        config: SceneConfig,
        episode: PickPlaceEpisode,
        memory: Memory,
        steps: u64,
    }

    impl Case {
        fn new() -> Self {
            let path = locate("scenes/tabletop.toml").expect("is there");
            let config = SceneConfig::load(&path).expect("valid");
            let episode = (0..)
                .find_map(|seed| PickPlaceEpisode::draw(&config, FamilySet::Train, seed, 0))
                .expect("one of them fits");
            Self {
                config,
                episode,
                memory: Memory::default(),
                steps: 0,
            }
        }

        /// The target over the receptacle's middle, its lowest point this far above the floor.
        fn at(&self, height: f64) -> BodyState {
            let place = self.episode.receptacle.base_from_body.translation.vector;
            let lowest = self.episode.target().lowest(&Pose::identity());
            let z = self.episode.receptacle.floor + height - lowest;
            BodyState {
                base_from_body: Pose::from_parts(
                    Vector3::new(place.x, place.y, z).into(),
                    UnitQuaternion::identity(),
                ),
                linear: Vector3::zeros(),
                angular: Vector3::zeros(),
            }
        }

        fn judge(&mut self, target: &BodyState, touches: [bool; 2], seconds: f64) -> TaskStatus {
            let mut last = None;
            for _ in 0..(seconds / DT).round() as u64 {
                self.steps += 1;
                last = Some(step(
                    &self.config,
                    &self.episode,
                    target,
                    touches,
                    self.steps,
                    &mut self.memory,
                ));
            }
            last.expect("at least one step")
        }
    }

    #[test]
    fn half_a_second_of_rest_on_the_floor_is_success() {
        let mut case = Case::new();
        let there = case.at(0.0);
        assert!(!case.judge(&there, [false; 2], 0.495).success);
        assert!(case.judge(&there, [false; 2], 0.005).success);
        // Once true it stays true.
        let gone = case.at(0.3);
        assert!(case.judge(&gone, [true; 2], 0.1).success);
    }

    #[test]
    fn held_moving_elsewhere_and_on_the_walls_are_not() {
        let case = Case::new();
        let place = case.at(0.0);
        let moving = BodyState {
            linear: Vector3::new(0.02, 0.0, 0.0),
            ..place
        };
        let turning = BodyState {
            angular: Vector3::new(0.0, 0.0, 0.5),
            ..place
        };
        let mut beside = place;
        beside.base_from_body.translation.x += 0.3;
        let on_walls = case.at(0.015);
        let cases = [
            (place, [true, false]),
            (place, [false, true]),
            (moving, [false; 2]),
            (turning, [false; 2]),
            (beside, [false; 2]),
            (on_walls, [false; 2]),
        ];
        for (index, (state, touches)) in cases.into_iter().enumerate() {
            let mut case = Case::new();
            assert!(!case.judge(&state, touches, 2.0).success, "case {index}");
        }
    }

    #[test]
    fn an_interrupted_rest_starts_anew() {
        let mut case = Case::new();
        let there = case.at(0.0);
        case.judge(&there, [false; 2], 0.4);
        case.judge(&there, [true, false], 0.005);
        assert!(!case.judge(&there, [false; 2], 0.4).success);
    }

    #[test]
    fn failures_are_told_apart() {
        let failure = |height: f64, touches: [bool; 2]| {
            let mut case = Case::new();
            let (up, state) = (case.at(0.1), case.at(height));
            if height > 0.05 {
                case.judge(&up, [true; 2], 0.1);
            }
            case.steps = 1_000_000;
            case.judge(&state, touches, DT).failure
        };
        assert_eq!(failure(0.02, [false; 2]), Some(Failure::NeverLifted));
        assert_eq!(failure(0.1, [true; 2]), Some(Failure::NotReleased));
        assert_eq!(failure(0.1, [false; 2]), Some(Failure::Dropped));
        assert_eq!(failure(-0.5, [false; 2]), Some(Failure::OffTable));
    }
}
