//! Turns a range of seeds into episodes: asks the driver for scenes and counts how they end.

use std::time::{Duration, Instant};

use prehend_drivers::WireReport;
use prehend_link::messages::{
    ActionChunk, ControlStatistics, EpisodeEvent, EpisodeRequest, EventKind, Inquiry, InquiryKind,
    Report, RobotStatus, StopReason,
};
use prehend_link::{Latest, Link, Publisher, Queue};
use prehend_types::Stamp;
use serde::{Deserialize, Serialize};

use crate::launch::{Acknowledge, OperatorSection};
use crate::{Outcome, RuntimeError, Stop};

/// How often progress is shown, and the flag to stop is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// A driver that does not answer a request within this time is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);
const EVENT_QUEUE: usize = 256;
/// The mode of a controller at fault, as statistics name it.
const FAULT: &str = "fault";
/// Failure class of an episode whose scene the driver refused.
const NO_SCENE: &str = "no_scene";

/// How one episode went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRecord {
    /// Seed of the scene.
    pub seed: u64,
    /// Family of the object to pick; `null` if there was no scene.
    pub target: Option<String>,
    /// That family is kept out of all training; `null` if there was no scene.
    pub held_out: Option<bool>,
    /// Whether the task was done.
    pub success: bool,
    /// Class of the failure, if it failed.
    pub failure: Option<String>,
    /// From start to end, s.
    pub duration_s: f64,
    /// Why the driver did not follow commands at the end, if it did not.
    pub driver_stop: Option<String>,
}

impl EpisodeRecord {
    /// An episode whose scene the driver could not build.
    fn without_scene(seed: u64) -> Self {
        Self {
            seed,
            target: None,
            held_out: None,
            success: false,
            failure: Some(NO_SCENE.to_owned()),
            duration_s: 0.0,
            driver_stop: None,
        }
    }
}

/// What an operator saw.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OperatorReport {
    /// Finished episodes, in order.
    pub episodes: Vec<EpisodeRecord>,
    /// The driver's own account of the commands it received, if it answered.
    pub wire: Option<WireReport>,
    /// Whether it was asked to stop before all episodes were done.
    pub interrupted: bool,
}

/// A look at a running operator.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperatorProgress {
    /// Episode that runs, counted from 1; 0 while the nodes come alive.
    pub episode: u64,
    /// How many there will be.
    pub episodes: u64,
    /// Seed of the scene.
    pub seed: u64,
    /// Family of the object to pick.
    pub target: String,
    /// That family is kept out of all training.
    pub held_out: bool,
    /// Since the episode started, s.
    pub elapsed_s: f64,
    /// Episodes that succeeded so far.
    pub successes: u64,
    /// Episodes that are over.
    pub finished: u64,
    /// Age of the newest command when the driver last measured, ms.
    pub command_age_ms: Option<f64>,
    /// Why the driver does not follow commands, if it does not.
    pub driver_stop: Option<String>,
    /// Why the controller has not armed this session, if it has not.
    pub not_armed: Option<String>,
}

/// Somebody who looks at an operator's progress a few times per second.
pub type OnProgress<'a> = &'a mut dyn FnMut(&OperatorProgress);

/// Asks for episodes and counts.
#[derive(Debug)]
pub struct Operator {
    section: OperatorSection,
    /// Whose arm it is.
    robot: String,
    requests: Publisher<EpisodeRequest>,
    inquiries: Publisher<Inquiry>,
    events: Queue<EpisodeEvent>,
    statuses: Latest<RobotStatus>,
    chunks: Latest<ActionChunk>,
    reports: Latest<Report>,
    statistics: Latest<ControlStatistics>,
    newest: Option<RobotStatus>,
    /// Whether the controller is at fault, as of its newest statistics.
    is_at_fault: bool,
    progress: OperatorProgress,
    report: OperatorReport,
}

impl Operator {
    /// Declares the topics.
    ///
    /// # Errors
    /// [`RuntimeError::Link`].
    pub fn new(section: &OperatorSection, link: &Link) -> Result<Self, RuntimeError> {
        Ok(Self {
            requests: link.publisher()?,
            inquiries: link.publisher()?,
            events: link.queue(EVENT_QUEUE)?,
            statuses: link.latest()?,
            chunks: link.latest()?,
            reports: link.latest()?,
            statistics: link.latest()?,
            newest: None,
            is_at_fault: false,
            progress: OperatorProgress {
                episodes: section.episodes,
                ..OperatorProgress::default()
            },
            report: OperatorReport::default(),
            section: section.clone(),
            robot: link.robot().to_owned(),
        })
    }

    /// Waits until driver, policy and control work together, then runs every episode. What cuts it short
    /// leaves the finished episodes: [`RuntimeError::NotReady`], [`RuntimeError::Link`].
    pub fn run(mut self, stop: &Stop, look: OnProgress<'_>) -> Outcome<OperatorReport> {
        let ended = self.episodes(stop, look);
        let asked = self.ask_for_report();
        let is_short = (self.report.episodes.len() as u64) < self.section.episodes;
        let error = ended.err().or(asked.err());
        self.report.interrupted = is_short && error.is_none();
        Outcome {
            report: self.report,
            error,
        }
    }

    fn episodes(&mut self, stop: &Stop, look: OnProgress<'_>) -> Result<(), RuntimeError> {
        self.wait_until_ready(stop, look)?;
        for index in 0..self.section.episodes {
            if stop.is_set() {
                break;
            }
            self.progress.episode = index + 1;
            if let Some(record) = self.episode(self.section.seed + index, stop, look)? {
                self.progress.finished += 1;
                self.progress.successes += u64::from(record.success);
                self.report.episodes.push(record);
            }
        }
        Ok(())
    }

    /// The first scene is a rehearsal: a chunk was made for it, and a command followed. Only then does an episode that is counted begin, so that no start-up time counts against a policy.
    fn wait_until_ready(&mut self, stop: &Stop, look: OnProgress<'_>) -> Result<(), RuntimeError> {
        let begun = Instant::now();
        let timeout = Duration::from_secs_f64(self.section.ready_timeout_s);
        let mut asked: Option<Instant> = None;
        let (mut saw_chunk, mut follows) = (false, false);
        while !(stop.is_set() || saw_chunk && follows) {
            // Again after a while: the rehearsal may have run out of time before everybody was there.
            if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN)
                && self.requests.has_subscriber()
            {
                asked = Some(Instant::now());
                let acknowledges = self.section.acknowledge != Acknowledge::Never;
                self.ask(self.section.seed, acknowledges)?;
            }
            self.pause(look);
            self.look_for_faults()?;
            saw_chunk |= self.chunks.take().is_some();
            follows |= self.newest.as_ref().is_some_and(RobotStatus::is_following);
            if begun.elapsed() >= timeout {
                let (what, remedy) = if self.newest.is_none() {
                    ("the driver said nothing", "is the driver running?")
                } else if !saw_chunk {
                    (
                        "the policy sent no chunk",
                        "is the policy running, and does it see clouds?",
                    )
                } else {
                    (
                        "the driver followed no command",
                        "is the control loop running?",
                    )
                };
                return Err(RuntimeError::NotReady {
                    what,
                    seconds: timeout.as_secs_f64(),
                    remedy: match &self.progress.not_armed {
                        Some(reason) => format!("the controller says: {reason}").into(),
                        None => remedy.into(),
                    },
                });
            }
        }
        Ok(())
    }

    /// One episode; `None` if it was interrupted.
    fn episode(
        &mut self,
        seed: u64,
        stop: &Stop,
        look: OnProgress<'_>,
    ) -> Result<Option<EpisodeRecord>, RuntimeError> {
        let started = match self.start(seed, stop, look)? {
            Start::Started(event) => event,
            Start::Refused => return Ok(Some(EpisodeRecord::without_scene(seed))),
            Start::Interrupted => return Ok(None),
        };
        let begun = Instant::now();
        self.progress.target.clone_from(&started.target);
        self.progress.held_out = started.held_out;
        let timeout = Duration::from_secs_f64(self.section.episode_timeout_s);
        let record = |success, failure: Option<String>, duration_s, driver_stop| EpisodeRecord {
            seed,
            target: Some(started.target.clone()),
            held_out: Some(started.held_out),
            success,
            failure,
            duration_s,
            driver_stop,
        };
        loop {
            if stop.is_set() {
                return Ok(None);
            }
            self.progress.elapsed_s = begun.elapsed().as_secs_f64();
            let event = self.next_event(look);
            self.check_controller()?;
            let driver_stop = self.progress.driver_stop.clone();
            // A stop that was left since has given the episode a later session.
            let is_ours = |event: &EpisodeEvent| {
                event.episode == started.episode && event.epoch >= started.epoch
            };
            if let Some(event) = event.filter(is_ours) {
                let end = Stamp::from_nanos(event.stamp_nanos);
                let duration_s = end.seconds_since(Stamp::from_nanos(started.stamp_nanos));
                let (success, failure) = match event.kind {
                    EventKind::Succeeded => (true, None),
                    EventKind::Failed => (false, Some(event.detail)),
                    EventKind::Aborted => (false, Some("aborted".to_owned())),
                    EventKind::Started | EventKind::Refused | EventKind::AtFault => continue,
                };
                return Ok(Some(record(success, failure, duration_s, driver_stop)));
            }
            if begun.elapsed() >= timeout {
                let failure = Some("no_end".to_owned());
                return Ok(Some(record(
                    false,
                    failure,
                    timeout.as_secs_f64(),
                    driver_stop,
                )));
            }
        }
    }

    /// Asks for a scene until it has started or is refused.
    fn start(
        &mut self,
        seed: u64,
        stop: &Stop,
        look: OnProgress<'_>,
    ) -> Result<Start, RuntimeError> {
        self.progress.seed = seed;
        self.progress.elapsed_s = 0.0;
        while self.events.take().is_some() {}
        let before = self.newest.as_ref().map_or(0, |status| status.epoch);
        let timeout = Duration::from_secs_f64(self.section.ready_timeout_s);
        let begun = Instant::now();
        let mut asked: Option<Instant> = None;
        while !stop.is_set() {
            if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
                asked = Some(Instant::now());
                self.ask(seed, self.section.acknowledge == Acknowledge::Always)?;
            }
            match self.next_event(look).filter(|event| event.seed == seed) {
                Some(event) if event.kind == EventKind::Started && event.epoch > before => {
                    return Ok(Start::Started(event));
                }
                Some(event) if event.kind == EventKind::Refused => {
                    tracing::warn!(seed, detail = event.detail, "operator: no scene");
                    return Ok(Start::Refused);
                }
                Some(event) if event.kind == EventKind::AtFault => {
                    return Err(RuntimeError::AtFault {
                        reason: event.detail,
                    });
                }
                _ => {}
            }
            if begun.elapsed() >= timeout {
                return Err(RuntimeError::NotReady {
                    what: "the driver started no new scene",
                    seconds: timeout.as_secs_f64(),
                    remedy: "is the driver running?".into(),
                });
            }
        }
        Ok(Start::Interrupted)
    }

    fn ask(&self, seed: u64, acknowledges: bool) -> Result<(), RuntimeError> {
        let request = EpisodeRequest::reset(&self.robot, seed);
        self.requests.send(&match acknowledges {
            true => request.acknowledging(),
            false => request,
        })?;
        Ok(())
    }

    /// A controller at fault arms no session that does not acknowledge it.
    fn check_controller(&self) -> Result<(), RuntimeError> {
        match &self.progress.not_armed {
            Some(reason) if self.is_at_fault => Err(RuntimeError::AtFault {
                reason: reason.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// What came before the first episode that counts.
    fn look_for_faults(&mut self) -> Result<(), RuntimeError> {
        self.check_controller()?;
        while let Some(received) = self.events.take() {
            let event = received.message;
            if event.kind == EventKind::AtFault {
                return Err(RuntimeError::AtFault {
                    reason: event.detail,
                });
            }
        }
        Ok(())
    }

    fn next_event(&mut self, look: OnProgress<'_>) -> Option<EpisodeEvent> {
        let event = self.events.wait(LOOK).map(|received| received.message);
        self.observe();
        look(&self.progress);
        event
    }

    fn pause(&mut self, look: OnProgress<'_>) {
        std::thread::sleep(LOOK);
        self.observe();
        look(&self.progress);
    }

    fn observe(&mut self) {
        if let Some(received) = self.statistics.take() {
            let ControlStatistics {
                epoch,
                mode,
                arm_error,
                ..
            } = received.message;
            let is_ours = self
                .newest
                .as_ref()
                .is_none_or(|status| status.epoch == epoch);
            self.progress.not_armed = (is_ours && !arm_error.is_empty()).then_some(arm_error);
            self.is_at_fault = is_ours && mode == FAULT;
        }
        if let Some(received) = self.statuses.take() {
            let status = received.message;
            self.progress.command_age_ms = status.command_age().map(|age| age.as_secs_f64() * 1e3);
            self.progress.driver_stop = stop_name(status.stop_reason).map(str::to_owned);
            self.newest = Some(status);
        }
    }

    /// A driver that does not answer leaves the account out.
    fn ask_for_report(&mut self) -> Result<(), RuntimeError> {
        let _ = self.reports.take();
        let kind = InquiryKind::Report;
        self.inquiries.send(&Inquiry { kind })?;
        let received = self.reports.wait(REPORT_TIMEOUT);
        match received.map(|received| serde_json::from_str(&received.message.data)) {
            Some(Ok(report)) => self.report.wire = Some(report),
            Some(Err(error)) => {
                tracing::warn!(%error, "operator: the driver's report cannot be read");
            }
            None => tracing::warn!("operator: the driver sent no report"),
        }
        Ok(())
    }
}

/// What became of the wish for a scene.
enum Start {
    Started(EpisodeEvent),
    Refused,
    Interrupted,
}

pub(crate) const fn stop_name(reason: StopReason) -> Option<&'static str> {
    match reason {
        StopReason::None => None,
        StopReason::NotArmed => Some("not_armed"),
        StopReason::Expired => Some("expired"),
        StopReason::Requested => Some("requested"),
        StopReason::Fault => Some("fault"),
        StopReason::Shutdown => Some("shutdown"),
        StopReason::NoSession => Some("no_session"),
    }
}
