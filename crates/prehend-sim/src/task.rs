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
    /// The target was released, came to rest inside the receptacle and stayed there long enough.
    /// Once true it stays true.
    pub success: bool,
    /// The episode cannot succeed any more, or its time is up.
    pub failure: Option<Failure>,
    /// The fingers touch the target.
    pub is_held: bool,
    /// The target's centre is above the receptacle's inner floor.
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
        if is_inside && !is_held && speed < config.task.rest_speed_m_per_s {
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
