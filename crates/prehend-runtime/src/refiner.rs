//! Asks a slower, better policy what a quick one has answered already, and takes what it says if it says it in time.
//!
//! The quick answer is never waited for: it is on its way before the slower policy is asked, which thinks on a
//! thread of its own. An answer that comes too late, or after the quick one's next, is thrown away. The controller
//! anchors both where the arm was commanded to be when the cloud was taken, and fades the better one in.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use prehend_types::{ActionChunk, Observation, PolicyError, Stamp};
use serde::{Deserialize, Serialize};

use crate::latency::Times;
use crate::policy_node::NamedPolicy;
use crate::{Millis, RuntimeError};

/// A policy that improves on another one's answers.
pub struct Refine {
    /// The policy; what it remembers of one look it must not need for the next, for it is not shown all of them.
    pub policy: NamedPolicy,
    /// How old the cloud may be when its answer is sent.
    pub within: Duration,
}

/// What a policy did that improves on another one's answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RefineReport {
    /// Its name.
    pub policy: String,
    /// What really computes.
    pub provider: String,
    /// Answers that were sent, each after the quick one to the same cloud.
    pub sent: u64,
    /// Answers that came too late, and were not sent.
    pub late: u64,
    /// Looks that it was not asked about, because it still thought about an earlier one.
    pub busy: u64,
    /// Looks at which it failed.
    pub errors: u64,
    /// The last of these errors.
    pub last_error: Option<String>,
    /// The policy itself: observation to checked chunk.
    pub act_ms: Millis,
    /// From the cloud's stamp until its chunk was sent.
    pub total_ms: Millis,
}

/// An answer in time.
pub(crate) struct Refined {
    pub epoch: u64,
    pub chunk: ActionChunk,
    pub took: Duration,
}

/// One thing that the thread is asked.
enum Asked {
    Reset(u64),
    Look(Box<Observation>),
}

struct Answer {
    outcome: Result<ActionChunk, PolicyError>,
    took: Duration,
}

/// The look that it thinks about.
struct Pending {
    epoch: u64,
    stamp: Stamp,
    is_wanted: bool,
}

pub(crate) struct Refiner {
    within: Duration,
    asked: SyncSender<Asked>,
    answers: Receiver<Answer>,
    pending: Option<Pending>,
    /// Of the episode that it has to be told of.
    seed: Option<u64>,
    act: Times,
    total: Times,
    report: RefineReport,
}

impl Refiner {
    pub fn spawn(refine: Refine) -> Result<Self, RuntimeError> {
        let NamedPolicy {
            mut policy,
            provider,
        } = refine.policy;
        let report = RefineReport {
            policy: policy.name().to_owned(),
            provider,
            ..RefineReport::default()
        };
        // Room for a reset and the look after it: nothing more is asked before the answer.
        let (asked, asks) = sync_channel(2);
        let (answer, answers) = sync_channel(1);
        let think = move || {
            for asked in asks {
                match asked {
                    Asked::Reset(seed) => policy.reset(seed),
                    Asked::Look(observation) => {
                        let begun = Stamp::now();
                        let outcome = policy.act(&observation);
                        let took = Stamp::now().saturating_since(begun);
                        if answer.send(Answer { outcome, took }).is_err() {
                            return;
                        }
                    }
                }
            }
        };
        let name = "policy-refiner";
        let thread = std::thread::Builder::new().name(name.to_owned());
        // It ends when nobody can ask it any more; a look that never ends holds nobody up.
        let spawned = thread.spawn(think);
        spawned.map_err(|source| RuntimeError::Thread { name, source })?;
        Ok(Self {
            within: refine.within,
            asked,
            answers,
            pending: None,
            seed: None,
            act: Times::default(),
            total: Times::default(),
            report,
        })
    }

    /// A new episode begins with its next look.
    pub fn reset(&mut self, seed: u64) {
        self.seed = Some(seed);
        self.forget();
    }

    /// Whether an answer may still come that is of use.
    pub fn is_awaited(&self, now: Stamp) -> bool {
        let is_in_time = |pending: &Pending| now.saturating_since(pending.stamp) <= self.within;
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| pending.is_wanted && is_in_time(pending))
    }

    /// The quick answer to this look is on its way.
    pub fn show(&mut self, epoch: u64, observation: Observation) {
        if self.pending.is_some() {
            // What it says would be older than what the arm follows.
            self.forget();
            self.report.busy += 1;
            return;
        }
        self.pending = Some(Pending {
            epoch,
            stamp: observation.stamp,
            is_wanted: true,
        });
        let reset = self.seed.take().map(Asked::Reset);
        for asked in reset
            .into_iter()
            .chain([Asked::Look(Box::new(observation))])
        {
            // Only a thread that is gone has no room; then no answer comes either.
            let _ = self.asked.try_send(asked);
        }
    }

    /// What it still says is of no use.
    pub fn forget(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.is_wanted = false;
        }
    }

    /// Its answer, if there is one and it is in time. Never waits.
    pub fn take(&mut self, now: Stamp) -> Option<Refined> {
        let answer = match self.answers.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                if self.pending.take().is_some() {
                    self.note("it panicked; the quick policy goes on alone".to_owned());
                }
                return None;
            }
        };
        let pending = self.pending.take()?;
        self.act.record(answer.took);
        let chunk = match answer.outcome {
            Ok(chunk) => chunk,
            Err(error) => {
                self.note(error.to_string());
                return None;
            }
        };
        if !pending.is_wanted || now.saturating_since(pending.stamp) > self.within {
            self.report.late += 1;
            return None;
        }
        Some(Refined {
            epoch: pending.epoch,
            chunk,
            took: answer.took,
        })
    }

    /// Its answer was sent.
    pub fn sent(&mut self, chunk: &ActionChunk) {
        self.report.sent += 1;
        self.total
            .record(Stamp::now().saturating_since(chunk.start));
    }

    /// Logged at powers of two only.
    pub fn note(&mut self, error: String) {
        self.report.errors += 1;
        if self.report.errors.is_power_of_two() {
            tracing::warn!(so_far = self.report.errors, error, "policy: not refined");
        }
        self.report.last_error = Some(error);
    }

    pub fn report(&self) -> RefineReport {
        RefineReport {
            act_ms: self.act.millis(),
            total_ms: self.total.millis(),
            ..self.report.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use prehend_types::{Action, Policy};

    use super::*;

    /// Answers after it is let, with its count of looks since it was reset; panics at the third.
    struct Slow {
        seed: u64,
        looks: u64,
        let_go: Receiver<()>,
    }

    impl Policy for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn reset(&mut self, seed: u64) {
            self.seed = seed;
            self.looks = 0;
        }

        fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
            self.looks += 1;
            let _ = self.let_go.recv();
            assert!(self.looks < 3, "enough");
            let said = Action::hold(0.01 * (self.seed * 10 + self.looks) as f64);
            let chunk =
                ActionChunk::new(observation.stamp, Duration::from_millis(50), 4, &[said; 8]);
            chunk.map_err(|error| PolicyError::Inference {
                reason: error.to_string(),
            })
        }
    }

    fn slow(within: Duration) -> (Refiner, SyncSender<()>) {
        let (let_go, waits) = sync_channel(8);
        let policy = Box::new(Slow {
            seed: 0,
            looks: 0,
            let_go: waits,
        });
        let refiner = Refiner::spawn(Refine {
            policy: NamedPolicy {
                policy,
                provider: "test".to_owned(),
            },
            within,
        });
        (refiner.expect("starts"), let_go)
    }

    fn seen(millis: u64) -> Observation {
        Observation {
            stamp: Stamp::from_nanos(millis * 1_000_000),
            cloud: prehend_types::PointCloud {
                stamp: Stamp::from_nanos(millis * 1_000_000),
                frame: "base".to_owned(),
                points: Vec::new(),
                roles: Vec::new(),
            },
            state: prehend_types::RobotState {
                stamp: Stamp::from_nanos(millis * 1_000_000),
                q: prehend_types::JointPositions::zeros(7).expect("fits"),
                dq: prehend_types::JointVelocities::zeros(7).expect("fits"),
                gripper: prehend_types::GripperState {
                    width: 0.0,
                    commanded: 0.0,
                    is_grasping: false,
                },
            },
            base_from_tcp: prehend_types::Pose::identity(),
            committed: prehend_types::Actions::new(),
        }
    }

    /// What comes of the look that is under way, were it now so many milliseconds after the start.
    fn comes_of(refiner: &mut Refiner, millis: u64) -> Option<Refined> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while refiner.pending.is_some() {
            assert!(Instant::now() < deadline, "no answer");
            let refined = refiner.take(Stamp::from_nanos(millis * 1_000_000));
            if refined.is_some() {
                return refined;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    #[test]
    fn an_answer_counts_if_it_is_in_time_and_nothing_newer_was_said() {
        let (mut refiner, let_go) = slow(Duration::from_millis(40));
        refiner.reset(3);
        refiner.show(7, seen(1000));
        assert!(refiner.take(Stamp::from_nanos(1)).is_none(), "it thinks");
        let at = |millis: u64| Stamp::from_nanos(millis * 1_000_000);
        assert!(refiner.is_awaited(at(1040)));
        assert!(
            !refiner.is_awaited(at(1041)),
            "whoever waits on, waits for nothing"
        );
        let_go.send(()).expect("it waits");
        let refined = comes_of(&mut refiner, 1040).expect("in time");
        assert_eq!(refined.epoch, 7);
        assert!((refined.chunk.actions()[0].gripper - 0.31).abs() < 1e-12);
        refiner.sent(&refined.chunk);

        refiner.show(7, seen(1100));
        let_go.send(()).expect("it waits");
        assert!(comes_of(&mut refiner, 1141).is_none(), "a millisecond late");

        // A new episode, and a quick answer to the next look while it still thinks about the one before.
        for overtaken in [false, true] {
            refiner.reset(4);
            refiner.show(8, seen(1200));
            if overtaken {
                refiner.show(8, seen(1300));
            } else {
                refiner.reset(5);
            }
            let_go.send(()).expect("it waits");
            assert!(comes_of(&mut refiner, 1201).is_none(), "nobody wants it");
        }
        let report = refiner.report();
        assert_eq!((report.sent, report.late, report.busy), (1, 3, 1));
        assert_eq!((report.errors, report.act_ms.n), (0, 4));
    }

    #[test]
    fn a_panic_costs_its_answers_and_nothing_else() {
        let (mut refiner, let_go) = slow(Duration::from_secs(1000));
        for look in 1..=4 {
            // Nobody is there to be let go once it panicked.
            let _ = let_go.send(());
            refiner.show(7, seen(1000));
            assert_eq!(comes_of(&mut refiner, 1000).is_some(), look < 3, "{look}");
        }
        let report = refiner.report();
        assert_eq!((report.late, report.errors), (0, 2));
        let error = report.last_error.expect("said");
        assert!(error.contains("panicked"), "{error}");
    }
}
