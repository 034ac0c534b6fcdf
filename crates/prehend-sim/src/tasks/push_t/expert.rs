//! The scripted expert: of all places where closed fingers can push, it goes to the one that brings the
//! T nearer to its goal at the best rate, counting the way there, and pushes.
//!
//! Everything is planned anew for every action, in the T's frame: a place that the fingers are at
//! costs no way, which keeps them there while it helps.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};

use nalgebra::{Point2, Point3, Rotation2, Translation3, UnitQuaternion, Vector2, Vector3};
use prehend_types::{Action, Pose};

use super::PushTEpisode;
use super::push::{advance, distance, motion};
use super::route::{Around, away_from_tee};
use super::shape::{Place, Side, sides};
use crate::pilots::rule::{MAX_SPEED, move_towards, pointing_down, yaw_of};
use crate::tasks::Facts;

/// The T is left alone when it covers this much more of its goal than needed.
const MARGIN: f64 = 0.015;
/// Height of the tool while it pushes and goes round the T, m.
const PLANE: f64 = 0.016;
/// Above this the tool goes straight to where it comes down, m.
const LOW: f64 = PLANE + 0.008;
/// Height of the tool over the T, m.
const HOVER: f64 = 0.060;
/// Half the size of the closed fingers along the tool's x and y axes, m.
const FINGERS: [f64; 2] = [0.008_75, 0.0152];
/// Closed fingers are no wider than this, m.
const CLOSED: f64 = 0.004;
/// Fastest push, m/s.
const PUSH_SPEED: f64 = 0.10;
/// Mean speed of the tool on its ways, for planning, m/s, and time lost by stopping, s.
const WAY_SPEED: f64 = 0.20;
const WAY_COST: f64 = 0.4;
/// Pushes are planned in steps of this, m, so many at most.
const STEP: f64 = 0.002;
const STEPS: usize = 50;
/// A push must bring the T nearer by this, m.
const LEAST_GAIN: f64 = 0.001;
/// Fingers at a side push when nearer to it than this, m, and stop this far away before they do.
const ENGAGED: f64 = 0.014;
const BEFORE: f64 = 0.010;
/// Places to push at are this far apart, m, and this far from outer and inner corners.
const PITCH: f64 = 0.010;
const FROM_END: [f64; 2] = [0.010, 0.028];
/// Directions of a push from the side's normal, rad.
const TILTS: [f64; 3] = [0.0, -0.3, 0.3];
/// Where the tool may go to push, base frame, m.
const ROOM_X: [f64; 2] = [0.27, 0.74];
const ROOM_Y: f64 = 0.42;
/// How far from its goal a push may leave the T, m, unless it is farther already: the arm must reach
/// around it.
const TEE_ROOM: f64 = 0.16;

/// A place to push at, all in the T's frame.
#[derive(Debug, Clone, Copy)]
struct Push {
    /// Where the fingers' middle is when they touch.
    at: Point2<f64>,
    out: Vector2<f64>,
    /// Where to, if the fingers are there already: they push.
    way: Option<Vector2<f64>>,
    /// How far, m.
    length: f64,
    /// Distance from the goal that is saved per second, m/s.
    rate: f64,
}

/// What one plan is made from, in the T's frame.
struct Plan<'a> {
    goal: &'a Place,
    tee: Place,
    tool: Point2<f64>,
    is_low: bool,
    around: Around,
    /// From the fingers' middle to their corners.
    corners: [Vector2<f64>; 4],
}

/// Closes the hand, goes to the best place to push at, and pushes.
pub(super) fn next_action(
    episode: &PushTEpisode,
    facts: &Facts<'_>,
    base_from_tcp: &Pose,
) -> Action {
    let Some(tee) = facts.bodies.first() else {
        return Action::hold(0.0);
    };
    if episode.overlap(&tee.base_from_body) >= (episode.min_overlap + MARGIN).min(0.99) {
        return Action::hold(0.0);
    }
    let place = Place::of(&tee.base_from_body);
    let tcp = base_from_tcp.translation.vector;
    let rotation = hand_across(&place, base_from_tcp);
    let corners = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]].map(|[x, y]| {
        let corner = rotation * Vector3::new(x * FINGERS[0], y * FINGERS[1], 0.0);
        place.rotate_back(&corner.xy())
    });
    let plan = Plan {
        goal: &episode.goal,
        tee: place,
        tool: place.transform_back(&tcp.xy().into()),
        is_low: tcp.z < LOW,
        around: Around::new(),
        corners,
    };
    let aim = |at: Point2<f64>, height: f64, max_speed: f64| {
        let at = place.transform(&at);
        let at = Translation3::from(Point3::new(at.x, at.y, height));
        let goal = Pose::from_parts(at, rotation);
        move_towards(base_from_tcp, &goal, 0.0, max_speed)
    };
    let Some(push) = plan.best() else {
        return aim(plan.tool, HOVER, MAX_SPEED);
    };
    let entry = plan.around.leave(&push.at, &push.out);
    if !plan.is_low {
        let turn = base_from_tcp.rotation.angle_to(&rotation);
        let lateral = (entry - plan.tool).norm();
        let is_ready = turn < 0.1 && facts.gripper().width < CLOSED;
        return if lateral < 0.006 && is_ready {
            aim(entry, PLANE, MAX_SPEED)
        } else if lateral > 0.02 && tcp.z < HOVER - 0.02 {
            aim(plan.tool, HOVER, MAX_SPEED)
        } else {
            aim(entry, HOVER, MAX_SPEED)
        };
    }
    match push.way {
        Some(way) => aim(plan.tool + way * push.length, PLANE, PUSH_SPEED),
        None => aim(plan.go_to(&push, &entry).0, PLANE, MAX_SPEED),
    }
}

/// The hand's rotation that points a corner of the fingers at every side of the T: an eighth of a turn
/// from it, so that the point of contact is known. The nearest such, within the last joint's reach.
fn hand_across(tee: &Place, base_from_tcp: &Pose) -> UnitQuaternion<f64> {
    let now = yaw_of(base_from_tcp);
    let tee_yaw = libm::atan2(tee.x.y, tee.x.x);
    let yaws = (-5..=5).map(|k| tee_yaw + FRAC_PI_4 + FRAC_PI_2 * f64::from(k));
    let cost = |yaw: f64| (yaw - now).abs() + 5.0 * (yaw.abs() - 1.5).max(0.0);
    let yaw = yaws.min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    pointing_down(yaw.unwrap_or(now))
}

impl Plan<'_> {
    fn best(&self) -> Option<Push> {
        let pushes = sides().flat_map(|side| self.pushes(side));
        pushes.max_by(|a, b| a.rate.total_cmp(&b.rate))
    }

    /// The pushes at one side that help.
    fn pushes(&self, side: Side) -> Vec<Push> {
        let ends = side
            .is_inner
            .map(|is_inner| FROM_END[usize::from(is_inner)]);
        let (first, last) = (ends[0], side.length - ends[1]);
        // The corner of the fingers that meets the side, from their middle.
        let reach = |corner: &&Vector2<f64>| side.inwards.dot(corner);
        let corner = self.corners.iter();
        let corner = corner.max_by(|a, b| reach(a).total_cmp(&reach(b)));
        let corner = corner.copied().unwrap_or_default();
        let tip = self.tool + corner - side.start;
        let (tip_s, gap) = (tip.dot(&side.along), -tip.dot(&side.inwards));

        let mut pushes = Vec::new();
        let is_engaged = self.is_low
            && (first - 0.006..=last + 0.006).contains(&tip_s)
            && (-0.006..ENGAGED).contains(&gap);
        if is_engaged {
            for tilt in TILTS {
                let way = Rotation2::new(tilt) * side.inwards;
                let time = gap.max(0.0) / PUSH_SPEED;
                if let Some((gain, length)) = self.gain(&side, tip_s, &way, time) {
                    let nearer = gap.max(0.0) + length;
                    pushes.push(Push {
                        at: self.tool + side.inwards * gap,
                        out: -side.inwards,
                        way: Some(if gap > 0.002 { side.inwards } else { way }),
                        length: nearer,
                        rate: gain,
                    });
                }
            }
        }
        let n = ((last - first) / PITCH).floor().max(0.0) as usize;
        for k in 0..=n {
            let s = first + (last - first) * k as f64 / n.max(1) as f64;
            let at = side.start + side.along * s - corner;
            let push = Push {
                at,
                out: -side.inwards,
                way: None,
                length: 0.0,
                rate: 0.0,
            };
            if !self.is_in_room(&at) {
                continue;
            }
            let entry = self.around.leave(&at, &push.out);
            let way = if self.is_low {
                self.go_to(&push, &entry).1
            } else {
                (entry - self.tool).norm() + (at - entry).norm()
            };
            let time = WAY_COST + way / WAY_SPEED;
            if let Some((rate, _)) = self.gain(&side, s, &side.inwards, time) {
                pushes.push(Push { rate, ..push });
            }
        }
        pushes
    }

    fn is_in_room(&self, at: &Point2<f64>) -> bool {
        let at = self.tee.transform(at);
        (ROOM_X[0]..=ROOM_X[1]).contains(&at.x) && at.y.abs() <= ROOM_Y
    }

    /// The best rate of a push `s` along a side, and its length; `None` if it does not help.
    fn gain(&self, side: &Side, s: f64, way: &Vector2<f64>, time: f64) -> Option<(f64, f64)> {
        let contact = (side.start + side.along * s).coords;
        let motion = motion(&contact, &side.inwards, way);
        let before = distance(self.goal, &self.tee);
        let allowed = (self.tee.at - self.goal.at).norm().max(TEE_ROOM);
        let mut best = None;
        for step in 1..=STEPS {
            let length = step as f64 * STEP;
            let after = advance(&self.tee, &motion, length);
            let away = (after.at - self.goal.at).norm();
            if away > allowed {
                break;
            }
            let gain = before - distance(self.goal, &after);
            let rate = gain / (time + 0.1 + length / PUSH_SPEED);
            if gain >= LEAST_GAIN && best.is_none_or(|(most, _)| rate > most) {
                best = Some((rate, length));
            }
        }
        best
    }

    /// Where to go next on the way to a place, on the table, and how long the whole way is.
    fn go_to(&self, push: &Push, entry: &Point2<f64>) -> (Point2<f64>, f64) {
        let before = push.at + push.out * BEFORE;
        let from = self.tool - push.at;
        let lateral = from.perp(&push.out).abs();
        let is_in_front = lateral < 0.005 && from.dot(&push.out) > -0.002;
        if is_in_front {
            return (before, (before - self.tool).norm());
        }
        if self.around.contains(&self.tool) {
            let away = away_from_tee(&self.tool);
            let outside = self.around.leave(&self.tool, &away);
            let left = self.around.first(&outside, entry).1;
            let length = (outside - self.tool).norm() + left + (before - entry).norm();
            return (self.tool + away * 0.02, length);
        }
        let (first, length) = self.around.first(&self.tool, entry);
        (first, length + (before - entry).norm())
    }
}
