//! Has it worked? Judged from the simulator's state, never from what a policy says.

use nalgebra::Point3;
use serde::{Deserialize, Serialize};

use crate::SceneConfig;
use crate::physics::{BodyState, DT};
use crate::scene::Scene;

/// Why an episode failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The target was never lifted.
    NeverLifted,
    /// The target was lifted and ended elsewhere.
    Dropped,
    /// The target was still in the hand at the end.
    NotReleased,
    /// The target left the table.
    OffTable,
    /// The simulation became non-finite.
    Diverged,
    /// The controller stopped the arm for good.
    ArmStopped,
}

impl Failure {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverLifted => "never_lifted",
            Self::Dropped => "dropped",
            Self::NotReleased => "not_released",
            Self::OffTable => "off_table",
            Self::Diverged => "diverged",
            Self::ArmStopped => "arm_stopped",
        }
    }
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskStatus {
    /// The target was released, came to rest on the receptacle's floor and stayed there long enough.
    /// Once true it stays true.
    pub success: bool,
    /// The episode cannot succeed any more, or its time is up.
    pub failure: Option<Failure>,
    /// The fingers touch the target.
    pub is_held: bool,
    /// The target's centre is over the receptacle's inner floor, at whatever height.
    pub is_inside: bool,
}

/// Follows one episode.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judge {
    rest_steps: u64,
    lifted: bool,
    success: bool,
}

/// The target counts as lifted when it has risen by this much, m.
const LIFTED: f64 = 0.03;
/// The target stands on the receptacle's floor when its lowest point is at most this far above, m: it
/// must not lie across the walls.
const ON_FLOOR: f64 = 0.01;

impl Judge {
    /// Judges one physics step.
    pub fn step(
        &mut self,
        config: &SceneConfig,
        scene: &Scene,
        target: &BodyState,
        touches: [bool; 2],
        steps: u64,
    ) -> TaskStatus {
        let center = center(scene, target);
        let is_held = touches.contains(&true);
        let is_inside = scene.receptacle.contains(&center);
        let is_finite = center.coords.iter().all(|v| v.is_finite());
        self.lifted |= target.base_from_body.translation.z > LIFTED;

        // A point 3 cm from the axis of a turning body must be slow too.
        let speed = target.linear.norm() + 0.03 * target.angular.norm();
        let is_on_floor =
            || scene.target().lowest(&target.base_from_body) < scene.receptacle.floor + ON_FLOOR;
        let is_at_rest = speed < config.task.rest_speed_m_per_s;
        if is_inside && !is_held && is_at_rest && is_on_floor() {
            self.rest_steps += 1;
        } else {
            self.rest_steps = 0;
        }
        self.success |= self.rest_steps as f64 * DT >= config.task.rest_s;

        let failure = if self.success {
            None
        } else if !is_finite {
            Some(Failure::Diverged)
        } else if center.z < -0.02 {
            Some(Failure::OffTable)
        } else if steps as f64 * DT >= config.task.time_limit_s {
            Some(if is_held && self.lifted {
                Failure::NotReleased
            } else if self.lifted {
                Failure::Dropped
            } else {
                Failure::NeverLifted
            })
        } else {
            None
        };
        TaskStatus {
            success: self.success,
            failure,
            is_held,
            is_inside,
        }
    }
}

/// Middle of the target's height on its axis, in the base frame.
pub(crate) fn center(scene: &Scene, target: &BodyState) -> Point3<f64> {
    target.base_from_body * Point3::new(0.0, 0.0, 0.5 * scene.target().height)
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
        scene: Scene,
        judge: Judge,
        steps: u64,
    }

    impl Case {
        fn new() -> Self {
            let path = locate("scenes/tabletop.toml").expect("is there");
            let config = SceneConfig::load(&path).expect("valid");
            let scene = (0..)
                .find_map(|seed| Scene::draw(&config, FamilySet::Train, seed, 0))
                .expect("one of them fits");
            Self {
                config,
                scene,
                judge: Judge::default(),
                steps: 0,
            }
        }

        /// The target over the receptacle's middle, its lowest point this far above the floor.
        fn at(&self, height: f64) -> BodyState {
            let place = self.scene.receptacle.base_from_body.translation.vector;
            let lowest = self.scene.target().lowest(&Pose::identity());
            let z = self.scene.receptacle.floor + height - lowest;
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
                let (config, scene) = (&self.config, &self.scene);
                let status = self.judge.step(config, scene, target, touches, self.steps);
                last = Some(status);
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
