//! From one waypoint to the next, in chunks of small steps.

use std::collections::VecDeque;
use std::time::Duration;

use prehend_types::{Action, ActionChunk, Observation, PolicyError, Pose, Stamp};

/// Actions of a chunk, how many of them are meant to be executed, and how long one takes.
const N_ACTIONS: usize = 8;
const N_STEPS: usize = 2;
const DT: Duration = Duration::from_millis(50);

/// The tool comes nearer by this much, m, within this time, or something is in the way.
const PROGRESS: f64 = 0.001;
const STALL: Duration = Duration::from_millis(250);

/// A pose on the way, how wide the gripper is meanwhile (0 to 1), how fast to go there (m/s), and how near
/// is there (m and rad).
#[derive(Debug, Clone, Copy)]
pub(super) struct Waypoint {
    pub pose: Pose,
    pub opening: f64,
    pub speed: f64,
    pub near: [f64; 2],
}

impl Waypoint {
    /// Through the air.
    pub fn transit(pose: Pose, opening: f64) -> Self {
        Self {
            pose,
            opening,
            speed: 0.5,
            near: [0.03, 0.2],
        }
    }

    /// Near things.
    pub fn careful(pose: Pose, opening: f64) -> Self {
        Self {
            pose,
            opening,
            speed: 0.12,
            near: [0.004, 0.03],
        }
    }

    fn is_reached(&self, tool: &Pose) -> bool {
        let off = self.pose.translation.vector - tool.translation.vector;
        off.norm() < self.near[0] && self.pose.rotation.angle_to(&tool.rotation) < self.near[1]
    }

    /// A radian counts as 10 cm.
    fn distance(&self, tool: &Pose) -> f64 {
        let off = self.pose.translation.vector - tool.translation.vector;
        off.norm() + 0.1 * self.pose.rotation.angle_to(&tool.rotation)
    }
}

/// Waypoints still to go, and how that goes.
#[derive(Debug, Default)]
pub(super) struct Way {
    points: VecDeque<Waypoint>,
    /// Least distance to the next waypoint so far, and since when.
    best: Option<(f64, Stamp)>,
}

impl Way {
    pub fn new(points: impl IntoIterator<Item = Waypoint>) -> Self {
        Self {
            points: points.into_iter().collect(),
            best: None,
        }
    }

    pub fn is_over(&self) -> bool {
        self.points.is_empty()
    }

    /// Waypoints that are left.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// How far it is to the end, m.
    pub fn left(&self, now: &Observation) -> f64 {
        let end = self.points.back().map(|last| last.pose.translation.vector);
        end.map_or(0.0, |end| {
            (end - now.base_from_tcp.translation.vector).norm()
        })
    }

    /// Whether the tool has not come nearer to the next waypoint for a while: something is in the way.
    pub fn is_stalled(&mut self, now: &Observation) -> bool {
        let Some(next) = self.points.front() else {
            return false;
        };
        let left = next.distance(&now.base_from_tcp);
        match self.best {
            Some((best, since)) if left > best - PROGRESS => {
                now.stamp.saturating_since(since) > STALL
            }
            _ => {
                self.best = Some((left, now.stamp));
                false
            }
        }
    }

    /// The next steps; passed waypoints are taken off. `None` at its end.
    pub fn along(&mut self, now: &Observation) -> Result<Option<ActionChunk>, PolicyError> {
        let points = &mut self.points;
        while points
            .front()
            .is_some_and(|next| next.is_reached(&now.base_from_tcp))
        {
            points.pop_front();
            self.best = None;
        }
        if points.is_empty() {
            return Ok(None);
        }
        let mut tool = now.base_from_tcp;
        let mut index = 0;
        let actions = [(); N_ACTIONS].map(|()| {
            if index + 1 < points.len() && points[index].is_reached(&tool) {
                index += 1;
            }
            let next = &points[index];
            let action = Action::towards(&tool, &next.pose, next.opening, next.speed, DT);
            tool *= action.delta();
            action
        });
        chunk(now, &actions).map(Some)
    }
}

/// Stands still.
pub(in crate::pick_place) fn hold(
    now: &Observation,
    opening: f64,
) -> Result<ActionChunk, PolicyError> {
    chunk(now, &[Action::hold(opening); N_ACTIONS])
}

fn chunk(now: &Observation, actions: &[Action]) -> Result<ActionChunk, PolicyError> {
    ActionChunk::new(now.stamp, DT, N_STEPS, actions).map_err(|error| PolicyError::BadObservation {
        reason: error.to_string(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use prehend_types::{GripperState, JointPositions, JointVelocities, PointCloud, RobotState};

    use super::*;

    /// An arm that stands still, holds nothing and sees nothing.
    pub fn at(x: f64, millis: u64) -> Observation {
        let stamp = Stamp::ZERO.after(Duration::from_millis(millis));
        Observation {
            stamp,
            cloud: PointCloud {
                stamp,
                frame: "base".to_owned(),
                points: Vec::new(),
                roles: Vec::new(),
            },
            state: RobotState {
                stamp,
                q: JointPositions::zeros(7).expect("seven"),
                dq: JointVelocities::zeros(7).expect("seven"),
                gripper: GripperState {
                    width: 0.08,
                    commanded: 1.0,
                    is_grasping: false,
                },
            },
            base_from_tcp: Pose::translation(x, 0.0, 0.3),
            committed: prehend_types::Actions::new(),
        }
    }

    #[test]
    fn a_way_leads_to_its_end_and_is_over_there() {
        let mut way = Way::new([0.3, 0.5].map(|x| {
            let pose = Pose::translation(x, 0.0, 0.3);
            Waypoint::careful(pose, 0.5)
        }));
        let mut x = 0.2;
        for step in 0..200 {
            let now = at(x, 100 * step);
            assert!(!way.is_stalled(&now), "at {x}");
            let Some(chunk) = way.along(&now).expect("fits a chunk") else {
                assert!((x - 0.5).abs() < 0.004, "ends at {x}");
                assert!(way.is_over());
                return;
            };
            for action in &chunk.actions()[..N_STEPS] {
                assert!(action.translation.norm() <= 0.12 * 0.05 + 1e-12 && action.gripper == 0.5);
                x += action.translation.x;
            }
        }
        panic!("never there: {x}");
    }

    #[test]
    fn a_tool_that_does_not_get_on_is_stalled() {
        let mut way = Way::new([Waypoint::careful(Pose::translation(0.5, 0.0, 0.3), 0.5)]);
        let stalled: Vec<bool> = (0..8)
            .map(|step| way.is_stalled(&at(0.4, 100 * step)))
            .collect();
        assert_eq!(stalled, [false, false, false, true, true, true, true, true]);
        assert!(!way.is_stalled(&at(0.42, 900)), "it goes on");
    }
}
