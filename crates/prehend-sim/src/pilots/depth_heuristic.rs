//! The baseline to beat: a hand-written rule that sees only what a policy sees.

use std::time::Duration;

use nalgebra::{Matrix2, Point3, Translation3, Vector2};
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Pose, Role};

use super::rule::{
    CARRY_CLEARANCE, FINGER_TIP, Goal, Situation, nearest_yaw, next_action, pointing_down, yaw_of,
};

/// How far below the highest point the tool centre point goes, and how near to the table, m.
const DEPTH: f64 = 0.030;
const LOWEST: f64 = 0.014;

/// Grasps the middle of the target's points across their narrow side, lets go over the middle of the
/// receptacle's points. What a careful engineer writes in an afternoon; no learning.
#[derive(Debug, Clone, Default)]
pub struct DepthHeuristic {
    grasp: Option<Pose>,
}

impl Policy for DepthHeuristic {
    fn name(&self) -> &str {
        "depth_heuristic"
    }

    fn reset(&mut self, _seed: u64) {
        self.grasp = None;
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let tcp = observation.base_from_tcp;
        let gripper = observation.state.gripper;
        let is_free = gripper.commanded >= 0.5;
        // The hand hides the target on its way down: the estimate from above stays.
        let is_far = tcp.translation.z > self.grasp.map_or(0.0, |g| g.translation.z + 0.06);
        if is_free && is_far {
            self.grasp = grasp(observation).or(self.grasp);
        }
        let (Some(base_from_grasp), Some(release)) = (self.grasp, release(observation)) else {
            return chunk(observation, Action::hold(1.0));
        };
        let hangs = base_from_grasp.translation.z;
        let goal = Goal {
            base_from_grasp,
            release: Point3::new(
                release.x,
                release.y,
                release.z + FINGER_TIP + 0.02 + 0.5 * hangs,
            ),
            carry_height: hangs + CARRY_CLEARANCE,
        };
        let lateral = (tcp.translation.vector.xy() - release.coords.xy()).norm();
        let now = Situation {
            base_from_tcp: tcp,
            width: gripper.width,
            commanded: gripper.commanded,
            holds_target: gripper.is_grasping && gripper.commanded < 0.5,
            is_placed: is_free && lateral < 0.03,
            max_width: 0.08,
        };
        chunk(observation, next_action(&goal, &now))
    }
}

/// One action at a time; the copies only bridge the time until the next one.
fn chunk(observation: &Observation, action: Action) -> Result<ActionChunk, PolicyError> {
    let dt = Duration::from_millis(50);
    ActionChunk::new(observation.stamp, dt, 1, &[action; 4]).map_err(|error| {
        PolicyError::BadObservation {
            reason: error.to_string(),
        }
    })
}

fn points_of(observation: &Observation, role: Role) -> Vec<Point3<f64>> {
    let cloud = &observation.cloud;
    let points = cloud.points.iter().zip(&cloud.roles);
    points
        .filter(|(_, r)| **r == role)
        .map(|(p, _)| Point3::new(f64::from(p[0]), f64::from(p[1]), f64::from(p[2])))
        .collect()
}

/// Lowest and highest corner; `None` without points.
fn bounds(points: &[Point3<f64>]) -> Option<[Point3<f64>; 2]> {
    let first = *points.first()?;
    Some(
        points
            .iter()
            .fold([first; 2], |[low, high], p| [low.inf(p), high.sup(p)]),
    )
}

/// The middle of the target's extent, fingers closing across the direction of least spread.
fn grasp(observation: &Observation) -> Option<Pose> {
    let points = points_of(observation, Role::Target);
    let [low, high] = bounds(&points)?;
    let mean: Vector2<f64> =
        points.iter().map(|p| p.coords.xy()).sum::<Vector2<f64>>() / points.len() as f64;
    let spread: Matrix2<f64> = points
        .iter()
        .map(|p| {
            let d = p.coords.xy() - mean;
            d * d.transpose()
        })
        .sum();
    let eigen = spread.symmetric_eigen();
    let narrow = eigen
        .eigenvectors
        .column(eigen.eigenvalues.imin())
        .into_owned();
    let yaw = nearest_yaw(
        libm::atan2(narrow.y, narrow.x),
        yaw_of(&observation.base_from_tcp),
    );
    let middle = nalgebra::center(&low, &high);
    let height = (high.z - DEPTH).max(0.5 * high.z).max(LOWEST);
    let at = Translation3::new(middle.x, middle.y, height);
    Some(Pose::from_parts(at, pointing_down(yaw)))
}

/// The middle of the receptacle's extent, at the height of its walls.
fn release(observation: &Observation) -> Option<Point3<f64>> {
    let [low, high] = bounds(&points_of(observation, Role::Receptacle))?;
    let middle = nalgebra::center(&low, &high);
    Some(Point3::new(middle.x, middle.y, high.z))
}
