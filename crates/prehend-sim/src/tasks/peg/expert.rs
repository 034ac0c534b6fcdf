//! The scripted expert: picks the peg up behind its middle, lines it up in front of the hole, pushes.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{Point3, Translation3, Vector3};
use prehend_types::{Action, Pose};

use super::{Fit, HALF_BOX, PEG, PegEpisode};
use crate::pilots::rule::{
    self, Goal, MAX_SPEED, move_towards, nearest_yaw, pointing_down, yaw_of,
};
use crate::tasks::Facts;

/// The peg is held this far behind its middle, m: the hand then stays clear of the box.
const BEHIND: f64 = 0.02;
/// The head waits this far in front of the hole, m.
const STANDOFF: f64 = 0.03;
/// Share of the clearance that the head may be aside when it goes in.
const ASIDE: f64 = 0.5;
/// Angle that it may be askew then, rad.
const ASKEW: f64 = 0.015;
/// Fastest when it goes in, m/s.
const INSERT_SPEED: f64 = 0.08;
/// The peg is pushed this much deeper than asked, m.
const MARGIN: f64 = 0.004;
/// The peg is carried with its middle at least this high, m.
const CARRY: f64 = HALF_BOX - 0.015;
/// The lowest that a tool may grasp, m.
const LOWEST: f64 = 0.014;

/// Grasps, lines up, pushes; from wherever things are now.
pub(super) fn next_action(
    episode: &PegEpisode,
    facts: &Facts<'_>,
    base_from_tcp_d: &Pose,
) -> Action {
    let Some(peg) = facts.bodies.get(PEG) else {
        return Action::hold(1.0);
    };
    let base_from_peg = peg.base_from_body;
    let situation = facts.situation(PEG, false, base_from_tcp_d);
    if situation.holds_target {
        let fit = episode.fit(&base_from_peg);
        return bring(episode, &fit, &base_from_peg, base_from_tcp_d);
    }
    let goal = Goal {
        base_from_grasp: grasp(&base_from_peg, base_from_tcp_d),
        // Never carried by the rule.
        release: Point3::origin(),
        carry_height: CARRY,
    };
    rule::next_action(&goal, &situation)
}

/// Over the peg, the fingers across it.
fn grasp(base_from_peg: &Pose, base_from_tcp: &Pose) -> Pose {
    let along = base_from_peg.rotation * Vector3::x();
    let mut at = base_from_peg.translation.vector - along * BEHIND;
    at.z = at.z.max(LOWEST);
    let across = libm::atan2(along.y, along.x) + FRAC_PI_2;
    let yaw = nearest_yaw(across, yaw_of(base_from_tcp));
    Pose::from_parts(Translation3::from(at), pointing_down(yaw))
}

/// Moves the commanded tool by what the peg lacks: whatever slipped or sags is made up for.
fn bring(episode: &PegEpisode, fit: &Fit, base_from_peg: &Pose, base_from_tcp_d: &Pose) -> Action {
    let is_lined_up = fit.aside < ASIDE * episode.clearance && fit.askew < ASKEW;
    let is_in = fit.depth > 0.0 && fit.aside < 2.0 * episode.clearance;
    let (depth, speed) = if is_lined_up || is_in {
        (episode.depth + MARGIN, INSERT_SPEED)
    } else {
        (-STANDOFF, MAX_SPEED)
    };
    let mut wanted = episode.base_from_hole * episode.inserted(base_from_peg, depth);
    let here = base_from_peg.translation.vector;
    let is_far = (wanted.translation.vector - here).xy().norm() > 0.03;
    if !is_in && here.z < CARRY && is_far {
        // Up first, turning on the way.
        wanted.translation.vector = Vector3::new(here.x, here.y, wanted.translation.z);
    } else if !is_in && !is_lined_up && fit.depth > -0.5 * STANDOFF && fit.aside < 2.0 * HALF_BOX {
        // Beside the hole at the box: back first.
        let back = episode.base_from_hole.rotation * Vector3::x() * (STANDOFF + fit.depth);
        wanted.translation.vector = here - back;
    }
    let motion = wanted * base_from_peg.inverse();
    move_towards(base_from_tcp_d, &(motion * base_from_tcp_d), 0.0, speed)
}
