//! `prehend_msgs/msg/SwapRequest` and `SwapAnswer`: another policy for a running arm.

use prehend_types::config::is_plain_name;
use serde::{Deserialize, Serialize};

use super::{MAX_TEXT, octet_enum, text::misleads};
use crate::{DecodeError, Message, Topic};

/// Most looks that can be asked for: an hour at 20 clouds a second.
const MAX_LOOKS: u32 = 72_000;

octet_enum! {
    /// What became of a wish for another policy.
    SwapState {
        /// Its files are read, checked and warmed up, beside the running policy.
        Loading = 0,
        /// It looks on.
        Shadowing = 1,
        /// It decides from now on.
        Accepted = 2,
        /// The running policy goes on; the detail says why.
        Refused = 3,
        /// It took over and failed: the one before decides again.
        RolledBack = 4,
        /// It has done well for long enough, the one before is gone.
        Settled = 5,
    }
}

/// Asks a policy node for another policy, as in `msg/SwapRequest.msg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwapRequest {
    /// Folder of the bundle beside the running one's: a plain name, never a path.
    pub model: String,
    /// Looks beside the running policy before it takes over; at least one is taken.
    pub shadow_looks: u32,
    /// Largest difference of the two policies' chunks (m, rad, opening) meanwhile; 0 if they may differ.
    pub agree_within: f64,
    /// Take it although it disagrees.
    pub force: bool,
}

impl Message for SwapRequest {
    const TOPIC: Topic = Topic::Swap;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/SwapRequest";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 128;

    fn check(&self) -> Result<(), DecodeError> {
        if !is_plain_name(&self.model) {
            return Err(DecodeError::invalid::<Self>(
                "model",
                "must be 1 to 64 letters, digits, `_` or `-`: a folder's name, not a path",
            ));
        }
        if self.shadow_looks > MAX_LOOKS {
            let message = format!("{}, at most {MAX_LOOKS}", self.shadow_looks);
            return Err(DecodeError::invalid::<Self>("shadow_looks", message));
        }
        if !(self.agree_within >= 0.0 && self.agree_within.is_finite()) {
            return Err(DecodeError::invalid::<Self>(
                "agree_within",
                "must be a number from 0",
            ));
        }
        Ok(())
    }
}

/// What a policy node says of a wish, as in `msg/SwapAnswer.msg`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapAnswer {
    /// The folder that was asked for.
    pub model: String,
    /// What became of it.
    pub state: SwapState,
    /// For people.
    pub detail: String,
}

impl Message for SwapAnswer {
    const TOPIC: Topic = Topic::SwapAnswer;
    const TYPE_NAME: &'static str = "prehend_msgs/msg/SwapAnswer";
    const VERSION: u8 = 1;
    const MAX_BYTES: usize = 2 * MAX_TEXT + 64;

    fn check(&self) -> Result<(), DecodeError> {
        for (field, text) in [("model", &self.model), ("detail", &self.detail)] {
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
