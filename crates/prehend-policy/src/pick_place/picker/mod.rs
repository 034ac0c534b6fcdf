//! The policy that looks, chooses, grasps, looks again and places, until nothing is left.
//!
//! It sees a cloud without any labels, the robot's own state, and what the operator said of the cell. What
//! missed it tries elsewhere, or otherwise.

mod cell;
mod misses;
mod reach;
mod showing;
mod sight;
mod way;

use std::sync::Arc;

use nalgebra::{Point3, Translation3, UnitQuaternion, Vector3};
use prehend_robot::{Jaw, Robot};
use prehend_types::{
    ActionChunk, JointPositions, Observation, Policy, PolicyError, Pose, Stamp, Stream, TableGrasp,
    Tally, derive_seed,
};

pub use cell::{Area, Astray, Cell};
use misses::Misses;
use reach::{Leg, home, plan};
use showing::{HeldObject, Showing};
use sight::{see_astray, see_below};
pub(super) use sight::{see_grasps, see_places};
pub(super) use way::hold;
use way::{Way, Waypoint};

use super::decode::{ProposedGrasp, ProposedPlace};
use super::filter::{HandFilter, Refusal};
use super::network::SceneNetwork;
use super::rank::{GOOD_ENOUGH, MOST_ROUNDS};
use crate::inputs::check_frame;

/// From how far behind a grasp the hand comes in a straight line, m.
const STANDOFF: f64 = 0.08;
/// Height of the tool for ways across the table, and to look at what is held, m.
const ACROSS: f64 = 0.36;
const SHOW: f64 = 0.40;
/// The object is let go this far above where it comes to rest, m: as in training.
const RELEASE: f64 = 0.006;
/// A surer place is taken at once; for any other one what is held is looked at from another side first.
const SURE: f64 = 0.9;
/// How far what was not seen may reach below the tool, and from how high it is dropped, m.
const UNSEEN: f64 = 0.15;
const DROP: f64 = 0.01;
/// How far above its place it is before the last straight way down, m.
const ABOVE: f64 = 0.10;
/// Slower than this in every joint stands still, rad/s.
const STILL: f64 = 0.05;
/// Longest that a way, and closing, may take, s.
const PATIENCE: f64 = 9.0;
const CLOSING: f64 = 1.5;
const OPENING: f64 = 0.5;
/// Times that what is held is shown again when the hand is stuck with it.
const MOST_STUCK: u32 = 2;
/// A way that is stopped this near to its end has arrived, m.
const TOUCHED: f64 = 0.015;

/// What is being done.
#[derive(Debug, Clone)]
enum Phase {
    /// The hand is out of the way, or on its way there.
    Look,
    Approach,
    Close {
        since: Stamp,
    },
    /// Up, to where the cameras see what is held, and round to its other sides.
    Show(Showing),
    /// Down to the place, if there is one, to open the fingers this far there: 0 closed, 1 all the way.
    Lower {
        opening: f64,
        is_place: bool,
    },
    Open {
        since: Stamp,
        back: Pose,
        opening: f64,
    },
    Leave,
}

/// The policy.
pub struct Picker {
    name: String,
    network: SceneNetwork,
    jaw: Jaw,
    robot: Arc<Robot>,
    cell: Cell,
    look_pose: Pose,
    seed: u64,
    n_looks: u64,
    phase: Phase,
    way: Way,
    /// When the present way began.
    begun: Option<Stamp>,
    /// The grasp that was tried last, and those that missed.
    tried: Pose,
    misses: Misses,
    /// Times that the hand got stuck with what it holds.
    n_stuck: u32,
    tally: Tally,
}

impl Picker {
    /// A policy for one arm in one cell.
    #[must_use]
    pub fn new(network: SceneNetwork, jaw: Jaw, robot: Arc<Robot>, cell: Cell) -> Self {
        Self {
            name: network.manifest().name.clone(),
            network,
            jaw,
            look_pose: robot.forward(robot.home()),
            robot,
            cell,
            seed: 0,
            n_looks: 0,
            phase: Phase::Look,
            way: Way::default(),
            begun: None,
            tried: Pose::identity(),
            misses: Misses::default(),
            n_stuck: 0,
            tally: Tally::new(),
        }
    }

    /// What computes the network.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.network.provider()
    }

    fn count(&mut self, name: &'static str) {
        *self.tally.entry(name).or_default() += 1;
    }

    fn next_seed(&mut self) -> u64 {
        self.n_looks += 1;
        derive_seed(self.seed, Stream::Policy, self.n_looks)
    }

    fn begin(&mut self, phase: Phase, way: impl IntoIterator<Item = Waypoint>, now: &Observation) {
        self.phase = phase;
        self.way = Way::new(way);
        self.begun = Some(now.stamp);
    }

    /// Back to where nothing is hidden, straight up first.
    fn go_and_look(&mut self, now: &Observation) {
        let up = over(&now.base_from_tcp);
        let way = home(&self.robot, &now.state.q).into_iter();
        let way = way.map(|pose| Waypoint::transit(pose, 1.0));
        self.begin(
            Phase::Look,
            std::iter::once(Waypoint::transit(up, 1.0)).chain(way),
            now,
        );
    }

    fn look(&mut self, now: &Observation) -> Result<ActionChunk, PolicyError> {
        if !is_still(now) {
            return hold(now, 1.0);
        }
        self.count("looks");
        let seed = self.next_seed();
        let mut proposed = see_grasps(&mut self.network, &self.cell, now, seed)?;
        if proposed.is_empty() {
            proposed = see_astray(&mut self.network, &self.cell, now, seed)?;
        }
        tracing::debug!(proposed = proposed.len(), "look");
        let points = &now.cloud.points;
        let filter = HandFilter::new(&self.jaw, points);
        let mut best: Option<(f64, TableGrasp)> = None;
        for _ in 0..MOST_ROUNDS {
            let mut ranked = self.network.rank(&proposed, points, &filter)?;
            for proposal in &mut ranked.grasps {
                let tool = proposal.grasp.base_from_tool();
                proposal.confidence = self.misses.worth(&tool, proposal.confidence);
            }
            let by_worth =
                |a: &ProposedGrasp, b: &ProposedGrasp| b.confidence.total_cmp(&a.confidence);
            ranked.grasps.sort_by(by_worth);
            for proposal in &ranked.grasps {
                let worth = proposal.confidence;
                if best.is_some_and(|(best, _)| worth <= best) {
                    break;
                }
                match self.reached(&proposal.grasp, &filter, now) {
                    Ok(grasp) => best = Some((worth, grasp)),
                    Err(refusal) => ranked.refused.push(refusal),
                }
            }
            add_refused(&mut self.tally, &ranked.refused);
            proposed = ranked.rest;
            if proposed.is_empty() || best.is_some_and(|(worth, _)| worth > GOOD_ENOUGH) {
                break;
            }
        }
        match best {
            Some((_, grasp)) => {
                let opening = filter.opening(&grasp);
                self.approach(grasp, opening, now)
            }
            None => {
                self.count("nothing_to_grasp");
                tracing::debug!("nothing to grasp");
                hold(now, 1.0)
            }
        }
    }

    /// The grasp as the arm gets to it, the way round that turns the hand less first: with the fingers exchanged
    /// it is the same grasp, and may suit the arm better.
    fn reached(
        &self,
        grasp: &TableGrasp,
        filter: &HandFilter<'_>,
        now: &Observation,
    ) -> Result<TableGrasp, Refusal> {
        let (robot, q) = (&self.robot, now.state.q);
        let reaches = |tool: &Pose| plan(robot, q, &legs_to(tool)).is_some();
        let mut sides = [*grasp, mirrored(grasp)];
        let turn = |grasp: &TableGrasp| {
            let tool = grasp.base_from_tool().rotation;
            tool.angle_to(&self.look_pose.rotation)
        };
        if turn(&sides[1]) < turn(&sides[0]) {
            sides.swap(0, 1);
        }
        filter
            .check(&sides[0], reaches)
            .or_else(|_| filter.check(&sides[1], reaches))
    }

    fn approach(
        &mut self,
        grasp: TableGrasp,
        opening: f64,
        now: &Observation,
    ) -> Result<ActionChunk, PolicyError> {
        self.count("grasps");
        let [x, y, z] = grasp.contact.coords.into();
        tracing::debug!(
            x,
            y,
            z,
            width = grasp.width,
            tilt = -grasp.approach.z,
            "grasp"
        );
        let opening = opening / self.jaw.max_width_m;
        self.tried = grasp.base_from_tool();
        let legs = legs_to(&self.tried);
        let way = self.way_of(&now.state.q, &legs, opening);
        self.begin(Phase::Approach, way, now);
        self.go(now)
    }

    /// Waypoints along legs; straight to their ends where the joints do not get along them.
    fn way_of(&self, q: &JointPositions, legs: &[Leg], opening: f64) -> Vec<Waypoint> {
        let ends = || legs.iter().map(|leg| vec![leg.end()]).collect();
        let poses = plan(&self.robot, *q, legs).unwrap_or_else(ends);
        let legs = legs.iter().zip(poses);
        legs.flat_map(|(leg, poses)| {
            poses.into_iter().map(move |pose| match leg {
                Leg::Air(_) => Waypoint::transit(pose, opening),
                Leg::Straight(_) => Waypoint::careful(pose, opening),
            })
        })
        .collect()
    }

    /// One step of the present way, or what comes after it.
    fn go(&mut self, now: &Observation) -> Result<ActionChunk, PolicyError> {
        if let Some(chunk) = self.way.along(now)? {
            return Ok(chunk);
        }
        match self.phase.clone() {
            Phase::Look => self.look(now),
            Phase::Approach => {
                self.begin(Phase::Close { since: now.stamp }, [], now);
                hold(now, 0.0)
            }
            Phase::Close { since } => self.close(since, now),
            Phase::Show(showing) => self.show(showing, now),
            Phase::Lower { opening, is_place } => {
                self.count(if is_place { "placed" } else { "dropped_off" });
                let (since, back) = (now.stamp, now.base_from_tcp);
                let open = Phase::Open {
                    since,
                    back,
                    opening,
                };
                self.begin(open, [], now);
                hold(now, opening)
            }
            Phase::Open {
                since,
                back,
                opening,
            } => {
                if now.stamp.saturating_since(since).as_secs_f64() < OPENING {
                    return hold(now, opening);
                }
                let out = back * Pose::translation(0.0, 0.0, -STANDOFF);
                let way = [Waypoint::careful(out, opening)];
                self.begin(Phase::Leave, way, now);
                self.go(now)
            }
            Phase::Leave => {
                self.go_and_look(now);
                self.go(now)
            }
        }
    }

    fn close(&mut self, since: Stamp, now: &Observation) -> Result<ActionChunk, PolicyError> {
        if now.state.gripper.is_grasping {
            self.n_stuck = 0;
            let up = over(&now.base_from_tcp);
            let lift = Waypoint {
                speed: 0.2,
                ..Waypoint::transit(up, 0.0)
            };
            // The hand keeps its orientation: what is held must not be turned before it is seen.
            let way = self.across_to_show(&up, now.state.q);
            self.begin(
                Phase::Show(Showing::new()),
                std::iter::once(lift).chain(way),
                now,
            );
            return self.go(now);
        }
        if now.stamp.saturating_since(since).as_secs_f64() > CLOSING {
            self.miss(now);
            return self.go(now);
        }
        hold(now, 0.0)
    }

    /// From `q` up to `up`, and from there to where the cameras see what is held; no farther than `up` if the
    /// arm does not get there.
    fn across_to_show(&self, up: &Pose, q: JointPositions) -> Vec<Waypoint> {
        let [x, y] = show_at(&self.cell);
        let mut show = *up;
        show.translation.vector = Vector3::new(x, y, SHOW);
        let way = plan(&self.robot, q, &[Leg::Straight(*up), Leg::Air(show)]);
        let across = way.into_iter().flatten().skip(1).flatten();
        across.map(|pose| Waypoint::transit(pose, 0.0)).collect()
    }

    /// Something was in the way, or a joint at its end: up, and home, where all joints have room, to show what is
    /// held again.
    fn show_again(&mut self, now: &Observation) {
        self.count("stuck");
        let up = std::iter::once(over(&now.base_from_tcp));
        let home = up.chain(home(&self.robot, &now.state.q));
        let across = self.across_to_show(&over(&self.look_pose), *self.robot.home());
        let home = home.map(|pose| Waypoint::transit(pose, 0.0));
        self.begin(Phase::Show(Showing::new()), home.chain(across), now);
    }

    fn miss(&mut self, now: &Observation) {
        self.count("misses");
        let gripper = &now.state.gripper;
        let (left, points) = (self.way.left(now), self.way.len());
        tracing::debug!(phase = ?self.phase, width = gripper.width, left, points, q = ?now.state.q, "missed");
        self.misses.add(self.tried);
        self.go_and_look(now);
    }

    fn show(
        &mut self,
        mut showing: Showing,
        now: &Observation,
    ) -> Result<ActionChunk, PolicyError> {
        if !is_still(now) {
            return hold(now, 0.0);
        }
        showing.look(&now.base_from_tcp, &now.cloud.points);
        let held = showing.held(&now.base_from_tcp);
        let scene = see_below(now);
        let seed = self.next_seed();
        let proposed = match &held {
            Some(held) => see_places(&mut self.network, &self.cell, &scene, &held.points, seed)?,
            None => Vec::new(),
        };
        // To let go, the fingers open no farther than what they hold asks for: there may be walls.
        let opening = TableGrasp::opening_for(now.state.gripper.width, self.jaw.max_width_m);
        let filter = HandFilter::new(&self.jaw, &scene);
        let mut target = None;
        if let Some(held) = &held {
            let (tool, bottom) = (&held.base_from_tool, &held.bottom);
            let lets_go = |place: &ProposedPlace| filter.check_place(tool, bottom, opening, place);
            let ranked = self
                .network
                .rank_places(&proposed, &scene, &held.points, lets_go)?;
            let mut refused = ranked.refused;
            target = ranked.places.iter().find_map(|place| {
                let tool = put_down(tool, bottom, &place.point, place.turn);
                let is_reached = plan(&self.robot, now.state.q, &legs_down(&tool)).is_some();
                if !is_reached {
                    refused.push(Refusal::Reach);
                }
                is_reached.then_some((tool, place.confidence))
            });
            for refusal in refused {
                *self.tally.entry(refusal.of_place()).or_default() += 1;
            }
        }
        if target.is_none_or(|(_, confidence)| confidence < SURE)
            && let Some((showing, way)) = self.turn(&showing, now)
        {
            self.count("turned_to_see");
            self.begin(Phase::Show(showing), way, now);
            return self.go(now);
        }
        let n_held = held.as_ref().map_or(0, |held| held.points.len());
        tracing::debug!(
            n_held,
            proposed = proposed.len(),
            found = target.is_some(),
            "place"
        );
        let is_place = target.is_some();
        let target = match target {
            Some((tool, _)) => tool,
            None => self.over_the_middle(now, held.as_ref(), &scene),
        };
        let way = self.way_of(&now.state.q, &legs_down(&target), 0.0);
        let opening = opening / self.jaw.max_width_m;
        self.begin(Phase::Lower { opening, is_place }, way, now);
        self.go(now)
    }

    /// To the first of the other sides of what is held that the arm can turn to.
    fn turn(&self, showing: &Showing, now: &Observation) -> Option<(Showing, Vec<Waypoint>)> {
        showing.others(&now.base_from_tcp).find_map(|(next, pose)| {
            let way = plan(&self.robot, now.state.q, &[Leg::Air(pose)])?;
            let way = way.into_iter().flatten();
            let way = way.map(|pose| Waypoint::transit(pose, 0.0)).collect();
            Some((next, way))
        })
    }

    /// Over the middle of the area with the hand as it is, just higher than what lies there.
    fn over_the_middle(
        &self,
        now: &Observation,
        held: Option<&HeldObject>,
        scene: &[[f32; 3]],
    ) -> Pose {
        let area = &self.cell.place;
        let middle = |axis: usize| 0.5 * f64::from(area.min_m[axis] + area.max_m[axis]);
        let tool = now.base_from_tcp.translation.z;
        let below = held.map_or(UNSEEN, |held| tool - held.bottom.z);
        let inside = scene.iter().filter(|point| area.contains(**point, 0.0));
        let highest = inside.map(|point| point[2]).fold(0.0, f32::max);
        let mut pose = now.base_from_tcp;
        let height = f64::from(highest) + below + DROP;
        pose.translation.vector = Vector3::new(middle(0), middle(1), height.min(tool));
        pose
    }

    /// What to do about something in the way, a way that takes too long, or a hand that lost what it held.
    fn mend(&mut self, now: &Observation) {
        let is_late = self
            .begun
            .is_some_and(|begun| now.stamp.saturating_since(begun).as_secs_f64() > PATIENCE);
        let gripper = &now.state.gripper;
        let is_lost = matches!(self.phase, Phase::Show(_) | Phase::Lower { .. })
            && !gripper.is_grasping
            && gripper.width < 0.002;
        let is_stalled = self.way.is_stalled(now);
        let is_stuck = is_stalled || (is_late && !self.way.is_over());
        let is_near = self.way.left(now) < TOUCHED;
        match self.phase {
            // It stands on the ground already, or on something.
            Phase::Approach | Phase::Lower { .. } if is_stalled && is_near => {
                self.way = Way::default();
            }
            // Nothing was tried there: it only got in the way of going home.
            Phase::Look | Phase::Leave if is_stuck => self.go_and_look(now),
            // What is held is not let go in the air as long as there is another way to try.
            Phase::Show(_) | Phase::Lower { .. }
                if !is_lost && is_stuck && self.n_stuck < MOST_STUCK =>
            {
                self.n_stuck += 1;
                self.show_again(now);
            }
            _ if is_lost || is_stuck => self.miss(now),
            _ => {}
        }
    }
}

impl Policy for Picker {
    fn name(&self) -> &str {
        &self.name
    }

    fn reset(&mut self, seed: u64) {
        self.seed = seed;
        self.n_looks = 0;
        self.phase = Phase::Look;
        self.way = Way::default();
        self.begun = None;
        self.misses.clear();
        self.tally.clear();
    }

    fn tally(&self) -> Tally {
        self.tally.clone()
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        check_frame(&observation.cloud)?;
        if self.begun.is_none() {
            self.go_and_look(observation);
        }
        self.mend(observation);
        self.go(observation)
    }
}

impl std::fmt::Debug for Picker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picker")
            .field("name", &self.name)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

fn add_refused(tally: &mut Tally, refused: &[Refusal]) {
    for refusal in refused {
        *tally.entry(refusal.of_grasp()).or_default() += 1;
    }
}

/// To a grasp: over it, to where the straight way in begins, in.
fn legs_to(tool: &Pose) -> [Leg; 3] {
    let back = tool * Pose::translation(0.0, 0.0, -STANDOFF);
    [
        Leg::Air(over(&back)),
        Leg::Straight(back),
        Leg::Straight(*tool),
    ]
}

/// To a place: high over it, and down.
fn legs_down(tool: &Pose) -> [Leg; 3] {
    let above = raised(tool, ABOVE);
    let mut across = above;
    across.translation.z = across.translation.z.max(SHOW);
    [Leg::Air(across), Leg::Straight(above), Leg::Straight(*tool)]
}

fn is_still(now: &Observation) -> bool {
    now.state.dq.iter().all(|dq| dq.abs() < STILL)
}

/// Where the tool shows what it holds: half way between both areas.
fn show_at(cell: &Cell) -> [f64; 2] {
    [0, 1].map(|axis| {
        let corners = [&cell.pick, &cell.place].map(|area| area.min_m[axis] + area.max_m[axis]);
        0.25 * f64::from(corners[0] + corners[1])
    })
}

/// The same pose at the height of ways across the table.
fn over(pose: &Pose) -> Pose {
    let mut over = *pose;
    over.translation.z = over.translation.z.max(ACROSS);
    over
}

fn raised(pose: &Pose, by: f64) -> Pose {
    Translation3::new(0.0, 0.0, by) * pose
}

/// The same grasp with the fingers exchanged.
fn mirrored(grasp: &TableGrasp) -> TableGrasp {
    TableGrasp {
        contact: grasp.contact + grasp.width * grasp.closing,
        closing: -grasp.closing,
        ..*grasp
    }
}

/// Where the tool has to be so that the bottom centre of what it holds at `base_from_tool` is over a point, turned
/// by eighths of a full turn.
#[must_use]
pub fn put_down(
    base_from_tool: &Pose,
    bottom: &Point3<f64>,
    point: &Point3<f64>,
    turn: usize,
) -> Pose {
    let angle = std::f64::consts::TAU * turn as f64 / 8.0;
    let yaw = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
    let there = Translation3::from(point.coords + Vector3::z() * RELEASE);
    there * yaw * Translation3::from(-bottom.coords) * base_from_tool
}

#[cfg(test)]
mod tests;
