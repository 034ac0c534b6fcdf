//! `prehend_msgs/msg/StopRequest`: what anybody may ask for.

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Message, Topic};

/// Asks a driver to bring its arm to rest and to stay there until it is armed anew, as in
/// `msg/StopRequest.msg`. On a topic of its own, so that whoever may stop an arm need not be one who may
/// move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Session that is to end. Without effect on any other, so that an old request stops nothing new.
    pub epoch: u64,
}

impl Message for StopRequest {
    const TOPIC: Topic = Topic::Stop;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/StopRequest";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 64;

    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
