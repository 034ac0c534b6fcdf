//! Ways that the arm can go: joint by joint through the air, straight near things.

use prehend_robot::{IkOptions, Robot};
use prehend_types::{JointPositions, Pose};

/// Longest step of a straight way, m and rad, and farthest that a joint may go in one, rad: farther is
/// another branch of the inverse, and not straight.
const STEP: [f64; 2] = [0.02, 0.08];
const JUMP: f64 = 0.25;
/// Farthest that a joint goes between two poses of a way through the air, rad.
const STRIDE: f64 = 0.25;

/// One part of a way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leg {
    /// Through the air to a pose.
    Air(Pose),
    /// Straight to a pose.
    Straight(Pose),
}

impl Leg {
    /// Where it ends.
    pub fn end(&self) -> Pose {
        match self {
            Self::Air(pose) | Self::Straight(pose) => *pose,
        }
    }
}

/// The poses that lead from `q` along the legs, for each leg those in between and its end; `None` if a joint
/// would have to leave its range.
pub(super) fn plan(robot: &Robot, mut q: JointPositions, legs: &[Leg]) -> Option<Vec<Vec<Pose>>> {
    let mut way = Vec::with_capacity(legs.len());
    for leg in legs {
        let (poses, end) = match leg {
            Leg::Air(goal) => {
                let end = solve(robot, goal, robot.home(), 3)?;
                (through_air(robot, &q, &end), end)
            }
            Leg::Straight(goal) => (vec![*goal], straight(robot, q, goal)?),
        };
        way.push(poses);
        q = end;
    }
    Some(way)
}

/// The poses on a joint way home.
pub(super) fn home(robot: &Robot, q: &JointPositions) -> Vec<Pose> {
    through_air(robot, q, robot.home())
}

fn through_air(robot: &Robot, from: &JointPositions, to: &JointPositions) -> Vec<Pose> {
    let n = (farthest(from, to) / STRIDE).ceil().max(1.0) as usize;
    let between = |step: usize| {
        let share = step as f64 / n as f64;
        let mut q = *from;
        for (own, goal) in q.iter_mut().zip(to.iter()) {
            *own += share * (goal - *own);
        }
        robot.forward(&q)
    };
    (1..=n).map(between).collect()
}

/// Where the joints are at the end of a straight way.
fn straight(robot: &Robot, mut q: JointPositions, goal: &Pose) -> Option<JointPositions> {
    let start = robot.forward(&q);
    let length = (goal.translation.vector - start.translation.vector).norm();
    let turn = start.rotation.angle_to(&goal.rotation);
    let n = (length / STEP[0]).max(turn / STEP[1]).ceil().max(1.0) as usize;
    for step in 1..=n {
        let pose = start.try_lerp_slerp(goal, step as f64 / n as f64, 1e-9)?;
        let after = solve(robot, &pose, &q, 1)?;
        if farthest(&q, &after) > JUMP {
            return None;
        }
        q = after;
    }
    Some(q)
}

fn solve(
    robot: &Robot,
    pose: &Pose,
    seed: &JointPositions,
    starts: usize,
) -> Option<JointPositions> {
    let options = IkOptions {
        position_tolerance: 1e-4,
        rotation_tolerance: 1e-3,
        max_starts: starts,
        ..IkOptions::default()
    };
    robot.inverse(pose, seed, &options).ok()
}

fn farthest(a: &JointPositions, b: &JointPositions) -> f64 {
    let apart = a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs());
    apart.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, UnitQuaternion, Vector3};

    use super::*;

    fn robot() -> Robot {
        let folder = prehend_types::config::locate("robots/fr3").expect("shipped");
        Robot::load(&folder).expect("sound")
    }

    fn down(x: f64, y: f64, z: f64) -> Pose {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI);
        Pose::from_parts(Translation3::new(x, y, z), turn)
    }

    #[test]
    fn a_way_within_reach_ends_where_it_should_in_small_steps() {
        let robot = robot();
        let legs = [
            Leg::Air(down(0.5, 0.2, 0.35)),
            Leg::Straight(down(0.5, 0.2, 0.1)),
        ];
        let way = plan(&robot, *robot.home(), &legs).expect("in reach");
        assert_eq!(way.len(), 2);
        for (leg, poses) in legs.iter().zip(&way) {
            let off = leg.end().inv_mul(poses.last().expect("an end"));
            assert!(off.translation.vector.norm() < 1e-3 && off.rotation.angle() < 5e-3);
        }
        let home = robot.forward(robot.home());
        let first = way[0][0].translation.vector - home.translation.vector;
        assert!(first.norm() < 0.25, "{first}");
    }

    #[test]
    fn what_is_out_of_reach_or_not_straight_is_refused() {
        let robot = robot();
        let plan = |legs: &[Leg]| plan(&robot, *robot.home(), legs);
        assert!(plan(&[Leg::Air(down(1.2, 0.0, 0.2))]).is_none());
        // The base is in the way of every straight line through it.
        let across = [
            Leg::Air(down(0.5, 0.0, 0.3)),
            Leg::Straight(down(-0.5, 0.0, 0.3)),
        ];
        assert!(plan(&across).is_none());
    }
}
