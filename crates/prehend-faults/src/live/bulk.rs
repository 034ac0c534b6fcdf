//! Payloads that are far larger than any message of their key, as a hostile peer may send them.

use std::marker::PhantomData;

use prehend_link::{DecodeError, Message, Topic};
use serde::{Deserialize, Serialize};

/// As the catalogue has it, bytes.
pub(super) const BULK: usize = 60_000;

/// So many bytes on the key of `M`, under its name and version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Bulk<M> {
    bytes: Vec<u8>,
    #[serde(skip)]
    of: PhantomData<fn() -> M>,
}

impl<M> Bulk<M> {
    pub fn new() -> Self {
        Self {
            bytes: vec![0x5a; BULK],
            of: PhantomData,
        }
    }
}

impl<M: Message> Message for Bulk<M> {
    const TOPIC: Topic = M::TOPIC;
    const TYPE_NAME: &'static str = M::TYPE_NAME;
    const VERSION: u8 = M::VERSION;
    const MAX_BYTES: usize = BULK + 64;

    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}
