//! Has it worked? Judged from the area that the T covers.

use super::PushTEpisode;
use crate::TaskConfig;
use crate::physics::{BodyState, DT};
use crate::tasks::{Failure, Memory, TaskStatus};

/// How far the T reaches from its centre of mass, m: a point there must be slow too.
const REACH: f64 = 0.13;

/// Judges one physics step. Success: the T covers enough of its outline and has lain still there for
/// long enough, touched or not.
pub(super) fn step(
    episode: &PushTEpisode,
    task: &TaskConfig,
    tee: &BodyState,
    steps: u64,
    memory: &mut Memory,
) -> TaskStatus {
    let at = tee.base_from_body.translation.vector;
    let is_finite = at.iter().all(|v| v.is_finite());
    let speed = tee.linear.norm() + REACH * tee.angular.norm();
    let is_at_rest = speed < task.rest_speed_m_per_s;
    let covers = is_at_rest && episode.overlap(&tee.base_from_body) >= episode.min_overlap;
    let success = memory.lasted(covers, task.rest_s);
    let failure = if success {
        None
    } else if !is_finite {
        Some(Failure::Diverged)
    } else if at.z < -0.02 {
        Some(Failure::OffTable)
    } else {
        (steps as f64 * DT >= task.time_limit_s).then_some(Failure::TimedOut)
    };
    TaskStatus { success, failure }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, UnitQuaternion, Vector3};
    use prehend_types::Pose;
    use prehend_types::config::locate;

    use super::*;
    use crate::SceneConfig;

    struct Case {
        config: SceneConfig,
        episode: PushTEpisode,
        memory: Memory,
    }

    impl Case {
        fn new() -> Self {
            let path = locate("scenes/push_t.toml").expect("is there");
            let config = SceneConfig::load(&path).expect("valid");
            let drawn = (0..50).find_map(|attempt| PushTEpisode::draw(&config, 3, attempt));
            Self {
                config,
                episode: drawn.expect("one starts far enough away"),
                memory: Memory::default(),
            }
        }

        /// The T this far from its goal, in the goal's frame.
        fn at(&self, x: f64, y: f64, yaw: f64) -> BodyState {
            let base_from_goal = self.episode.scene.bodies[1].base_from_body;
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
            let moved = Pose::from_parts(Translation3::new(x, y, 0.0), turn);
            BodyState {
                base_from_body: base_from_goal * moved,
                linear: Vector3::zeros(),
                angular: Vector3::zeros(),
            }
        }

        fn judge(&mut self, tee: &BodyState, seconds: f64) -> TaskStatus {
            let mut status = TaskStatus::default();
            for steps in 0..(seconds / DT).round() as u64 {
                status = step(
                    &self.episode,
                    &self.config.task,
                    tee,
                    steps,
                    &mut self.memory,
                );
            }
            status
        }
    }

    #[test]
    fn covering_nine_tenths_at_rest_is_success() {
        let mut case = Case::new();
        let near = case.at(0.006, 0.002, 0.01);
        let status = case.judge(&near, 0.6);
        assert_eq!((status.success, status.failure), (true, None));
        let away = case.at(0.3, 0.0, 0.0);
        assert!(case.judge(&away, 0.1).success, "once true it stays true");
    }

    #[test]
    fn near_misses_are_none() {
        let there = Case::new().at(0.0, 0.0, 0.0);
        let cases = [
            Case::new().at(0.0091, 0.0, 0.0),
            Case::new().at(0.0, -0.0091, 0.0),
            Case::new().at(0.0, 0.0, 0.1),
            Case::new().at(0.0, 0.0, std::f64::consts::PI),
            BodyState {
                linear: Vector3::new(0.02, 0.0, 0.0),
                ..there
            },
            BodyState {
                angular: Vector3::new(0.0, 0.0, 0.1),
                ..there
            },
            BodyState {
                base_from_body: Translation3::new(0.0, 0.0, 0.03) * there.base_from_body,
                ..there
            },
        ];
        for (index, tee) in cases.iter().enumerate() {
            let status = Case::new().judge(tee, 1.0);
            assert_eq!((status.success, status.failure), (false, None), "{index}");
        }
        assert!(!Case::new().judge(&there, 0.4).success);
    }

    #[test]
    fn failures_are_told_apart() {
        let failure = |tee: &BodyState, seconds: f64| Case::new().judge(tee, seconds).failure;
        let far = Case::new().at(0.1, 0.0, 0.0);
        assert_eq!(failure(&far, 61.0), Some(Failure::TimedOut));
        let fallen = BodyState {
            base_from_body: Translation3::new(0.0, 0.0, -0.5) * far.base_from_body,
            ..far
        };
        assert_eq!(failure(&fallen, 0.1), Some(Failure::OffTable));
        let lost = BodyState {
            base_from_body: Pose::translation(f64::NAN, 0.0, 0.0),
            ..far
        };
        assert_eq!(failure(&lost, 0.1), Some(Failure::Diverged));
    }
}
