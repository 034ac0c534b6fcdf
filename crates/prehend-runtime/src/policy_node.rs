//! Turns clouds and states into action chunks, one each time the executed part of the last one ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prehend_link::messages::{
    ActionChunk, EpisodeEvent, EventKind, Inquiry, InquiryKind, PointCloud2, RobotStatus,
};
use prehend_link::{Latest, Link, LinkCounts, LinkError, Publisher, Queue, Received};
use prehend_policy::PolicySlot;
use prehend_robot::Robot;
use prehend_types::{Commitment, Observation, Policy, Stamp, Stream, Tally, derive_seed};
use serde::{Deserialize, Serialize};

use crate::history::StateHistory;
use crate::latency::Times;
use crate::live::Live;
use crate::recording::{PolicyRecorder, RecordReport, Recording};
use crate::refiner::{Refine, RefineReport, Refiner};
use crate::swap::{self, PolicySource, Swaps};
use crate::{Millis, NodeHandle, NodeKind, RuntimeError, Stop};

/// Unread states that are kept: five seconds.
const STATUS_QUEUE: usize = 1024;
const EVENT_QUEUE: usize = 64;
/// Longest wait for a cloud before the node looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(20);
/// The same while a better answer may come.
const EAGERNESS: Duration = Duration::from_millis(1);
/// How often a node that missed the start of an episode asks for it.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// What a policy node did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PolicyReport {
    /// Name of the policy.
    pub policy: String,
    /// What really computes.
    pub provider: String,
    /// Clouds that were looked at.
    pub clouds: u64,
    /// Chunks that were sent.
    pub chunks: u64,
    /// Clouds that were left out because the running chunk had not been executed yet.
    pub not_due: u64,
    /// Clouds without a state of the same moment.
    pub unmatched: u64,
    /// Clouds outside of any episode.
    pub outside_episode: u64,
    /// Clouds, observations or chunks that were refused, and failed inferences: nothing was sent.
    pub errors: u64,
    /// The last of these errors.
    pub last_error: Option<String>,
    /// From the cloud's stamp until it was decoded.
    pub cloud_age_ms: Millis,
    /// From there until the observation was complete.
    pub observe_ms: Millis,
    /// The policy itself: observation to checked chunk.
    pub act_ms: Millis,
    /// Encoding and sending the chunk.
    pub publish_ms: Millis,
    /// From the cloud's stamp until the chunk was sent.
    pub total_ms: Millis,
    /// What the policy counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tally: BTreeMap<String, u64>,
    /// The policy that improves on its answers; `null` without one.
    #[serde(default)]
    pub refined: Option<RefineReport>,
    /// The link's account of the clouds.
    pub cloud_link: LinkCounts,
    /// The recording of the policy, once it has ended; `null` if nobody asked for one.
    #[serde(default)]
    pub recording: Option<RecordReport>,
}

/// A policy with what reports say about it.
pub struct NamedPolicy {
    /// The policy.
    pub policy: Box<dyn Policy>,
    /// What computes it, for reports.
    pub provider: String,
}

/// All that a policy node decides with.
pub struct PolicySet {
    /// What answers, in time.
    pub policy: NamedPolicy,
    /// What improves on its answers, if there is time.
    pub refine: Option<Refine>,
    /// Where another policy comes from while it runs; without, it keeps the one that it has.
    pub source: Option<PolicySource>,
}

impl From<NamedPolicy> for PolicySet {
    fn from(policy: NamedPolicy) -> Self {
        Self {
            policy,
            refine: None,
            source: None,
        }
    }
}

/// The node that decides.
#[derive(Debug)]
pub struct PolicyNode;

impl PolicyNode {
    /// Declares the topics and starts the node. `lead` is how much before the end of the executed part
    /// of a chunk a cloud may have been taken to be used for the next.
    ///
    /// # Errors
    /// [`RuntimeError::Link`], [`RuntimeError::Thread`].
    pub fn spawn(
        policies: impl Into<PolicySet>,
        robot: &Arc<Robot>,
        lead: Duration,
        link: &Link,
    ) -> Result<NodeHandle<PolicyReport>, RuntimeError> {
        Self::spawn_live(policies.into(), robot, lead, link, Live::default(), None)
    }

    /// As [`Self::spawn`], with a report that can be looked at meanwhile, for a policy that is recorded if that
    /// is wanted, and may be replaced if it is not.
    pub(crate) fn spawn_live(
        policies: PolicySet,
        robot: &Arc<Robot>,
        lead: Duration,
        link: &Link,
        live: Live<PolicyReport>,
        recording: Option<&Recording>,
    ) -> Result<NodeHandle<PolicyReport>, RuntimeError> {
        let PolicySet {
            policy,
            refine,
            source,
        } = policies;
        let report = PolicyReport {
            policy: policy.policy.name().to_owned(),
            provider: policy.provider,
            ..PolicyReport::default()
        };
        live.set(report.clone());
        let mut worker = Worker {
            robot: Arc::clone(robot),
            name: link.robot().to_owned(),
            lead,
            clouds: link.latest()?,
            statuses: link.queue(STATUS_QUEUE)?,
            events: link.queue(EVENT_QUEUE)?,
            chunks: link.publisher()?,
            inquiries: link.publisher()?,
            history: StateHistory::default(),
            episode: None,
            asked: None,
            commitment: Commitment::default(),
            report,
            policy: PolicySlot::new(policy.policy),
            refiner: refine.map(Refiner::spawn).transpose()?,
            swaps: Swaps::new(swap::offered(source, recording.is_some()), link)?,
            times: Default::default(),
            live,
            recorder: recording.map(PolicyRecorder::spawn).transpose()?,
        };
        NodeHandle::spawn(NodeKind::Policy, move |stop| worker.run(&stop))
    }
}

/// Times of one chunk's way through the node.
#[derive(Debug, Default)]
struct Stages {
    cloud_age: Times,
    observe: Times,
    act: Times,
    publish: Times,
    total: Times,
}

struct Worker {
    policy: PolicySlot,
    /// Improves on the policy that the node began with: one that took its place may be meant to do something else.
    refiner: Option<Refiner>,
    swaps: Swaps,
    robot: Arc<Robot>,
    /// Whose arm it is.
    name: String,
    lead: Duration,
    clouds: Latest<PointCloud2>,
    statuses: Queue<RobotStatus>,
    events: Queue<EpisodeEvent>,
    chunks: Publisher<ActionChunk>,
    inquiries: Publisher<Inquiry>,
    history: StateHistory,
    /// Epoch of the episode that runs; `None` before the first, and between two.
    episode: Option<u64>,
    /// When the driver was last asked which episode runs.
    asked: Option<Instant>,
    /// What was sent, and how long that took.
    commitment: Commitment,
    times: Stages,
    report: PolicyReport,
    live: Live<PolicyReport>,
    recorder: Option<PolicyRecorder>,
}

impl Worker {
    fn run(&mut self, stop: &Stop) -> Result<PolicyReport, RuntimeError> {
        while !stop.is_set() {
            let now = Stamp::now();
            let refiner = self.refiner.as_ref();
            let is_eager = refiner.is_some_and(|refiner| refiner.is_awaited(now));
            let cloud = self
                .clouds
                .wait(if is_eager { EAGERNESS } else { PATIENCE });
            self.follow_episodes();
            self.remember_states();
            self.swaps.step(&mut self.policy, &mut self.report)?;
            self.refine()?;
            if let Some(cloud) = cloud {
                self.look_at(&cloud)?;
                self.live.set(self.snapshot());
            } else if self.episode.is_none() && self.report.chunks == 0 {
                self.ask_for_episode()?;
            }
        }
        self.report.recording = self.recorder.take().map(PolicyRecorder::join);
        Ok(self.snapshot())
    }

    /// Who starts late, or was away for a while, has missed the event; asking twice does no harm.
    fn ask_for_episode(&mut self) -> Result<(), RuntimeError> {
        if self.asked.is_none_or(|at| at.elapsed() > ASK_AGAIN) {
            self.asked = Some(Instant::now());
            let kind = InquiryKind::Repeat;
            self.inquiries.send(&Inquiry { kind })?;
        }
        Ok(())
    }

    fn follow_episodes(&mut self) {
        while let Some(received) = self.events.take() {
            let event = received.message;
            match event.kind {
                EventKind::Started if self.episode != Some(event.epoch) => {
                    add(&mut self.report.tally, &self.policy.tally());
                    let seed = derive_seed(event.seed, Stream::Policy, 0);
                    self.policy.reset(seed);
                    if let Some(refiner) = &mut self.refiner {
                        refiner.reset(seed);
                    }
                    if let Some(recorder) = &mut self.recorder {
                        recorder.reset(seed);
                    }
                    self.episode = Some(event.epoch);
                    self.commitment.clear();
                }
                EventKind::Started | EventKind::Refused | EventKind::AtFault => {}
                EventKind::Succeeded | EventKind::Failed | EventKind::Aborted => {
                    self.episode = self.episode.filter(|epoch| *epoch != event.epoch);
                }
            }
        }
    }

    fn remember_states(&mut self) {
        while let Some(received) = self.statuses.take() {
            if let Some(state) = received.message.state() {
                self.history.push(received.message.epoch, state);
            }
        }
    }

    fn look_at(&mut self, received: &Received<PointCloud2>) -> Result<(), RuntimeError> {
        self.report.clouds += 1;
        let Some(episode) = self.episode else {
            self.report.outside_episode += 1;
            return self.ask_for_episode();
        };
        let stamp = Stamp::from(received.message.header.stamp);
        if stamp < self.commitment.next_look(self.lead) {
            self.report.not_due += 1;
            return Ok(());
        }
        let begun = Stamp::now();
        let Some((epoch, state)) = self.history.at(stamp) else {
            self.report.unmatched += 1;
            return Ok(());
        };
        if epoch != episode {
            self.report.outside_episode += 1;
            return self.ask_for_episode();
        }
        let cloud = match received.message.to_cloud() {
            Ok(cloud) => cloud,
            Err(error) => {
                self.note(&error);
                return Ok(());
            }
        };
        let observation = Observation {
            stamp,
            cloud,
            base_from_tcp: self.robot.forward(&state.q),
            state,
            committed: self.commitment.actions(stamp),
        };
        if let Some(refiner) = &mut self.refiner {
            // A better answer is one to the last look, in the recording too.
            refiner.forget();
        }
        let seen = Stamp::now();
        let outcome = self.policy.act(&observation);
        let decided = Stamp::now();
        if let Some(recorder) = &mut self.recorder {
            recorder.act(observation.clone(), &outcome);
        }
        let chunk = match outcome {
            Ok(chunk) => chunk,
            // The arm holds still when the running chunk ends; the next cloud is another chance.
            Err(error) => {
                self.note(&error);
                return Ok(());
            }
        };
        let act_time = decided.saturating_since(seen);
        let sending = Stamp::now();
        let message = ActionChunk::new(&self.name, epoch, &chunk, act_time);
        match self.chunks.send(&message) {
            Ok(()) => {}
            // Too long, say: as little a chunk as none at all.
            Err(error @ LinkError::Refused(_)) => {
                self.note(&error);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let sent = Stamp::now();
        self.policy.shadow(&observation, &chunk);
        if self.policy.is_first()
            && let Some(refiner) = &mut self.refiner
        {
            refiner.show(epoch, observation);
        }
        // The first look of all is a cold one, and says little about the next.
        if self.report.chunks > 0 {
            self.commitment.took(sent.saturating_since(stamp));
        }
        self.commitment.follow(chunk);
        self.report.chunks += 1;
        let times = &mut self.times;
        times.cloud_age.record(received.at.saturating_since(stamp));
        times.observe.record(seen.saturating_since(begun));
        times.act.record(act_time);
        times.publish.record(sent.saturating_since(sending));
        times.total.record(sent.saturating_since(stamp));
        Ok(())
    }

    /// Sends a better answer to the last look, if there is one.
    fn refine(&mut self) -> Result<(), RuntimeError> {
        let Some(refiner) = &mut self.refiner else {
            return Ok(());
        };
        let Some(refined) = refiner.take(Stamp::now()) else {
            return Ok(());
        };
        if self.episode != Some(refined.epoch) {
            return Ok(());
        }
        let (epoch, chunk) = (refined.epoch, refined.chunk);
        let message = ActionChunk::new(&self.name, epoch, &chunk, refined.took);
        match self.chunks.send(&message) {
            Ok(()) => {}
            Err(error @ LinkError::Refused(_)) => {
                refiner.note(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        refiner.sent(&chunk);
        self.commitment.follow(chunk.clone());
        if let Some(recorder) = &mut self.recorder {
            recorder.refine(chunk);
        }
        Ok(())
    }

    /// Logged at powers of two only.
    fn note(&mut self, error: &dyn std::error::Error) {
        self.report.errors += 1;
        if self.report.errors.is_power_of_two() {
            tracing::warn!(so_far = self.report.errors, %error, "policy: no chunk");
        }
        self.report.last_error = Some(error.to_string());
    }

    fn snapshot(&self) -> PolicyReport {
        let mut tally = self.report.tally.clone();
        add(&mut tally, &self.policy.tally());
        PolicyReport {
            tally,
            cloud_age_ms: self.times.cloud_age.millis(),
            observe_ms: self.times.observe.millis(),
            act_ms: self.times.act.millis(),
            publish_ms: self.times.publish.millis(),
            total_ms: self.times.total.millis(),
            refined: self.refiner.as_ref().map(Refiner::report),
            cloud_link: self.clouds.counts(),
            ..self.report.clone()
        }
    }
}

fn add(sum: &mut BTreeMap<String, u64>, more: &Tally) {
    for (name, n) in more {
        *sum.entry((*name).to_owned()).or_default() += n;
    }
}
