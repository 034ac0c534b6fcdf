//! Every message of the link. Standard ROS 2 types where one fits; the definitions of our own are in
//! `msg/` beside this crate's manifest.

mod action_chunk;
mod episode;
mod joint_command;
mod joint_state;
mod point_cloud;
mod robot_status;
mod statistics;
mod stop_request;
mod swap;
mod text;

pub use action_chunk::{ActionChunk, WireAction};
pub use episode::{EpisodeEvent, EpisodeRequest, EventKind, Inquiry, InquiryKind, RequestKind};
pub use joint_command::{CommandMode, JointCommand};
pub use joint_state::{FingerState, Header, JointState, Time};
pub use point_cloud::{MAX_POINTS, PointCloud2, PointField};
pub use robot_status::{ArmId, ArmRefusal, RobotStatus, StopReason};
pub use statistics::{ControlStatistics, Count, Timing};
pub use stop_request::StopRequest;
pub use swap::{SwapAnswer, SwapRequest, SwapState};
pub use text::Report;

/// Longest text in a message, bytes.
pub(crate) const MAX_TEXT: usize = 4096;

/// An enum that travels as one octet: serde sees the number, and a number without a variant is
/// refused by name.
macro_rules! octet_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)+
        }

        impl TryFrom<u8> for $name {
            type Error = String;
            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    other => Err(format!("{other} is not a {}", stringify!($name))),
                }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                value as u8
            }
        }
    };
}
pub(crate) use octet_enum;

/// Whether a text may name a robot or a robot's model.
pub(crate) fn is_name<M: crate::Message>(
    field: &'static str,
    text: &str,
) -> Result<(), crate::DecodeError> {
    if crate::config::is_name(text) {
        return Ok(());
    }
    let message = "must be a name of 1 to 64 letters, digits, `_` or `-`";
    Err(crate::DecodeError::invalid::<M>(field, message))
}

/// Index of the first number that is not finite.
pub(crate) fn first_non_finite(values: &[f64]) -> Option<usize> {
    values.iter().position(|value| !value.is_finite())
}
