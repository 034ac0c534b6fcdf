//! Turns messages into CDR bytes as ROS 2 writes them, and hostile bytes into messages or errors.
//!
//! Four header bytes `00 01 <version> 00` (little-endian XCDR1), then the body; alignment counts from after
//! the header. The third byte is the first of CDR's options, which readers of plain CDR pass over: our own
//! messages carry their version there. The size of the whole payload is checked before anything is decoded, and the decoder
//! allocates only as it reads, so a forged length cannot make it allocate more than the payload holds.

use byteorder::{BigEndian, LittleEndian};
use serde::{Serialize, de::DeserializeOwned};

use crate::{LinkError, Topic};

const HEADER_BYTES: usize = 4;
/// What ROS 2 writes where we write a version: the sender does not say.
const UNSAID: u8 = 0;

/// A type that travels on exactly one topic.
pub trait Message: Serialize + DeserializeOwned + Send + 'static {
    /// Where it travels.
    const TOPIC: Topic;
    /// ROS 2 name of the type, for example `sensor_msgs/msg/JointState`.
    const TYPE_NAME: &'static str;
    /// Version of the layout, written into the header: from 1 up for our own types, raised with every change
    /// that a receiver must know of; 0 for types of ROS 2, whose layout is not ours to change.
    const VERSION: u8;
    /// Largest payload that is looked at, bytes with header.
    const MAX_BYTES: usize;

    /// The robot that it is about or for, if it says so: subscriptions of another robot's link refuse and
    /// count it, whatever key it came on. A command's receiver does that itself, beside its other reasons.
    fn robot(&self) -> Option<&str> {
        None
    }

    /// Checks what the byte layout cannot express: lengths that belong together, numbers that must be
    /// finite.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`], made with [`DecodeError::invalid`].
    fn check(&self) -> Result<(), DecodeError>;
}

/// Why received bytes are not a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than the type may have; nothing was decoded.
    #[error("{type_name}: {bytes} bytes, at most {limit} are accepted")]
    TooLarge {
        /// ROS name of the expected type.
        type_name: &'static str,
        /// Bytes received.
        bytes: usize,
        /// Most that are accepted.
        limit: usize,
    },
    /// The encapsulation header is not plain CDR.
    #[error("{type_name}: encapsulation header {header:02x?} is not plain CDR (00 01 00 00)")]
    Header {
        /// ROS name of the expected type.
        type_name: &'static str,
        /// The first bytes, at most four.
        header: Vec<u8>,
    },
    /// The sender is of another version of prehend, which lays the message out differently.
    #[error(
        "{type_name}: sent in version {sent} of the message, read here in version {read}; run the same \
         prehend on both sides"
    )]
    Version {
        /// ROS name of the expected type.
        type_name: &'static str,
        /// The sender's.
        sent: u8,
        /// Ours.
        read: u8,
    },
    /// The body ends early or holds a value that its type does not have.
    #[error("{type_name}: {source}")]
    Body {
        /// ROS name of the expected type.
        type_name: &'static str,
        /// What the decoder said.
        source: cdr_encoding::Error,
    },
    /// Bytes are left over after the last field: another type or another version.
    #[error(
        "{type_name}: {bytes} bytes after the last field; sender and receiver differ in version"
    )]
    Trailing {
        /// ROS name of the expected type.
        type_name: &'static str,
        /// How many are left.
        bytes: usize,
    },
    /// The fields decode but contradict each other.
    #[error("{type_name}: field `{field}`: {message}")]
    Invalid {
        /// ROS name of the type.
        type_name: &'static str,
        /// Name of the field.
        field: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl DecodeError {
    /// The error of a field of `M` that makes no sense.
    pub fn invalid<M: Message>(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            type_name: M::TYPE_NAME,
            field,
            message: message.into(),
        }
    }
}

/// Writes a message as CDR with its encapsulation header.
///
/// # Errors
/// [`LinkError::Refused`] if a receiver would refuse it, [`LinkError::Encode`] if it has no CDR form.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, LinkError> {
    message.check()?;
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&[0, 1, M::VERSION, 0]);
    cdr_encoding::to_writer::<M, LittleEndian, &mut Vec<u8>>(&mut bytes, message).map_err(
        |source| LinkError::Encode {
            type_name: M::TYPE_NAME,
            source,
        },
    )?;
    within_limit::<M>(bytes.len())?;
    Ok(bytes)
}

/// Reads a message from bytes that anyone may have sent. Never panics.
///
/// # Errors
/// [`DecodeError`]; nothing larger than the payload was allocated.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    let type_name = M::TYPE_NAME;
    within_limit::<M>(bytes.len())?;
    let header = || DecodeError::Header {
        type_name,
        header: bytes.iter().copied().take(HEADER_BYTES).collect(),
    };
    let Some((&[0, order @ (0 | 1), version, 0], body)) = bytes.split_first_chunk() else {
        return Err(header());
    };
    match version {
        // Another program that knows the definitions, such as a node of ROS 2. Its bytes have to fit.
        UNSAID => {}
        _ if M::VERSION == UNSAID => return Err(header()),
        sent if sent != M::VERSION => {
            let read = M::VERSION;
            return Err(DecodeError::Version {
                type_name,
                sent,
                read,
            });
        }
        _ => {}
    }
    let (message, used) = if order == 1 {
        cdr_encoding::from_bytes::<M, LittleEndian>(body)
    } else {
        cdr_encoding::from_bytes::<M, BigEndian>(body)
    }
    .map_err(|source| DecodeError::Body { type_name, source })?;
    let left = body.len().saturating_sub(used);
    if left > 0 {
        return Err(DecodeError::Trailing {
            type_name,
            bytes: left,
        });
    }
    message.check()?;
    Ok(message)
}

fn within_limit<M: Message>(bytes: usize) -> Result<(), DecodeError> {
    if bytes <= M::MAX_BYTES {
        return Ok(());
    }
    Err(DecodeError::TooLarge {
        type_name: M::TYPE_NAME,
        bytes,
        limit: M::MAX_BYTES,
    })
}
