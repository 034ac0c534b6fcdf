//! The scripted expert: knows where everything is. Makes demonstrations and bounds what is possible.

use nalgebra::{Point3, Translation3, Vector3};
use prehend_types::{Action, Pose};

use super::PickPlaceEpisode;
use super::judge::center;
use crate::pilots::rule::{
    self, CARRY_CLEARANCE, FINGER_TIP, Goal, nearest_yaw, pointing_down, yaw_of,
};
use crate::tasks::Facts;

/// How far open fingers reach sideways from the tool centre point, m.
const FINGER_REACH: f64 = 0.062;
/// The target is let go with its lowest point this far above the receptacle's floor, m.
const RELEASE_GAP: f64 = 0.006;

/// Picks the target by one of its known grasps and puts it into the receptacle's middle.
pub(super) fn next_action(
    episode: &PickPlaceEpisode,
    facts: &Facts<'_>,
    base_from_tcp_d: &Pose,
) -> Action {
    let Some(target) = facts.bodies.first() else {
        return Action::hold(1.0);
    };
    let is_inside = episode.receptacle.contains(&center(episode, target));
    let goal = goal(episode, &target.base_from_body, base_from_tcp_d);
    let now = facts.situation(0, is_inside && facts.is_let_go(), base_from_tcp_d);
    rule::next_action(&goal, &now)
}

fn goal(episode: &PickPlaceEpisode, base_from_target: &Pose, base_from_tcp: &Pose) -> Goal {
    let target = episode.target();
    let tcp = base_from_tcp.translation.vector;

    // How far the target's lowest point hangs below the tool, should it be in the hand now.
    let hangs = (tcp.z - target.lowest(base_from_target)).max(0.0);

    let receptacle = &episode.receptacle;
    let middle = base_from_target * Point3::new(0.0, 0.0, 0.5 * target.height);
    let shift = tcp.xy() - middle.coords.xy();
    let over = receptacle.base_from_body.translation.vector.xy() + shift;
    // Opening fingers stay inside the walls, unless the tool is far from the receptacle's middle.
    let fits_inside = shift.norm() + FINGER_REACH < receptacle.inner[0].min(receptacle.inner[1]);
    let fingers_clear = if fits_inside {
        receptacle.floor
    } else {
        receptacle.wall_top
    };
    let height = (receptacle.floor + RELEASE_GAP + hangs).max(fingers_clear + 0.005 + FINGER_TIP);
    Goal {
        base_from_grasp: choose_grasp(episode, base_from_target, base_from_tcp),
        release: Point3::new(over.x, over.y, height),
        carry_height: hangs + CARRY_CLEARANCE.max(receptacle.wall_top + 0.03),
    }
}

/// The known grasp that is nearest to where the hand is, counting a turn of 1 rad like 15 cm.
fn choose_grasp(episode: &PickPlaceEpisode, base_from_target: &Pose, base_from_tcp: &Pose) -> Pose {
    let yaw_now = yaw_of(base_from_tcp);
    let x = base_from_target.rotation * Vector3::x();
    let target_yaw = libm::atan2(x.y, x.x);
    let grasps = episode.target().grasps.iter().map(|grasp| {
        let at = base_from_target * grasp.point;
        let yaw = grasp
            .closing_angle
            .map_or(yaw_now, |angle| nearest_yaw(angle + target_yaw, yaw_now));
        let away = (at.coords - base_from_tcp.translation.vector).xy().norm();
        // Yaws beyond a third of a turn from home come near the last joint's limit.
        let cost = away + 0.15 * (yaw - yaw_now).abs() + 0.5 * (yaw.abs() - 1.9).max(0.0);
        (
            cost,
            Pose::from_parts(Translation3::from(at), pointing_down(yaw)),
        )
    });
    grasps
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(*base_from_tcp, |(_, pose)| pose)
}
