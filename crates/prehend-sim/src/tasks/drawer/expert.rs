//! The scripted expert: closed fingers go down behind the handle and pull.

use nalgebra::{Point3, Translation3, Vector3};
use prehend_types::{Action, Pose};

use super::DrawerEpisode;
use super::cabinet::OPENS_TO;
use crate::pilots::rule::{MAX_SPEED, move_towards, nearest_yaw, pointing_down, yaw_of};
use crate::tasks::Facts;

/// The drawer is pulled this much further than asked, m.
const MARGIN: f64 = 0.015;
/// Tool centre point below the bar's middle, m: the finger tips then reach below the bar.
const BELOW_BAR: f64 = 0.006;
/// The fingers are behind the bar when the tool centre point is lower than its middle plus this, m.
const HOOKED: f64 = 0.0;
/// The hand comes down from this far above the bar, m.
const HOVER: f64 = 0.06;
/// The tool is over the slot when nearer than this, m.
const OVER: f64 = 0.003;
/// Half the size of the closed fingers along and across the bar, m.
const FINGERS: [f64; 2] = [0.015, 0.009];
/// Fastest pull, m/s.
const PULL_SPEED: f64 = 0.12;
/// How far ahead of the tool a pull aims, m.
const PULL: f64 = 0.05;
/// Closed fingers are no wider than this, m.
const CLOSED: f64 = 0.004;

/// Closes the hand, goes over the free space behind the handle, down into it, and pulls.
pub(super) fn next_action(
    episode: &DrawerEpisode,
    facts: &Facts<'_>,
    base_from_tcp: &Pose,
) -> Action {
    let Some(drawer) = facts.bodies.first() else {
        return Action::hold(0.0);
    };
    let base_from_drawer = drawer.base_from_body;
    let left = episode.open + MARGIN.min(0.5 * (episode.cabinet.travel - episode.open))
        - episode.opening(&base_from_drawer);
    if left <= 0.0 {
        return Action::hold(0.0);
    }
    let cabinet = &episode.cabinet;
    let slot = cabinet.slot();
    let tcp = base_from_drawer.inverse_transform_point(&base_from_tcp.translation.vector.into());
    let from_slot = tcp - slot;
    let along = base_from_drawer.rotation * Vector3::y();
    let yaw = nearest_yaw(libm::atan2(along.y, along.x), yaw_of(base_from_tcp));
    let rotation = pointing_down(yaw);
    let aim = |point: Point3<f64>, max_speed: f64| {
        let at = Translation3::from(base_from_drawer * point);
        let goal = Pose::from_parts(at, rotation);
        move_towards(base_from_tcp, &goal, 0.0, max_speed)
    };

    // Behind the bar, touching it or not.
    let is_between = from_slot.x.abs() < 0.5 * cabinet.gap - FINGERS[1] + 0.006
        && from_slot.y.abs() < cabinet.slot_half_length() - FINGERS[0];
    if is_between && from_slot.z < HOOKED {
        let out = OPENS_TO.into_inner() * left.min(PULL);
        let depth = Vector3::z() * (-BELOW_BAR - from_slot.z);
        return aim(tcp + out + depth, PULL_SPEED);
    }

    let lateral = from_slot.xy().norm();
    let turn = base_from_tcp.rotation.angle_to(&rotation);
    let is_closed = facts.gripper().width < CLOSED;
    let slack = OVER + 0.1 * (from_slot.z - 0.5 * HOVER).max(0.0);
    if is_closed && turn < 0.05 && lateral < slack {
        return aim(slot - Vector3::z() * BELOW_BAR, MAX_SPEED);
    }
    // Too low to go sideways: up first.
    let over = if from_slot.z < 0.5 * HOVER && lateral > OVER {
        Point3::new(tcp.x, tcp.y, slot.z + HOVER)
    } else {
        slot + Vector3::z() * HOVER
    };
    aim(over, MAX_SPEED)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    #[test]
    fn the_fingers_fit_behind_the_handle_when_turned_along_it() {
        // The tool's y axis is the closing direction: along the bar, whatever the cabinet's yaw.
        for k in -8..8 {
            let yaw = 0.2 * f64::from(k);
            let tool = pointing_down(nearest_yaw(yaw + FRAC_PI_2, 0.0));
            let closes = tool * Vector3::y();
            let along = Vector3::new(-libm::sin(yaw), libm::cos(yaw), 0.0);
            assert!(closes.dot(&along).abs() > 1.0 - 1e-9);
        }
    }
}
