//! Has it worked? Judged from how far the drawer is open.

use super::DrawerEpisode;
use crate::TaskConfig;
use crate::physics::{BodyState, DT};
use crate::tasks::{Failure, Memory, TaskStatus};

/// Judges one physics step. Success: the drawer is open far enough and has stood still there for long
/// enough, in the hand or not.
pub(super) fn step(
    episode: &DrawerEpisode,
    task: &TaskConfig,
    drawer: &BodyState,
    steps: u64,
    memory: &mut Memory,
) -> TaskStatus {
    let opening = episode.opening(&drawer.base_from_body);
    let is_at_rest = drawer.linear.norm() < task.rest_speed_m_per_s;
    let success = memory.lasted(opening >= episode.open && is_at_rest, task.rest_s);
    let failure = if success {
        None
    } else if !opening.is_finite() {
        Some(Failure::Diverged)
    } else {
        (steps as f64 * DT >= task.time_limit_s).then_some(Failure::TimedOut)
    };
    TaskStatus { success, failure }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, Vector3};
    use prehend_types::config::locate;

    use super::*;
    use crate::SceneConfig;
    use crate::tasks::drawer::cabinet::OPENS_TO;

    /// The status after `seconds` with the drawer open by `opening`, moving at `speed` outwards.
    fn judge(opening: f64, speed: f64, seconds: f64, memory: &mut Memory) -> TaskStatus {
        let path = locate("scenes/drawer.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let episode = DrawerEpisode::draw(&config, 7, 0).expect("a cabinet");
        let out = OPENS_TO.into_inner();
        let base_from_cabinet = episode.cabinet.base_from_cabinet;
        let drawer = BodyState {
            base_from_body: base_from_cabinet * Translation3::from(out * opening),
            linear: base_from_cabinet * out * speed,
            angular: Vector3::zeros(),
        };
        let mut status = TaskStatus::default();
        for step in 0..(seconds / DT).round() as u64 {
            status = super::step(&episode, &config.task, &drawer, step, memory);
        }
        status
    }

    #[test]
    fn open_and_at_rest_is_success() {
        let status = judge(0.1001, 0.0, 0.6, &mut Memory::default());
        assert_eq!((status.success, status.failure), (true, None));
    }

    #[test]
    fn near_misses_are_none() {
        for (opening, speed, seconds) in [
            (0.0999, 0.0, 2.0),
            (-0.11, 0.0, 2.0),
            (0.12, 0.02, 2.0),
            (0.12, 0.0, 0.4),
        ] {
            let status = judge(opening, speed, seconds, &mut Memory::default());
            assert_eq!((status.success, status.failure), (false, None), "{opening}");
        }
    }

    #[test]
    fn a_rest_that_is_interrupted_starts_anew_and_success_stays() {
        let mut memory = Memory::default();
        judge(0.11, 0.0, 0.4, &mut memory);
        judge(0.11, 0.1, 0.005, &mut memory);
        assert!(!judge(0.11, 0.0, 0.4, &mut memory).success);
        assert!(judge(0.11, 0.0, 0.2, &mut memory).success);
        assert!(judge(0.02, 0.0, 0.1, &mut memory).success);
    }

    #[test]
    fn the_time_runs_out_and_what_diverged_failed() {
        let status = judge(0.05, 0.0, 60.0, &mut Memory::default());
        assert_eq!(status.failure, Some(Failure::TimedOut));
        let status = judge(f64::NAN, 0.0, 0.1, &mut Memory::default());
        assert_eq!(status.failure, Some(Failure::Diverged));
    }
}
