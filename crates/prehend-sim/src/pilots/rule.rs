//! Picking from above and placing, as a rule from the present situation to the next action.
//!
//! The rule keeps no memory of its own: whatever disturbs the arm, the next action follows from where
//! things are now. That makes every state a demonstration can be disturbed into a training example.

use std::f64::consts::{FRAC_PI_2, PI};
use std::time::Duration;

use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use prehend_types::{Action, Pose};

/// Time that one action takes.
const DT: Duration = Duration::from_millis(50);
/// Fastest translation, m/s.
pub(crate) const MAX_SPEED: f64 = 0.30;
/// Height above the grasp from which the hand descends, m.
const HOVER: f64 = 0.08;
/// The tool is over a place when nearer than this, m.
const OVER: f64 = 0.006;
/// Something in the hand is carried with its lowest point at least this high, m.
pub(crate) const CARRY_CLEARANCE: f64 = 0.13;
/// How far the finger tips reach below the tool centre point, m.
pub(crate) const FINGER_TIP: f64 = 0.0095;

/// Where to grasp and where to let go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// Tool pose of the grasp.
    pub base_from_grasp: Pose,
    /// Tool position to let go at.
    pub release: Point3<f64>,
    /// Tool height for carrying.
    pub carry_height: f64,
}

/// What the rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    /// Where the tool is commanded to be.
    pub base_from_tcp: Pose,
    /// Distance between the pads, m.
    pub width: f64,
    /// Last commanded opening.
    pub commanded: f64,
    /// The target is between closed fingers.
    pub holds_target: bool,
    /// The target lies where it should.
    pub is_placed: bool,
    /// Widest opening, m.
    pub max_width: f64,
}

/// The next action of 50 ms.
pub(crate) fn next_action(goal: &Goal, now: &Situation) -> Action {
    let tcp = now.base_from_tcp.translation.vector;
    let is_closing = now.commanded < 0.5;
    if now.holds_target {
        return carry(goal, now);
    }
    if now.is_placed {
        let is_open = now.width > 0.9 * now.max_width;
        let height = if is_open { goal.carry_height } else { tcp.z };
        return towards(now, &Vector3::new(tcp.x, tcp.y, height), None, 1.0);
    }
    if is_closing {
        // Still closing; or shut on nothing, or on something else: open and look again.
        let is_shut = now.width < 0.002;
        let opening = if is_shut { 1.0 } else { 0.0 };
        return Action::hold(opening);
    }
    reach(goal, now)
}

fn reach(goal: &Goal, now: &Situation) -> Action {
    let grasp = goal.base_from_grasp.translation.vector;
    let tcp = now.base_from_tcp.translation.vector;
    let yaw = Some(goal.base_from_grasp.rotation);
    let lateral = (grasp - tcp).xy().norm();
    let turn = now
        .base_from_tcp
        .rotation
        .angle_to(&goal.base_from_grasp.rotation);
    let above = tcp.z - grasp.z;
    let is_open = now.width > 0.9 * now.max_width;

    if lateral < OVER && turn < 0.06 && above.abs() < 0.004 && is_open {
        return Action::hold(0.0);
    }
    // The nearer to the table, the better the hand must already be over the grasp: a cone of 1 in 5.
    let slack = OVER + 0.2 * above.max(0.0);
    let is_over = lateral < slack && turn < 0.06 + 3.0 * above.max(0.0) && is_open;
    let aim = if is_over {
        grasp
    } else if lateral > 0.03 && above < 0.6 * HOVER {
        // Too low to go sideways.
        Vector3::new(tcp.x, tcp.y, grasp.z + HOVER)
    } else {
        Vector3::new(grasp.x, grasp.y, grasp.z + HOVER)
    };
    towards(now, &aim, yaw, 1.0)
}

fn carry(goal: &Goal, now: &Situation) -> Action {
    let tcp = now.base_from_tcp.translation.vector;
    let release = goal.release.coords;
    let lateral = (release - tcp).xy().norm();
    if lateral < OVER && tcp.z < release.z + 0.005 {
        return Action::hold(1.0);
    }
    let aim = if lateral < 2.0 * OVER {
        release
    } else if tcp.z < goal.carry_height - 0.03 && lateral > 0.03 {
        Vector3::new(tcp.x, tcp.y, goal.carry_height)
    } else {
        Vector3::new(release.x, release.y, goal.carry_height)
    };
    towards(now, &aim, None, 0.0)
}

/// One action towards a position, and towards an orientation (hand down, if none is given).
pub(crate) fn towards(
    now: &Situation,
    aim: &Vector3<f64>,
    rotation: Option<UnitQuaternion<f64>>,
    opening: f64,
) -> Action {
    let tcp = now.base_from_tcp;
    let rotation = rotation.unwrap_or_else(|| pointing_down(yaw_of(&tcp)));
    let goal = Pose::from_parts(Translation3::from(*aim), rotation);
    move_towards(&tcp, &goal, opening, MAX_SPEED)
}

/// One action towards a pose, no faster than `max_speed` m/s.
pub(crate) fn move_towards(tcp: &Pose, goal: &Pose, opening: f64, max_speed: f64) -> Action {
    Action::towards(tcp, goal, opening, max_speed, DT)
}

/// The tool's rotation when the hand points straight down, turned about the vertical by `yaw`.
pub(crate) fn pointing_down(yaw: f64) -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw)
        * UnitQuaternion::from_axis_angle(&Vector3::x_axis(), PI)
}

/// Angle about the vertical of the tool's x axis.
pub(crate) fn yaw_of(base_from_tcp: &Pose) -> f64 {
    let x = base_from_tcp.rotation * Vector3::x();
    libm::atan2(x.y, x.x)
}

/// The yaw nearest to `now` whose fingers close along `closing_angle` (both in the base frame).
pub(crate) fn nearest_yaw(closing_angle: f64, now: f64) -> f64 {
    let yaw = closing_angle + FRAC_PI_2;
    yaw - PI * ((yaw - now) / PI).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_yaw_is_within_a_quarter_turn() {
        for k in -20..20 {
            let now = 0.1 * f64::from(k);
            let yaw = nearest_yaw(0.7, now);
            assert!((yaw - now).abs() <= FRAC_PI_2 + 1e-9);
            let x = pointing_down(yaw) * Vector3::y();
            assert!(libm::sin(libm::atan2(x.y, x.x) - 0.7).abs() < 1e-9);
        }
    }

    #[test]
    fn yaw_is_read_back() {
        let pose = Pose::from_parts(Translation3::identity(), pointing_down(0.4));
        assert!((yaw_of(&pose) - 0.4).abs() < 1e-12);
    }
}
