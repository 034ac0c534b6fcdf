//! Has it worked? Judged from where the peg's head is.

use super::{Fit, HALF_BOX, PegEpisode, WALL};
use crate::TaskConfig;
use crate::physics::{BodyState, DT};
use crate::tasks::{Failure, Memory, TaskStatus};

/// Higher than this over where it lay and the peg was lifted, m.
const LIFT: f64 = 0.02;

/// The head may look out of the box's back so far, m: a hand pushes a little on, but whoever holds a head
/// behind the box has not put a peg in.
const BEYOND: f64 = 0.02;
/// More than a peg can be askew in a hole that it fills, rad; one that reaches around the box is.
const ASKEW: f64 = 0.2;

/// Judges one physics step. Success: for `rest_s` the head has been deep enough in the hole, not out of its
/// back, and along it; in the hand or not.
pub(super) fn step(
    episode: &PegEpisode,
    task: &TaskConfig,
    peg: &BodyState,
    steps: u64,
    memory: &mut Memory,
) -> TaskStatus {
    let height = peg.base_from_body.translation.z;
    let fit = episode.fit(&peg.base_from_body);
    memory.lifted |= height > episode.half_width + LIFT;
    let success = memory.lasted(
        fit.depth >= episode.depth && is_in(episode, &fit),
        task.rest_s,
    );
    let failure = if success {
        None
    } else if !(height.is_finite() && fit.depth.is_finite()) {
        Some(Failure::Diverged)
    } else if height < -0.02 {
        Some(Failure::OffTable)
    } else if (steps as f64) * DT < task.time_limit_s {
        None
    } else if !memory.lifted {
        Some(Failure::NeverLifted)
    } else {
        Some(Failure::TimedOut)
    };
    TaskStatus { success, failure }
}

/// Whether the head is in the hole, however deep: through it, not past the box, and not reaching around it.
pub(super) fn is_in(episode: &PegEpisode, fit: &Fit) -> bool {
    // The solver lets surfaces overlap a little.
    (0.0..WALL + BEYOND).contains(&fit.depth)
        && fit.aside < episode.clearance + 0.001
        && fit.askew < ASKEW
}

/// How far the head has to go to the hole's mouth, m: from behind the box around it.
pub(super) fn way(fit: &Fit) -> f64 {
    if fit.depth < WALL + BEYOND {
        (-fit.depth).max(0.0) + fit.aside
    } else {
        2.0 * HALF_BOX + fit.depth
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nalgebra::{Translation3, UnitQuaternion, Vector3};
    use prehend_types::Pose;
    use prehend_types::config::locate;

    use super::*;
    use crate::{FamilySet, SceneConfig, World};

    fn episode() -> (PegEpisode, SceneConfig) {
        let path = locate("scenes/peg.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let episode = PegEpisode::draw(&config, 5, 0).expect("a peg");
        (episode, config)
    }

    /// The status after `seconds` with the head `depth` inside and `aside` of the axis, rolled.
    fn judge(depth: f64, aside: f64, roll: f64, seconds: f64) -> TaskStatus {
        judge_turned(depth, aside, [roll, 0.0], seconds)
    }

    /// The same, rolled and then turned about the head.
    fn judge_turned(depth: f64, aside: f64, [roll, yaw]: [f64; 2], seconds: f64) -> TaskStatus {
        let (episode, config) = episode();
        let hole_from_head = Pose::from_parts(
            Translation3::new(depth, aside, 0.0),
            UnitQuaternion::from_euler_angles(roll, 0.0, yaw),
        );
        let hole_from_peg = hole_from_head * Translation3::new(-episode.half_length, 0.0, 0.0);
        let peg = BodyState {
            base_from_body: episode.base_from_hole * hole_from_peg,
            linear: Vector3::zeros(),
            angular: Vector3::zeros(),
        };
        let mut memory = Memory::default();
        let mut status = TaskStatus::default();
        for steps in 0..(seconds / DT).round() as u64 {
            status = step(&episode, &config.task, &peg, steps, &mut memory);
        }
        status
    }

    #[test]
    fn a_head_deep_in_the_hole_is_success_however_it_is_rolled() {
        for quarter in 0..4 {
            let roll = f64::from(quarter) * std::f64::consts::FRAC_PI_2;
            assert!(judge(0.0451, 0.001, roll, 0.2).success);
        }
    }

    #[test]
    fn near_misses_are_none() {
        for (depth, aside, seconds) in [
            (0.0449, 0.0, 1.0),
            (0.06, 0.0, 0.05),
            // Past the box instead of through it.
            (0.06, 0.1, 1.0),
            (-0.06, 0.0, 1.0),
        ] {
            let status = judge(depth, aside, 0.0, seconds);
            assert_eq!((status.success, status.failure), (false, None), "{depth}");
        }
    }

    #[test]
    fn a_head_behind_the_box_or_askew_is_none() {
        for (depth, yaw, success) in [
            (WALL + 0.015, 0.0, true),
            (WALL + 0.025, 0.0, false),
            (0.3, 0.0, false),
            (0.048, 0.15, true),
            (0.048, 0.25, false),
            // Held around the box, the head in the hole's back.
            (0.048, 2.5, false),
        ] {
            let status = judge_turned(depth, 0.0, [0.0, yaw], 1.0);
            assert_eq!(status.success, success, "{depth} {yaw}");
        }
    }

    /// In a world, let go, with its head `depth` inside and turned about it.
    #[test]
    fn a_head_behind_the_box_has_come_less_far_than_one_in_front() {
        let robot = prehend_robot::Robot::load(&locate("robots/fr3").expect("is there"));
        let (robot, (_, config)) = (Arc::new(robot.expect("valid")), episode());
        let config = Arc::new(config);
        let mut world = World::new(&robot, &config, 5, FamilySet::Train).expect("a scene");
        let attempt = world.scene().attempt;
        let episode = PegEpisode::draw(&config, 5, attempt).expect("a peg");
        let mut progress = |depth: f64, yaw: f64| {
            let hole_from_head = Pose::from_parts(
                Translation3::new(depth, 0.0, 0.0),
                UnitQuaternion::from_euler_angles(0.0, 0.0, yaw),
            );
            let hole_from_peg = hole_from_head * Translation3::new(-episode.half_length, 0.0, 0.0);
            let mut state = world.state.clone();
            state.bodies[0].base_from_body = episode.base_from_hole * hole_from_peg;
            world.restore(&state.to_vector()).expect("its own state");
            world.progress()
        };
        let in_front = progress(-0.03, 0.0);
        let in_the_hole = progress(0.02, 0.0);
        assert!(in_the_hole > in_front + 0.3, "{in_the_hole} {in_front}");
        for (depth, yaw) in [(0.12, 0.0), (0.3, 0.0), (0.02, std::f64::consts::PI)] {
            let behind = progress(depth, yaw);
            assert!(behind < in_front, "{depth} {yaw}: {behind} {in_front}");
        }
    }

    #[test]
    fn a_rolled_peg_is_not_askew_and_a_turned_one_is() {
        let (episode, _) = episode();
        for k in 0..8 {
            let roll = 0.1 + f64::from(k) * std::f64::consts::FRAC_PI_2;
            let pose = |turn: f64| {
                episode.base_from_hole
                    * UnitQuaternion::from_euler_angles(roll, 0.0, 0.0)
                    * UnitQuaternion::from_euler_angles(0.0, 0.0, turn)
            };
            assert!((episode.fit(&pose(0.0)).askew - 0.1).abs() < 1e-9);
            assert!(episode.fit(&pose(0.3)).askew > 0.25);
        }
    }

    #[test]
    fn failures_are_told_apart() {
        // The hole is higher than a peg that was lifted.
        assert_eq!(judge(0.0, 0.0, 0.0, 60.0).failure, Some(Failure::TimedOut));
        let nowhere = judge(f64::NAN, 0.0, 0.0, 0.1);
        assert_eq!(nowhere.failure, Some(Failure::Diverged));
    }
}
