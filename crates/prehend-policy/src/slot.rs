//! Holds the policy that decides, and replaces it while it runs: a candidate first looks on, then takes over
//! between two chunks, and for a while the old one stands by.
//!
//! Nothing here loads, waits or measures time: what is offered is loaded, checked against its golden outputs
//! and warmed up. That the motion stays smooth over the change is the controller's work, which anchors every
//! chunk at the commanded pose and fades it in, whoever made it.

use prehend_types::{ActionChunk, Observation, Policy, PolicyError, Tally};
use serde::{Deserialize, Serialize};

/// On which terms a candidate takes over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SwapTerms {
    /// Looks that the candidate is given beside the running policy, at least one.
    pub shadow_looks: u32,
    /// Largest difference between their chunks, over all actions and numbers (m, rad, opening); `None` if
    /// they may differ.
    pub agree_within: Option<f64>,
    /// Looks after the change during which a failure brings the old one back.
    pub probation_looks: u32,
    /// The operator takes a candidate that disagrees. One that fails is refused all the same.
    pub force: bool,
}

impl Default for SwapTerms {
    fn default() -> Self {
        Self {
            shadow_looks: 10,
            agree_within: None,
            probation_looks: 50,
            force: false,
        }
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum SwapEvent {
    /// It decides from the next look on.
    Accepted {
        /// Its name.
        name: String,
        /// Largest difference to the running policy while it looked on.
        difference: f64,
    },
    /// The running policy goes on.
    Refused {
        /// Name of the candidate.
        name: String,
        /// Why.
        reason: String,
    },
    /// It took over and then failed: the old one decides again.
    RolledBack {
        /// Name of what failed.
        name: String,
        /// How.
        reason: String,
    },
    /// Its probation is over, the old one is gone.
    Settled {
        /// Its name.
        name: String,
    },
}

struct Trial {
    policy: Box<dyn Policy>,
    terms: SwapTerms,
    looks: u32,
    difference: f64,
}

enum Change {
    /// Nothing is to be changed.
    Settled,
    /// A candidate looks on.
    Trial(Trial),
    /// The policy before this one, and for how many looks it still stands by.
    Probation(Box<dyn Policy>, u32),
}

/// The running policy and, while it is being replaced, one more.
pub struct PolicySlot {
    running: Box<dyn Policy>,
    change: Change,
    seed: u64,
    events: Vec<SwapEvent>,
}

impl PolicySlot {
    /// A slot in which nothing is being replaced.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>) -> Self {
        Self {
            running: policy,
            change: Change::Settled,
            seed: 0,
            events: Vec::new(),
        }
    }

    /// Whether a candidate can be offered: one change at a time.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.change, Change::Settled)
    }

    /// Offers a candidate. It is reset to the running episode, of which it has missed the beginning.
    ///
    /// # Errors
    /// The candidate, if another change is under way.
    pub fn offer(
        &mut self,
        mut policy: Box<dyn Policy>,
        terms: SwapTerms,
    ) -> Result<(), Box<dyn Policy>> {
        if !self.is_settled() {
            return Err(policy);
        }
        policy.reset(self.seed);
        self.change = Change::Trial(Trial {
            policy,
            terms,
            looks: 0,
            difference: 0.0,
        });
        Ok(())
    }

    /// Lets the candidate, if there is one, look at what `chunk` was made for. Call it once the chunk is on its
    /// way: a slow candidate then delays nobody.
    pub fn shadow(&mut self, observation: &Observation, chunk: &ActionChunk) {
        let Change::Trial(trial) = &mut self.change else {
            return;
        };
        let verdict = trial.look(observation, chunk);
        if verdict == Ok(false) {
            return;
        }
        let Change::Trial(trial) = std::mem::replace(&mut self.change, Change::Settled) else {
            return;
        };
        let name = trial.policy.name().to_owned();
        match verdict {
            Ok(_) => {
                let old = std::mem::replace(&mut self.running, trial.policy);
                if trial.terms.probation_looks > 0 {
                    self.change = Change::Probation(old, trial.terms.probation_looks);
                }
                let difference = trial.difference;
                self.events.push(SwapEvent::Accepted { name, difference });
            }
            Err(reason) => self.events.push(SwapEvent::Refused { name, reason }),
        }
    }

    /// What happened since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<SwapEvent> {
        std::mem::take(&mut self.events)
    }

    /// One look of the running policy is over.
    fn probation(&mut self) {
        if let Change::Probation(_, looks) = &mut self.change {
            *looks -= 1;
            if *looks == 0 {
                self.change = Change::Settled;
                let name = self.running.name().to_owned();
                self.events.push(SwapEvent::Settled { name });
            }
        }
    }
}

impl Policy for PolicySlot {
    fn name(&self) -> &str {
        self.running.name()
    }

    fn reset(&mut self, seed: u64) {
        self.seed = seed;
        self.running.reset(seed);
        match &mut self.change {
            Change::Settled => {}
            Change::Trial(trial) => trial.policy.reset(seed),
            Change::Probation(old, _) => old.reset(seed),
        }
    }

    /// The running policy's chunk. If it fails on probation, the old one's, for the same observation; an
    /// observation that is refused is nobody's failure.
    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        if !matches!(self.change, Change::Probation(..)) {
            // Whatever it gives: the controller refuses and counts what is not finite.
            return self.running.act(observation);
        }
        let result = finite(self.running.as_mut(), observation);
        let reason = match &result {
            Ok(_) => {
                self.probation();
                return result;
            }
            Err(PolicyError::BadObservation { .. }) => return result,
            Err(error) => error.to_string(),
        };
        let Change::Probation(old, _) = std::mem::replace(&mut self.change, Change::Settled) else {
            return result;
        };
        let name = std::mem::replace(&mut self.running, old).name().to_owned();
        self.events.push(SwapEvent::RolledBack { name, reason });
        // It saw nothing while it stood by.
        self.running.reset(self.seed);
        self.running.act(observation)
    }

    fn tally(&self) -> Tally {
        self.running.tally()
    }
}

impl Trial {
    /// One look; whether it was the last one that was missing.
    fn look(&mut self, observation: &Observation, running: &ActionChunk) -> Result<bool, String> {
        let chunk = finite(self.policy.as_mut(), observation).map_err(|error| {
            format!(
                "in look {} beside the running policy: {error}",
                self.looks + 1
            )
        })?;
        let difference = difference(&chunk, running);
        self.difference = self.difference.max(difference);
        if let (Some(most), false) = (self.terms.agree_within, self.terms.force)
            && difference > most
        {
            return Err(format!(
                "its chunk differs from the running policy's by {difference:.4}, at most {most} was asked for"
            ));
        }
        self.looks += 1;
        Ok(self.looks >= self.terms.shadow_looks)
    }
}

fn finite(policy: &mut dyn Policy, observation: &Observation) -> Result<ActionChunk, PolicyError> {
    let chunk = policy.act(observation)?;
    match chunk
        .actions()
        .iter()
        .position(|action| !action.is_finite())
    {
        Some(index) => Err(PolicyError::NonFinite { index }),
        None => Ok(chunk),
    }
}

/// Largest difference of two chunks' numbers; infinite if they are not of one kind.
fn difference(a: &ActionChunk, b: &ActionChunk) -> f64 {
    if a.dt != b.dt || a.actions().len() != b.actions().len() {
        return f64::INFINITY;
    }
    let pairs = a.actions().iter().zip(b.actions());
    pairs.fold(0.0_f64, |most, (a, b)| {
        let moved = (a.translation - b.translation).amax();
        let turned = (a.rotation - b.rotation).amax();
        most.max(moved)
            .max(turned)
            .max((a.gripper - b.gripper).abs())
    })
}

impl std::fmt::Debug for PolicySlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let change = match &self.change {
            Change::Settled => "settled",
            Change::Trial(_) => "trial",
            Change::Probation(..) => "probation",
        };
        f.debug_struct("PolicySlot")
            .field("running", &self.running.name())
            .field("change", &change)
            .finish_non_exhaustive()
    }
}
