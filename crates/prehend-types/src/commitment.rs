//! What was decided before, and holds until the next decision takes effect.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{Action, ActionChunk, Actions, Stamp};

/// Looks whose delays are remembered.
const N_DELAYS: usize = 8;

/// The plan that an arm follows while a policy looks again, and how long that takes: measured, not assumed.
#[derive(Debug, Clone, Default)]
pub struct Commitment {
    plan: Option<ActionChunk>,
    delays: VecDeque<Duration>,
}

impl Commitment {
    /// Nothing is decided any more: a new episode. How long looks take stays known.
    pub fn clear(&mut self) {
        self.plan = None;
    }

    /// From now on the arm follows this plan.
    pub fn follow(&mut self, plan: ActionChunk) {
        self.plan = Some(plan);
    }

    /// Whether anything was decided in this episode.
    #[must_use]
    pub fn has_plan(&self) -> bool {
        self.plan.is_some()
    }

    /// A look took this long, from its observation until the arm had its plan. Who calls leaves the first
    /// one out where that is cold.
    pub fn took(&mut self, delay: Duration) {
        if self.delays.len() == N_DELAYS {
            self.delays.pop_front();
        }
        self.delays.push_back(delay);
    }

    /// How long the next look may take: the longest of the last eight.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delays.iter().max().copied().unwrap_or_default()
    }

    /// From when on to look again: as much before the executed part of the plan ends as a look takes, yet not
    /// in its first half, and `lead` before that. Always, where there is no plan.
    #[must_use]
    pub fn next_look(&self, lead: Duration) -> Stamp {
        let Some(plan) = &self.plan else {
            return Stamp::ZERO;
        };
        let n_executed = plan.n_action_steps.min(plan.actions().len());
        let executed = plan.dt * n_executed as u32;
        let after = executed.saturating_sub(self.delay()).max(executed / 2);
        plan.start.after(after.saturating_sub(lead))
    }

    /// What the arm does at `stamp`; it stands where the plan is over.
    #[must_use]
    pub fn action_at(&self, stamp: Stamp) -> Action {
        let Some(plan) = &self.plan else {
            return Action::hold(1.0);
        };
        let last = plan.actions().last().map_or(1.0, |last| last.gripper);
        let now = plan.actions_from(stamp, 1);
        now.first().copied().unwrap_or(Action::hold(last))
    }

    /// What the arm does from `stamp` on until a look at that moment takes effect: whole actions, a half
    /// counts as one. As long as looks take less than half an action nothing is committed.
    #[must_use]
    pub fn actions(&self, stamp: Stamp) -> Actions {
        let Some(plan) = &self.plan else {
            return Actions::new();
        };
        let n = self.delay().as_secs_f64() / plan.dt.as_secs_f64();
        plan.actions_from(stamp, n.round() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: Duration = Duration::from_millis(50);

    #[test]
    fn as_much_is_committed_as_a_look_takes() {
        let mut commitment = Commitment::default();
        commitment.took(Duration::from_millis(120));
        assert!(commitment.actions(Stamp::ZERO).is_empty(), "no plan");

        let actions: Vec<Action> = (0..8).map(|i| Action::hold(0.1 * f64::from(i))).collect();
        let plan = ActionChunk::new(Stamp::ZERO, DT, 6, &actions).expect("they fit");
        commitment.follow(plan);
        let at = |millis: u64| Stamp::from_nanos(millis * 1_000_000);
        assert_eq!(commitment.actions(at(200))[..], actions[4..6]);
        assert_eq!(commitment.actions(at(350))[..], actions[7..]);
        assert_eq!(commitment.action_at(at(350)), actions[7]);
        assert_eq!(
            commitment.action_at(at(400)),
            Action::hold(actions[7].gripper)
        );

        commitment.took(Duration::from_millis(130));
        assert_eq!(commitment.actions(at(200))[..], actions[4..7]);
        for _ in 0..N_DELAYS {
            commitment.took(Duration::from_millis(24));
        }
        assert_eq!(commitment.delay(), Duration::from_millis(24), "forgotten");
        assert!(commitment.actions(at(200)).is_empty());

        let look =
            |commitment: &Commitment, lead| commitment.next_look(Duration::from_millis(lead));
        assert_eq!(look(&commitment, 0), at(276));
        assert_eq!(look(&commitment, 25), at(251));
        commitment.took(Duration::from_secs(1));
        assert_eq!(look(&commitment, 0), at(150), "half of it at least");
        assert_eq!(
            look(&commitment, 400),
            Stamp::ZERO,
            "who leads by all of it looks always"
        );
        commitment.clear();
        assert_eq!(look(&commitment, 0), Stamp::ZERO);
        assert!(commitment.actions(at(200)).is_empty(), "a new episode");
        assert_eq!(commitment.delay(), Duration::from_secs(1));
    }
}
