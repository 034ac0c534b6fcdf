//! Turns a wanted opening of the gripper into one that does not chatter.

use prehend_robot::{GripperSpec, Robot};
use prehend_types::Stamp;

/// The way of a turn as a share of the opening counts, but none counts less than this.
const SMALL: f64 = 0.1;
/// Whole turns that may follow each other at once.
const BURST: f64 = 2.0;

/// Follows a wanted opening at once as long as it goes on in one direction, and lets it turn back only so
/// often: fingers that are told to open and to close all the time do neither, and wear out.
///
/// Between open and shut it turns as often as it may; a smaller way back counts in proportion, so that the
/// noise of a policy passes. Controller and driver each have one. Never allocates.
#[derive(Debug, Clone, Copy)]
pub struct GripperLimiter {
    max_turns_per_s: f64,
    opening: f64,
    /// +1 opened last, -1 closed last, 0 neither yet.
    way: f64,
    /// Turns that may be made now, as of that moment.
    allowance: f64,
    counted_at: Option<Stamp>,
}

impl GripperLimiter {
    /// Stands at `opening`, 0 shut to 1 open, and turns at most `max_turns_per_s`, 1/s.
    #[must_use]
    pub fn new(max_turns_per_s: f64, opening: f64) -> Self {
        Self {
            max_turns_per_s,
            opening: opening.clamp(0.0, 1.0),
            way: 0.0,
            allowance: BURST,
            counted_at: None,
        }
    }

    /// Goes on from another opening; turns that were made still count.
    pub fn place(&mut self, opening: f64) {
        self.opening = opening.clamp(0.0, 1.0);
    }

    /// What the gripper is told, 0 shut to 1 open.
    #[must_use]
    pub fn opening(&self) -> f64 {
        self.opening
    }

    /// Goes to `wanted`, unless that is a turn too many. Returns whether it was held back. What lies outside of
    /// 0 to 1 means the nearer of both; what is not finite is wanted by nobody.
    pub fn follow(&mut self, wanted: f64, now: Stamp) -> bool {
        let before = self.counted_at.replace(now).unwrap_or(now);
        let earned = self.max_turns_per_s * now.seconds_since(before).max(0.0);
        self.allowance = (self.allowance + earned).min(BURST);
        if !wanted.is_finite() {
            return false;
        }
        let wanted = wanted.clamp(0.0, 1.0);
        let change = wanted - self.opening;
        if change == 0.0 {
            return false;
        }
        if change * self.way < 0.0 {
            let cost = change.abs().max(SMALL);
            if cost > self.allowance {
                return true;
            }
            self.allowance -= cost;
        }
        self.way = change.signum();
        self.opening = wanted;
        false
    }
}

/// How often the command of a robot's gripper may change between opening and closing, 1/s.
#[must_use]
pub fn gripper_turns(robot: &Robot) -> f64 {
    let gripper = robot.gripper();
    gripper.map_or(GripperSpec::MAX_TURNS_PER_S, |gripper| {
        gripper.max_turns_per_s
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Stamp {
        Stamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn one_direction_is_followed_at_once_and_so_are_turns_after_a_while() {
        let mut gripper = GripperLimiter::new(5.0, 1.0);
        for (millis, wanted) in [(0, 0.5), (2, 0.0), (4, 1.0), (6, 0.0), (500, 1.0)] {
            assert!(!gripper.follow(wanted, at(millis)), "{millis}");
            assert_eq!(gripper.opening(), wanted);
        }
    }

    /// Direction changes in 2 s of a command that goes back and forth at every tick, and ticks held back.
    fn chatter(amplitude: f64) -> (u32, u32) {
        let mut gripper = GripperLimiter::new(5.0, 0.5);
        let (mut last, mut way, mut turns, mut held) = (0.5, 0.0, 0, 0);
        for tick in 0..1000 {
            let wanted = 0.5 + amplitude * (f64::from(tick % 2) - 0.5);
            held += u32::from(gripper.follow(wanted, at(2 * tick as u64)));
            let moved = gripper.opening() - last;
            if moved != 0.0 {
                turns += u32::from(moved * way < 0.0);
                (way, last) = (moved, gripper.opening());
            }
        }
        (turns, held)
    }

    #[test]
    fn chatter_turns_as_often_as_it_may() {
        let (turns, held) = chatter(1.0);
        assert!((10..=12).contains(&turns), "{turns} in 2 s");
        assert!(held > 400, "{held}");
        let (turns, _) = chatter(0.01);
        assert!((100..=120).contains(&turns), "{turns} in 2 s");
    }

    #[test]
    fn the_noise_of_a_policy_passes() {
        let mut gripper = GripperLimiter::new(5.0, 1.0);
        for step in 0..100 {
            let wanted = if step % 2 == 0 { 0.97 } else { 0.99 };
            assert!(!gripper.follow(wanted, at(50 * step)), "{step}");
        }
        assert!(!gripper.follow(0.0, at(5000)));
    }

    #[test]
    fn nonsense_moves_nothing() {
        let mut gripper = GripperLimiter::new(5.0, 0.5);
        for wanted in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!gripper.follow(wanted, at(2)));
            assert_eq!(gripper.opening(), 0.5);
        }
    }

    #[test]
    fn what_is_told_in_percent_does_not_jam_it() {
        let mut gripper = GripperLimiter::new(5.0, 80.0);
        for (millis, wanted, told) in [(0, 100.0, 1.0), (2, 0.0, 0.0), (4, -3.0, 0.0)] {
            assert!(!gripper.follow(wanted, at(millis)), "{wanted}");
            assert_eq!(gripper.opening(), told);
        }
    }
}
