//! Takes wishes for another policy, loads it on a thread of its own, and says what became of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use prehend_link::messages::{SwapAnswer, SwapRequest, SwapState};
use prehend_link::{Link, LinkError, Publisher, Queue};
use prehend_policy::{PolicySlot, SwapEvent, SwapTerms};
use prehend_types::Policy;

use crate::RuntimeError;
use crate::policy_node::{NamedPolicy, PolicyReport};

const QUEUE: usize = 16;
/// How often a policy node that does not answer is asked.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Loads, checks and warms up the policy of a folder beside the running one's, given its plain name.
pub type PolicySource = Arc<dyn Fn(&str) -> Result<NamedPolicy, RuntimeError> + Send + Sync>;

/// A wish that is being looked after.
struct Wish {
    request: SwapRequest,
    state: SwapState,
    /// What computes the policy before and after it.
    providers: [String; 2],
    /// The loader's result, until it came.
    loading: Option<Receiver<Result<NamedPolicy, RuntimeError>>>,
}

/// Where a node's next policy comes from, or why it keeps the one that it has.
pub(crate) fn offered(
    source: Option<PolicySource>,
    is_recorded: bool,
) -> Result<PolicySource, &'static str> {
    match source {
        Some(_) if is_recorded => Err(
            "this run is recorded, and keeps the one bundle that its recording names; run it without \
             --record to change its policy",
        ),
        Some(source) => Ok(source),
        None => Err("this node was given its policy by a program, not by a launch file"),
    }
}

/// The policy node's side.
pub(crate) struct Swaps {
    /// Where policies come from, or why none does.
    source: Result<PolicySource, &'static str>,
    requests: Queue<SwapRequest>,
    answers: Publisher<SwapAnswer>,
    wish: Option<Wish>,
}

impl Swaps {
    pub fn new(source: Result<PolicySource, &'static str>, link: &Link) -> Result<Self, LinkError> {
        Ok(Self {
            source,
            requests: link.queue(QUEUE)?,
            answers: link.publisher()?,
            wish: None,
        })
    }

    /// Goes on with what there is, without waiting for anything.
    pub fn step(
        &mut self,
        slot: &mut PolicySlot,
        report: &mut PolicyReport,
    ) -> Result<(), LinkError> {
        while let Some(received) = self.requests.take() {
            self.begin(received.message, slot, report)?;
        }
        self.offer(slot)?;
        for event in slot.take_events() {
            slot.name().clone_into(&mut report.policy);
            self.tell(&event, report)?;
        }
        Ok(())
    }

    fn begin(
        &mut self,
        request: SwapRequest,
        slot: &PolicySlot,
        report: &PolicyReport,
    ) -> Result<(), LinkError> {
        if let Some(wish) = self.wish.as_ref().filter(|wish| wish.request == request) {
            // Asked again, because the answer got lost.
            return self.answer(&request.model, wish.state, String::new());
        }
        let is_busy = self.wish.is_some() || !slot.is_settled();
        let refusal = match &self.source {
            _ if is_busy => "another policy is being changed to; ask again when it has settled",
            Err(reason) => reason,
            Ok(source) => match load(source, &request.model) {
                Some(loading) => {
                    self.answer(&request.model, SwapState::Loading, String::new())?;
                    self.wish = Some(Wish {
                        request,
                        state: SwapState::Loading,
                        providers: [report.provider.clone(), String::new()],
                        loading: Some(loading),
                    });
                    return Ok(());
                }
                None => "the system refused a thread to load it on",
            },
        };
        self.answer(&request.model, SwapState::Refused, refusal.to_owned())
    }

    /// Hands what was loaded to the slot.
    fn offer(&mut self, slot: &mut PolicySlot) -> Result<(), LinkError> {
        let Some(wish) = &mut self.wish else {
            return Ok(());
        };
        let Some(loading) = &wish.loading else {
            return Ok(());
        };
        let reason = match loading.try_recv() {
            Err(TryRecvError::Empty) => return Ok(()),
            Ok(Ok(loaded)) => {
                let request = &wish.request;
                let terms = SwapTerms {
                    shadow_looks: request.shadow_looks,
                    agree_within: (request.agree_within > 0.0).then_some(request.agree_within),
                    force: request.force,
                    ..SwapTerms::default()
                };
                match slot.offer(loaded.policy, terms) {
                    Ok(()) => {
                        wish.loading = None;
                        wish.state = SwapState::Shadowing;
                        wish.providers[1] = loaded.provider;
                        let model = request.model.clone();
                        return self.answer(&model, SwapState::Shadowing, String::new());
                    }
                    Err(_) => "another change is under way".to_owned(),
                }
            }
            Ok(Err(error)) => error.to_string(),
            Err(TryRecvError::Disconnected) => "loading it panicked; this is a bug".to_owned(),
        };
        let model = self.wish.take().map(|wish| wish.request.model);
        self.answer(&model.unwrap_or_default(), SwapState::Refused, reason)
    }

    /// Says what the slot did, and keeps the report true.
    fn tell(&mut self, event: &SwapEvent, report: &mut PolicyReport) -> Result<(), LinkError> {
        let Some(wish) = &mut self.wish else {
            return Ok(());
        };
        let model = wish.request.model.clone();
        let [before, after] = wish.providers.clone();
        let (state, counted, detail) = match event {
            SwapEvent::Accepted { difference, .. } => {
                report.provider = after;
                let detail = format!("its chunks differed by {difference:.4} at most");
                (SwapState::Accepted, "swap_accepted", detail)
            }
            SwapEvent::Refused { reason, .. } => {
                (SwapState::Refused, "swap_refused", reason.clone())
            }
            SwapEvent::RolledBack { reason, .. } => {
                report.provider = before;
                (SwapState::RolledBack, "swap_rolled_back", reason.clone())
            }
            SwapEvent::Settled { .. } => (SwapState::Settled, "swap_settled", String::new()),
        };
        *report.tally.entry(counted.to_owned()).or_default() += 1;
        if state == SwapState::Accepted {
            wish.state = state;
        } else {
            self.wish = None;
        }
        self.answer(&model, state, detail)
    }

    fn answer(&self, model: &str, state: SwapState, detail: String) -> Result<(), LinkError> {
        tracing::info!(model, ?state, detail, "policy: change");
        // A message carries no control characters and is short; a reason may quote anything.
        let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
        let detail = detail.chars().take(1000).map(printable).collect();
        let model = model.to_owned();
        self.answers.send(&SwapAnswer {
            model,
            state,
            detail,
        })
    }
}

fn load(source: &PolicySource, model: &str) -> Option<Receiver<Result<NamedPolicy, RuntimeError>>> {
    let (sender, receiver) = sync_channel(1);
    let (source, model) = (Arc::clone(source), model.to_owned());
    // Left behind if the node ends first: nobody waits for what it loads.
    let thread = std::thread::Builder::new().name("policy-loader".to_owned());
    let spawned = thread.spawn(move || _ = sender.send(source(&model)));
    spawned.is_ok().then_some(receiver)
}

/// Asks a policy node for another policy, and waits for what becomes of it. `look` sees every answer.
///
/// # Errors
/// [`RuntimeError::NotReady`] if it does not answer, or not with a decision, within `timeout`;
/// [`RuntimeError::Link`].
pub fn ask_to_swap(
    link: &Link,
    request: &SwapRequest,
    timeout: Duration,
    look: &mut dyn FnMut(&SwapAnswer),
) -> Result<SwapAnswer, RuntimeError> {
    let answers = link.queue::<SwapAnswer>(QUEUE)?;
    let requests = link.publisher::<SwapRequest>()?;
    let begun = Instant::now();
    let not_ready = |what, remedy| RuntimeError::NotReady {
        what,
        seconds: timeout.as_secs_f64(),
        remedy: Cow::Borrowed(remedy),
    };
    while !requests.has_subscriber() {
        if begun.elapsed() >= timeout {
            return Err(not_ready(
                "nobody there takes another policy",
                "is the policy node running, and is it the endpoint that was given?",
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let (mut asked, mut answered) = (None::<Instant>, false);
    while begun.elapsed() < timeout {
        if !answered && asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
            asked = Some(Instant::now());
            requests.send(request)?;
        }
        let Some(received) = answers.wait(Duration::from_millis(50)) else {
            continue;
        };
        let answer = received.message;
        if answer.model != request.model {
            continue;
        }
        answered = true;
        look(&answer);
        if !matches!(answer.state, SwapState::Loading | SwapState::Shadowing) {
            return Ok(answer);
        }
    }
    Err(not_ready(
        "the policy node did not decide",
        "a candidate looks on only while an episode runs",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_keeps_its_policy_says_why() {
        let source = || -> PolicySource { Arc::new(|_| unreachable!("nothing is loaded")) };
        assert!(offered(Some(source()), false).is_ok());
        let reason = |source, is_recorded| offered(source, is_recorded).err().unwrap_or_default();
        assert!(reason(Some(source()), true).contains("recorded"));
        assert!(reason(None, false).contains("by a program"));
    }
}
