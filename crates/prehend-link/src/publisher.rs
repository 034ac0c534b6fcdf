//! Sends one type of message on its topic.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use zenoh::{Wait, bytes::Encoding, session::ZenohId};

use crate::closing::OpenSession;
use crate::presence::{self, PresenceToken, Way};
use crate::{Link, LinkError, Message, encode, sequence::Attachment};

/// Sends `M`. Each message carries a running number, from which receivers count losses.
#[derive(Debug)]
pub struct Publisher<M> {
    inner: zenoh::pubsub::Publisher<'static>,
    // zenoh's publisher does not keep its session open.
    _session: Arc<OpenSession>,
    // Held for its drop: who is gone is not shown any more.
    _token: PresenceToken,
    id: PublisherId,
    sent: AtomicU64,
    message: PhantomData<fn(M)>,
}

impl<M: Message> Publisher<M> {
    pub(crate) fn declare(link: &Link) -> Result<Self, LinkError> {
        let session = link.session(M::TOPIC);
        let (key, id) = (link.key::<M>(), link.next_id());
        let token = presence::declare(link, Way::Sends, M::TOPIC, id)?;
        let qos = M::TOPIC.qos();
        let inner = session
            .declare_publisher(key.clone())
            .encoding(Encoding::APPLICATION_CDR)
            .priority(qos.priority)
            .congestion_control(qos.congestion)
            .express(qos.express)
            .wait()
            .map_err(|error| LinkError::Topic {
                key,
                reason: error.to_string(),
            })?;
        Ok(Self {
            inner,
            _session: Arc::clone(session),
            _token: token,
            id,
            sent: AtomicU64::new(0),
            message: PhantomData,
        })
    }

    /// Encodes and sends one message. May lock, allocate and, on topics that must arrive, wait.
    ///
    /// # Errors
    /// [`LinkError::Refused`] for a message that breaks its own rules, [`LinkError::Topic`] when the
    /// session is closed.
    pub fn send(&self, message: &M) -> Result<(), LinkError> {
        let bytes = encode(message)?;
        let attachment = Attachment {
            sequence: self.sent.fetch_add(1, Ordering::Relaxed) as i64,
            // Wall time: a label for people and for ROS, never read by this crate.
            source_wall_nanos: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_nanos() as i64),
            publisher: self.id.0,
        };
        self.inner
            .put(bytes)
            .attachment(attachment.to_bytes())
            .wait()
            .map_err(|error| LinkError::Topic {
                key: self.inner.key_expr().to_string(),
                reason: error.to_string(),
            })
    }

    /// Whether at least one subscriber is known, here or elsewhere.
    #[must_use]
    pub fn has_subscriber(&self) -> bool {
        self.inner
            .matching_status()
            .wait()
            .is_ok_and(|status| status.matching())
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Sixteen bytes that name a publisher: the session's random id, changed by a running number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublisherId(pub [u8; 16]);

impl PublisherId {
    pub(crate) fn new(session: ZenohId, counter: &AtomicU32) -> Self {
        let mut id = session.to_le_bytes();
        let number = counter.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        for (byte, change) in id.iter_mut().zip(number) {
            *byte ^= change;
        }
        Self(id)
    }
}
