//! `std_msgs/msg/String` with JSON inside: an account too seldom sent to deserve a layout.

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Message, Topic};

/// Whether a character could fool whoever reads a log or a terminal: the start of an escape sequence, a new
/// line, or a change of the direction of writing.
pub(super) fn misleads(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}')
}

const MAX_JSON: usize = 64 << 10;

/// The driver's report on the commands it received, as a JSON object in a `std_msgs/msg/String`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The JSON text.
    pub data: String,
}

impl Message for Report {
    const TOPIC: Topic = Topic::Report;
    const TYPE_NAME: &'static str = "std_msgs/msg/String";
    const VERSION: u8 = 0;
    const MAX_BYTES: usize = MAX_JSON + 16;

    fn check(&self) -> Result<(), DecodeError> {
        if self.data.len() > MAX_JSON || self.data.contains(misleads) {
            let message = format!(
                "{} bytes, at most {MAX_JSON}, or a control character inside",
                self.data.len()
            );
            return Err(DecodeError::invalid::<Self>("data", message));
        }
        Ok(())
    }
}
