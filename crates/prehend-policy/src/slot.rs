//! Holds the policy that decides, and replaces it while it runs: a candidate first looks on, then takes over
//! between two chunks, and for a while the old one stands by.
//!
//! Nothing here loads or waits: what is offered is loaded, checked against its golden outputs and warmed up,
//! and looks on in a [`Trial`], on threads of its own. That the motion stays smooth over the change is the controller's work, which anchors every
//! chunk at the commanded pose and fades it in, whoever made it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use prehend_types::{ActionChunk, Observation, Policy, PolicyError, Tally};
use serde::{Deserialize, Serialize};

use crate::trial::{Passed, Trial, finite, said};

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

enum Change {
    /// Nothing is to be changed.
    Settled,
    /// A candidate looks on.
    Trial(Box<Trial>),
    /// The one before stands by.
    Probation(Probation),
}

struct Probation {
    old: Box<dyn Policy>,
    was_first: bool,
    looks_left: u32,
    /// Longest look: the executed part of the old one's last chunk.
    limit: Duration,
}

/// The running policy and, while it is being replaced, one more.
pub struct PolicySlot {
    running: Box<dyn Policy>,
    is_first: bool,
    change: Change,
    seed: u64,
    /// What policies counted in this episode that decide no more.
    spent: Tally,
    events: Vec<SwapEvent>,
}

impl PolicySlot {
    /// A slot in which nothing is being replaced.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>) -> Self {
        Self {
            running: policy,
            is_first: true,
            change: Change::Settled,
            seed: 0,
            spent: Tally::new(),
            events: Vec::new(),
        }
    }

    /// Whether the policy decides that it began with.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether a candidate can be offered: one change at a time.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.change, Change::Settled)
    }

    /// Whether a candidate is looking at something now.
    #[must_use]
    pub fn is_candidate_looking(&self) -> bool {
        matches!(&self.change, Change::Trial(trial) if trial.is_looking())
    }

    /// Offers a candidate. It is reset to the running episode, of which it has missed the beginning.
    ///
    /// # Errors
    /// The candidate, if another change is under way.
    pub fn offer(
        &mut self,
        policy: Box<dyn Policy>,
        terms: SwapTerms,
    ) -> Result<(), Box<dyn Policy>> {
        if !self.is_settled() {
            return Err(policy);
        }
        self.change = Change::Trial(Box::new(Trial::new(policy, terms, self.seed)));
        Ok(())
    }

    /// Lets the candidate, if there is one and it is not looking already, look at what `chunk` was made for.
    /// Call it once the chunk is on its way. It does not wait for the candidate: what comes of the look is
    /// seen by the next [`Self::take_events`].
    pub fn shadow(&mut self, observation: &Observation, chunk: &ActionChunk) {
        self.follow_trial();
        if let Change::Trial(trial) = &mut self.change
            && let Err(reason) = trial.show(observation, chunk)
        {
            self.end_trial(Err(reason));
        }
    }

    /// What happened since the last call, oldest first. Between looks of the running policy this is the moment
    /// at which a candidate takes over or is refused.
    pub fn take_events(&mut self) -> Vec<SwapEvent> {
        self.follow_trial();
        std::mem::take(&mut self.events)
    }

    fn follow_trial(&mut self) {
        if let Change::Trial(trial) = &mut self.change
            && let Some(verdict) = trial.verdict()
        {
            self.end_trial(verdict);
        }
    }

    fn end_trial(&mut self, verdict: Result<Passed, String>) {
        let Change::Trial(trial) = std::mem::replace(&mut self.change, Change::Settled) else {
            return;
        };
        let name = trial.name().to_owned();
        let passed = match verdict {
            Ok(passed) => passed,
            Err(reason) => return self.events.push(SwapEvent::Refused { name, reason }),
        };
        let old = self.replace_running(passed.policy);
        let was_first = std::mem::replace(&mut self.is_first, false);
        let looks_left = trial.terms().probation_looks;
        if looks_left > 0 {
            self.change = Change::Probation(Probation {
                old,
                was_first,
                looks_left,
                limit: passed.limit,
            });
        }
        let difference = passed.difference;
        self.events.push(SwapEvent::Accepted { name, difference });
    }

    /// Puts a policy in the place of the running one, whose count is kept.
    fn replace_running(&mut self, policy: Box<dyn Policy>) -> Box<dyn Policy> {
        add(&mut self.spent, &self.running.tally());
        std::mem::replace(&mut self.running, policy)
    }

    /// One look of the running policy is over.
    fn probation(&mut self) {
        if let Change::Probation(probation) = &mut self.change {
            probation.looks_left -= 1;
            if probation.looks_left == 0 {
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
        self.spent.clear();
        self.running.reset(seed);
        match &mut self.change {
            Change::Settled => {}
            Change::Trial(trial) => trial.reset(seed),
            Change::Probation(probation) => probation.old.reset(seed),
        }
    }

    /// The running policy's chunk. If on probation it fails, panics, or takes longer than the executed part of
    /// a chunk, the old one's, for the same observation; an observation that is refused is nobody's failure.
    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        let Change::Probation(probation) = &self.change else {
            // Whatever it gives: the controller refuses and counts what is not finite.
            return self.running.act(observation);
        };
        let (limit, begun) = (probation.limit, Instant::now());
        let running = self.running.as_mut();
        // It is not looked at again if it panics.
        let result = catch_unwind(AssertUnwindSafe(|| finite(running, observation)));
        let took = begun.elapsed();
        let reason = match result {
            Err(panic) => format!("it panicked: {}", said(panic.as_ref())),
            Ok(Err(error @ PolicyError::BadObservation { .. })) => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(_)) if took > limit => {
                format!("it took {took:.1?}, a chunk is executed for {limit:.1?}")
            }
            Ok(Ok(chunk)) => {
                self.probation();
                return Ok(chunk);
            }
        };
        if let Change::Probation(probation) = std::mem::replace(&mut self.change, Change::Settled) {
            let name = self.replace_running(probation.old).name().to_owned();
            self.is_first = probation.was_first;
            self.events.push(SwapEvent::RolledBack { name, reason });
            // It saw nothing while it stood by.
            self.running.reset(self.seed);
        }
        self.running.act(observation)
    }

    fn tally(&self) -> Tally {
        let mut tally = self.running.tally();
        add(&mut tally, &self.spent);
        tally
    }
}

fn add(sum: &mut Tally, more: &Tally) {
    for (name, n) in more {
        *sum.entry(name).or_default() += n;
    }
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
