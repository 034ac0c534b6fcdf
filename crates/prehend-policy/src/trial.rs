//! Lets a candidate look on beside the running policy, each look on a thread of its own, so that neither a slow
//! look, nor a panic, nor a look without end holds up whoever decides.
//!
//! A look that does not end cannot be ended: its thread, with the candidate, is left behind, and takes its
//! share of the processor. A candidate that ends the process ends everything.

use std::any::Any;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prehend_types::{ActionChunk, Observation, Policy, PolicyError};

use crate::slot::SwapTerms;

/// A candidate that looks on.
pub(crate) struct Trial {
    name: String,
    terms: SwapTerms,
    looks: u32,
    difference: f64,
    /// The seed that it has to be reset to before its next look.
    seed: Option<u64>,
    candidate: Candidate,
}

enum Candidate {
    Waits(Box<dyn Policy>),
    Looks(Box<Look>),
    /// Decided.
    Gone,
}

/// One look that is under way.
struct Look {
    thread: JoinHandle<Looked>,
    running: ActionChunk,
    begun: Instant,
}

/// What a look's thread gives back.
struct Looked {
    policy: Box<dyn Policy>,
    result: Result<ActionChunk, PolicyError>,
    took: Duration,
}

/// A candidate that passed.
pub(crate) struct Passed {
    pub policy: Box<dyn Policy>,
    /// Largest difference to the running policy.
    pub difference: f64,
    /// How long the running policy's last chunk is executed: a look must not take longer.
    pub limit: Duration,
}

impl Trial {
    pub fn new(policy: Box<dyn Policy>, terms: SwapTerms, seed: u64) -> Self {
        Self {
            name: policy.name().to_owned(),
            terms,
            looks: 0,
            difference: 0.0,
            seed: Some(seed),
            candidate: Candidate::Waits(policy),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn terms(&self) -> &SwapTerms {
        &self.terms
    }

    pub fn is_looking(&self) -> bool {
        matches!(&self.candidate, Candidate::Looks(look) if !look.thread.is_finished())
    }

    /// A new episode begins with its next look.
    pub fn reset(&mut self, seed: u64) {
        self.seed = Some(seed);
    }

    /// Begins a look, unless one is under way.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn show(&mut self, observation: &Observation, running: &ActionChunk) -> Result<(), String> {
        let mut policy = match std::mem::replace(&mut self.candidate, Candidate::Gone) {
            Candidate::Waits(policy) => policy,
            other => {
                self.candidate = other;
                return Ok(());
            }
        };
        let (seed, observation) = (self.seed.take(), observation.clone());
        let look = move || {
            let begun = Instant::now();
            if let Some(seed) = seed {
                policy.reset(seed);
            }
            let result = finite(policy.as_mut(), &observation);
            Looked {
                took: begun.elapsed(),
                policy,
                result,
            }
        };
        let thread = std::thread::Builder::new().name("policy-candidate".to_owned());
        let thread = (thread.spawn(look))
            .map_err(|error| format!("the system refused a thread for it: {error}"))?;
        self.candidate = Candidate::Looks(Box::new(Look {
            thread,
            running: running.clone(),
            begun: Instant::now(),
        }));
        Ok(())
    }

    /// What is decided, if it is. Never waits.
    pub fn verdict(&mut self) -> Option<Result<Passed, String>> {
        match std::mem::replace(&mut self.candidate, Candidate::Gone) {
            Candidate::Looks(look) if look.thread.is_finished() => self.judge(*look).transpose(),
            Candidate::Looks(look) if look.begun.elapsed() > executed(&look.running) => {
                let limit = executed(&look.running);
                let reason = format!("no answer yet, a chunk is executed for {limit:.1?}");
                Some(Err(self.in_this_look(&reason)))
            }
            other => {
                self.candidate = other;
                None
            }
        }
    }

    /// Judges a look that is over; whether it was the last one that was missing.
    fn judge(&mut self, look: Look) -> Result<Option<Passed>, String> {
        let Looked {
            policy,
            result,
            took,
        } = (look.thread.join()).map_err(|panic| {
            self.in_this_look(&format!("it panicked: {}", said(panic.as_ref())))
        })?;
        let chunk = result.map_err(|error| self.in_this_look(&error.to_string()))?;
        let limit = executed(&look.running);
        if took > limit {
            let reason = format!("it took {took:.1?}, a chunk is executed for {limit:.1?}");
            return Err(self.in_this_look(&reason));
        }
        let difference = difference(&chunk, &look.running);
        self.difference = self.difference.max(difference);
        if let (Some(most), false) = (self.terms.agree_within, self.terms.force)
            && difference > most
        {
            return Err(format!(
                "its chunk differs from the running policy's by {difference:.4}, at most {most} was asked for"
            ));
        }
        self.looks += 1;
        if self.looks < self.terms.shadow_looks {
            self.candidate = Candidate::Waits(policy);
            return Ok(None);
        }
        Ok(Some(Passed {
            policy,
            difference: self.difference,
            limit,
        }))
    }

    fn in_this_look(&self, reason: &str) -> String {
        let number = self.looks + 1;
        format!("in look {number} beside the running policy: {reason}")
    }
}

/// How long a chunk is meant to be executed.
fn executed(chunk: &ActionChunk) -> Duration {
    let n = u32::try_from(chunk.n_action_steps).unwrap_or(u32::MAX);
    chunk.dt.saturating_mul(n)
}

/// The words of a panic, if it has any.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}

pub(crate) fn finite(
    policy: &mut dyn Policy,
    observation: &Observation,
) -> Result<ActionChunk, PolicyError> {
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
