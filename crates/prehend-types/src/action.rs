//! Actions of the learned policies: end-effector deltas in chunks with absolute times.

use std::time::Duration;

use arrayvec::ArrayVec;
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

use crate::{Pose, Stamp};

/// Most actions in one chunk. Fixed, so that a chunk can cross to the control thread without a heap.
pub const MAX_CHUNK: usize = 16;

/// Actions one after another, as many as a chunk holds.
pub type Actions = ArrayVec<Action, MAX_CHUNK>;

/// One step of a policy: how the commanded tool moves during `dt`, and how far the gripper opens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Translation during this step, in the tool frame at the step's start, m.
    pub translation: Vector3<f64>,
    /// Rotation vector during this step, in the tool frame at the step's start, rad.
    pub rotation: Vector3<f64>,
    /// Commanded opening: 0 closed (with the gripper's force limit), 1 fully open.
    pub gripper: f64,
}

impl Action {
    /// No motion, with this gripper opening.
    #[must_use]
    pub fn hold(gripper: f64) -> Self {
        Self {
            translation: Vector3::zeros(),
            rotation: Vector3::zeros(),
            gripper,
        }
    }

    /// The motion as a pose: `tool_before_from_tool_after`.
    #[must_use]
    pub fn delta(&self) -> Pose {
        Pose::from_parts(
            Translation3::from(self.translation),
            UnitQuaternion::from_scaled_axis(self.rotation),
        )
    }

    /// The action that moves a tool from one pose to another.
    #[must_use]
    pub fn between(base_from_before: &Pose, base_from_after: &Pose, gripper: f64) -> Self {
        let delta = base_from_before.inv_mul(base_from_after);
        Self {
            translation: delta.translation.vector,
            rotation: delta.rotation.scaled_axis(),
            gripper,
        }
    }

    /// The action of `dt` that goes from one pose towards another, no faster than `max_speed` m/s and
    /// 1.5 rad/s: a share of what is left, so that motions end softly.
    #[must_use]
    pub fn towards(
        base_from_tool: &Pose,
        base_from_goal: &Pose,
        gripper: f64,
        max_speed: f64,
        dt: Duration,
    ) -> Self {
        let dt = dt.as_secs_f64();
        let way = base_from_goal.translation.vector - base_from_tool.translation.vector;
        let step = way * (stride(way.norm(), max_speed * dt, 0.002) / way.norm().max(1e-9));
        let angle = base_from_tool.rotation.angle_to(&base_from_goal.rotation);
        let share = stride(angle, MAX_TURN * dt, 0.01) / angle.max(1e-9);
        let turned = base_from_tool
            .rotation
            .try_slerp(&base_from_goal.rotation, share.min(1.0), 1e-9)
            .unwrap_or(base_from_goal.rotation);
        let at = Translation3::from(base_from_tool.translation.vector + step);
        Self::between(base_from_tool, &Pose::from_parts(at, turned), gripper)
    }

    /// The motion from a share of one action on to the same share of the next, as far as both are small.
    fn mixed(&self, next: &Self, share: f64) -> Self {
        Self {
            translation: self.translation.lerp(&next.translation, share),
            rotation: self.rotation.lerp(&next.rotation, share),
            gripper: if share < 0.5 {
                self.gripper
            } else {
                next.gripper
            },
        }
    }

    /// Whether every number is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.translation.iter().all(|v| v.is_finite())
            && self.rotation.iter().all(|v| v.is_finite())
            && self.gripper.is_finite()
    }
}

/// Fastest rotation of [`Action::towards`], rad/s.
const MAX_TURN: f64 = 1.5;
/// Share of the remaining way that one such action goes.
const APPROACH: f64 = 0.30;

/// How far to go of `left`: a share of it, at least `least`, at most `most`, never past the end.
fn stride(left: f64, most: f64, least: f64) -> f64 {
    (APPROACH * left).max(least).min(most).min(left)
}

/// A chunk was given more than [`MAX_CHUNK`] actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of {got} actions, at most {MAX_CHUNK} are supported")]
pub struct ChunkTooLong {
    /// How many actions were given.
    pub got: usize,
}

/// A short plan: actions at absolute times. Action `i` covers `[start + i dt, start + (i + 1) dt)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionChunk {
    /// When the first action starts: the stamp of the observation it was computed from.
    pub start: Stamp,
    /// Length of one action.
    pub dt: Duration,
    /// How many actions are meant to be executed before the next chunk; the rest bridge delays.
    pub n_action_steps: usize,
    actions: Actions,
}

impl ActionChunk {
    /// A chunk from a slice of actions.
    ///
    /// # Errors
    /// [`ChunkTooLong`] above [`MAX_CHUNK`].
    pub fn new(
        start: Stamp,
        dt: Duration,
        n_action_steps: usize,
        actions: &[Action],
    ) -> Result<Self, ChunkTooLong> {
        let actions =
            ArrayVec::try_from(actions).map_err(|_| ChunkTooLong { got: actions.len() })?;
        Ok(Self {
            start,
            dt,
            n_action_steps,
            actions,
        })
    }

    /// The actions, first to last.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// What this chunk does from `from` on, in steps of its `dt`: `n` of them, or as many as it covers whole.
    #[must_use]
    pub fn actions_from(&self, from: Stamp, n: usize) -> Actions {
        let begun = from.seconds_since(self.start) / self.dt.as_secs_f64();
        // A stamp that is off by less than this share of an action means its beginning.
        const ALIGNED: f64 = 0.02;
        let first = (begun + ALIGNED).floor();
        if !(0.0..MAX_CHUNK as f64).contains(&first) {
            return Actions::new();
        }
        let share = (begun - first).max(0.0);
        let own = &self.actions[self.actions.len().min(first as usize)..];
        if share <= ALIGNED {
            return own.iter().take(n).copied().collect();
        }
        let pairs = own.windows(2).take(n);
        pairs.map(|pair| pair[0].mixed(&pair[1], share)).collect()
    }
}

/// A chunk as an episode remembers it at the step where it was decided. The step holds the first
/// action; the controller's path also depends on those that were planned and never executed, so that a
/// replay needs them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// As in [`ActionChunk::n_action_steps`].
    pub n_action_steps: u8,
    /// Actions in the whole chunk.
    pub n_actions: u8,
    /// The actions after the first; when they are fewer than the chunk had, the last one repeats.
    pub others: Vec<Action>,
}

impl Decision {
    /// What is left to remember of a chunk.
    #[must_use]
    pub fn of(chunk: &ActionChunk) -> Self {
        let actions = chunk.actions();
        let n_told = (1..actions.len()).rfind(|&i| actions[i] != actions[i - 1]);
        Self {
            n_action_steps: u8::try_from(chunk.n_action_steps).unwrap_or(u8::MAX),
            n_actions: actions.len() as u8,
            others: actions.get(1..=n_told.unwrap_or(0)).unwrap_or(&[]).to_vec(),
        }
    }

    /// The chunk again.
    ///
    /// # Errors
    /// [`ChunkTooLong`] for more actions than a chunk holds.
    pub fn chunk(
        &self,
        first: Action,
        start: Stamp,
        dt: Duration,
    ) -> Result<ActionChunk, ChunkTooLong> {
        let last = *self.others.last().unwrap_or(&first);
        let told = std::iter::once(first).chain(self.others.iter().copied());
        let whole = told.chain(std::iter::repeat(last));
        let whole: Vec<Action> = whole.take(usize::from(self.n_actions)).collect();
        ActionChunk::new(start, dt, usize::from(self.n_action_steps), &whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_gives_its_chunk_back() {
        let action = |x: f64| Action {
            translation: Vector3::new(x, 0.0, 0.0),
            ..Action::hold(1.0)
        };
        let dt = Duration::from_millis(50);
        for plan in [
            &[1.0][..],
            &[1.0, 1.0, 1.0, 1.0],
            &[1.0, 2.0, 3.0],
            &[1.0, 2.0, 2.0, 2.0],
            &[1.0, 1.0, 2.0, 1.0],
        ] {
            let actions: Vec<Action> = plan.iter().map(|x| action(*x)).collect();
            let chunk = ActionChunk::new(Stamp::ZERO, dt, 2, &actions).expect("they fit");
            let decision = Decision::of(&chunk);
            let again = decision
                .chunk(actions[0], Stamp::ZERO, dt)
                .expect("they fit");
            assert_eq!(again, chunk);
        }
        let repeated = ActionChunk::new(Stamp::ZERO, dt, 1, &[action(1.0); 4]).expect("they fit");
        assert!(Decision::of(&repeated).others.is_empty());
    }

    #[test]
    fn what_a_chunk_still_does_is_counted_from_any_moment_of_it() {
        let dt = Duration::from_millis(50);
        let actions: Vec<Action> = (0..4)
            .map(|i| Action {
                translation: Vector3::new(f64::from(i), 0.0, 0.0),
                ..Action::hold(f64::from(i))
            })
            .collect();
        let start = Stamp::from_nanos(1_000_000_000);
        let chunk = ActionChunk::new(start, dt, 2, &actions).expect("they fit");
        let from = |millis: u64, n| -> Vec<(f64, f64)> {
            let from = start.after(Duration::from_millis(millis));
            let left = chunk.actions_from(from, n);
            left.iter().map(|a| (a.translation.x, a.gripper)).collect()
        };
        assert_eq!(from(0, 2), [(0.0, 0.0), (1.0, 1.0)]);
        assert_eq!(from(100, 8), [(2.0, 2.0), (3.0, 3.0)]);
        // Half a millisecond before an action begins is its beginning.
        let early = start.after(Duration::from_micros(99_500));
        assert_eq!(chunk.actions_from(early, 8)[..], actions[2..]);
        let between = from(65, 8);
        assert_eq!(between.len(), 2, "the last one is not covered whole");
        assert!((between[0].0 - 1.3).abs() < 1e-9 && between[0].1 == 1.0);
        assert!(from(200, 8).is_empty() && from(5000, 8).is_empty());
        assert!(
            chunk.actions_from(Stamp::ZERO, 8).is_empty(),
            "before it begins"
        );
    }

    #[test]
    fn between_undoes_delta() {
        let before = Pose::new(Vector3::new(0.3, 0.1, 0.4), Vector3::new(3.0, 0.2, 0.1));
        let action = Action {
            translation: Vector3::new(0.01, -0.02, 0.03),
            rotation: Vector3::new(0.1, 0.05, -0.2),
            gripper: 0.5,
        };
        let again = Action::between(&before, &(before * action.delta()), 0.5);
        assert!((again.translation - action.translation).norm() < 1e-12);
        assert!((again.rotation - action.rotation).norm() < 1e-12);
    }
}
