//! `prehend_msgs/msg/EpisodeEvent`, `EpisodeRequest` and `Inquiry`: the life of an episode.

use serde::{Deserialize, Serialize};

use super::{MAX_TEXT, is_name, octet_enum, text::misleads};
use crate::{DecodeError, Message, Topic};

octet_enum! {
    /// What happened to an episode.
    EventKind {
        /// A new scene is settled; its epoch takes commands.
        Started = 0,
        /// The task is done.
        Succeeded = 1,
        /// The task can no longer succeed, or its time is up.
        Failed = 2,
        /// Ended by a new request before it succeeded or failed.
        Aborted = 3,
        /// A request could not be served.
        Refused = 4,
        /// A request was not served because something broke, and it did not acknowledge that.
        AtFault = 5,
    }
}

octet_enum! {
    /// Which session is asked for.
    RequestKind {
        /// A new scene and a new epoch.
        Reset = 0,
        /// The same scene and a new epoch: leaves a stop.
        Rearm = 1,
    }
}

octet_enum! {
    /// What a driver is asked to say.
    InquiryKind {
        /// The report on the commands received so far.
        Report = 0,
        /// The last event again, for a process that started late.
        Repeat = 1,
    }
}

/// Something happened to an episode, as in `msg/EpisodeEvent.msg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeEvent {
    /// Session that belongs to the episode.
    pub epoch: u64,
    /// Counts the episodes of this driver from 1.
    pub episode: u64,
    /// Seed of the scene.
    pub seed: u64,
    /// When it happened, monotonic ns.
    pub stamp_nanos: u64,
    /// What happened.
    pub kind: EventKind,
    /// Family of the object to pick.
    pub target: String,
    /// That family is kept out of all training.
    pub held_out: bool,
    /// For people and for failure classes.
    pub detail: String,
}

impl Message for EpisodeEvent {
    const TOPIC: Topic = Topic::Event;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/EpisodeEvent";
    const VERSION: u8 = 2;
    const MAX_BYTES: usize = 2 * MAX_TEXT + 256;

    fn check(&self) -> Result<(), DecodeError> {
        for (field, text) in [("target", &self.target), ("detail", &self.detail)] {
            if text.len() > MAX_TEXT || text.contains(misleads) {
                let message = format!(
                    "{} bytes, at most {MAX_TEXT}, or a control character inside",
                    text.len()
                );
                return Err(DecodeError::invalid::<Self>(field, message));
            }
        }
        Ok(())
    }
}

/// Asks a driver for a new session, as in `msg/EpisodeRequest.msg`: the arm may move again after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeRequest {
    /// Whose arm it is for, as [`LinkConfig::robot`](crate::LinkConfig::robot) names it.
    pub robot: String,
    /// What is asked for.
    pub kind: RequestKind,
    /// Seed of the new scene; 0 unless `kind` is [`RequestKind::Reset`].
    pub seed: u64,
    /// Whoever asks has seen to what broke before. Without it nothing is armed after a fault.
    pub acknowledge: bool,
}

impl EpisodeRequest {
    /// Asks for a new scene.
    #[must_use]
    pub fn reset(robot: &str, seed: u64) -> Self {
        Self {
            robot: robot.to_owned(),
            kind: RequestKind::Reset,
            seed,
            acknowledge: false,
        }
    }

    /// Asks for the same scene in a new session.
    #[must_use]
    pub fn rearm(robot: &str) -> Self {
        Self {
            robot: robot.to_owned(),
            kind: RequestKind::Rearm,
            seed: 0,
            acknowledge: false,
        }
    }

    /// The same, by somebody who has seen to what broke before.
    #[must_use]
    pub fn acknowledging(self) -> Self {
        Self {
            acknowledge: true,
            ..self
        }
    }
}

impl Message for EpisodeRequest {
    const TOPIC: Topic = Topic::Request;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/EpisodeRequest";
    const VERSION: u8 = 3;
    const MAX_BYTES: usize = 128;

    fn robot(&self) -> Option<&str> {
        Some(&self.robot)
    }

    fn check(&self) -> Result<(), DecodeError> {
        is_name::<Self>("robot", &self.robot)
    }
}

/// Asks a driver to say something again, as in `msg/Inquiry.msg`: changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// What it is to say.
    pub kind: InquiryKind,
}

impl Message for Inquiry {
    const TOPIC: Topic = Topic::Inquiry;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/Inquiry";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 64;

    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
