//! `std_msgs/msg/String` with JSON inside: an account too seldom sent to deserve a layout.

use serde::{Deserialize, Serialize};

use crate::{DecodeError, Message, Topic};

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
        if self.data.len() > MAX_JSON || self.data.contains('\0') {
            let message = format!(
                "{} bytes or a NUL inside, at most {MAX_JSON}",
                self.data.len()
            );
            return Err(DecodeError::invalid::<Self>("data", message));
        }
        Ok(())
    }
}
