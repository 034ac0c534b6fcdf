//! `prehend_msgs/msg/EpisodeEvent` and `EpisodeRequest`: the life of an episode.

use serde::{Deserialize, Serialize};

use super::{MAX_TEXT, octet_enum};
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
    }
}

octet_enum! {
    /// What is asked of a driver.
    RequestKind {
        /// A new scene and a new epoch.
        Reset = 0,
        /// The same scene and a new epoch: leaves a stop.
        Rearm = 1,
        /// Publish the report on the commands received so far.
        Report = 2,
        /// Publish the last event again, for a process that started late.
        Repeat = 3,
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
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 2 * MAX_TEXT + 256;

    fn check(&self) -> Result<(), DecodeError> {
        for (field, text) in [("target", &self.target), ("detail", &self.detail)] {
            if text.len() > MAX_TEXT || text.contains('\0') {
                let message = format!("{} bytes or a NUL inside, at most {MAX_TEXT}", text.len());
                return Err(DecodeError::invalid::<Self>(field, message));
            }
        }
        Ok(())
    }
}

/// Asks a driver for something, as in `msg/EpisodeRequest.msg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeRequest {
    /// What is asked for.
    pub kind: RequestKind,
    /// Seed of the new scene; 0 unless `kind` is [`RequestKind::Reset`].
    pub seed: u64,
}

impl EpisodeRequest {
    /// Asks for a new scene.
    #[must_use]
    pub const fn reset(seed: u64) -> Self {
        Self {
            kind: RequestKind::Reset,
            seed,
        }
    }

    /// Asks for anything but a new scene.
    #[must_use]
    pub const fn of(kind: RequestKind) -> Self {
        Self { kind, seed: 0 }
    }
}

impl Message for EpisodeRequest {
    const TOPIC: Topic = Topic::Request;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/EpisodeRequest";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 64;

    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
