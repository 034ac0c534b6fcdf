//! Receives one type of message: every one, or only the newest.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prehend_types::Stamp;
use serde::{Deserialize, Serialize};
use zenoh::{Wait, sample::Sample};

use crate::closing::OpenSession;
use crate::presence::{self, PresenceToken, Way};
use crate::sequence::{Attachment, SequenceTracker, Step};
use crate::{DecodeError, Link, LinkError, Message, decode};

/// A message and when it arrived here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Received<M> {
    /// The message, already checked.
    pub message: M,
    /// Arrival, taken before decoding.
    pub at: Stamp,
    /// Who published it; `None` if it says nothing (a plain zenoh tool).
    pub sender: Option<SenderId>,
}

/// What tells publishers apart: new for every publisher that is declared.
pub type SenderId = [u8; 16];

/// What happened on one subscription so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Messages that were decoded and checked.
    pub received: u64,
    /// Payloads that were refused.
    pub decode_errors: u64,
    /// Messages for or of another robot, refused.
    pub other_robot: u64,
    /// Messages lost on the way, from jumps of the running number.
    pub lost: u64,
    /// Messages that arrived twice or after a newer one. They are delivered all the same.
    pub out_of_order: u64,
    /// Messages dropped because the reader of a [`Queue`] was too slow.
    pub overflowed: u64,
}

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    decode_errors: AtomicU64,
    other_robot: AtomicU64,
    lost: AtomicU64,
    out_of_order: AtomicU64,
    overflowed: AtomicU64,
}

/// A running subscription; dropping it ends it.
#[derive(Debug)]
pub struct Subscription<M> {
    // Held for its drop, which undeclares the subscriber.
    _inner: zenoh::pubsub::Subscriber<()>,
    // zenoh's subscriber does not keep its session open.
    _session: Arc<OpenSession>,
    // Held for its drop: who is gone is not shown any more.
    _token: PresenceToken,
    counters: Arc<Counters>,
    message: PhantomData<fn() -> M>,
}

impl<M: Message> Subscription<M> {
    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkCounts {
            received: read(&self.counters.received),
            decode_errors: read(&self.counters.decode_errors),
            other_robot: read(&self.counters.other_robot),
            lost: read(&self.counters.lost),
            out_of_order: read(&self.counters.out_of_order),
            overflowed: read(&self.counters.overflowed),
        }
    }
}

impl Link {
    /// Calls `handle` with every message of type `M`, on zenoh's receiving thread: it must be quick,
    /// must not wait and must not send.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn subscribe<M: Message>(
        &self,
        mut handle: impl FnMut(Received<M>) + Send + Sync + 'static,
    ) -> Result<Subscription<M>, LinkError> {
        self.subscribe_counted(move |received, _| handle(received))
    }

    /// A subscription that keeps only the newest message.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn latest<M: Message>(&self) -> Result<Latest<M>, LinkError> {
        let slot = Arc::new(Slot {
            newest: Mutex::new(None),
            arrived: Condvar::new(),
        });
        let writer = Arc::clone(&slot);
        let subscription = self.subscribe_counted(move |received, _| {
            *writer.lock() = Some(received);
            writer.arrived.notify_all();
        })?;
        Ok(Latest { slot, subscription })
    }

    /// A subscription that keeps every message, up to `capacity` unread ones; then the new ones are
    /// dropped and counted, because waiting would hold up every other topic.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn queue<M: Message>(&self, capacity: usize) -> Result<Queue<M>, LinkError> {
        self.queue_watched(capacity, |_| {})
    }

    /// As [`Self::queue`]; `watch` sees every message as it arrives, those too that the queue has no room for.
    /// It runs where [`Self::subscribe`]'s handle does.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn queue_watched<M: Message>(
        &self,
        capacity: usize,
        mut watch: impl FnMut(&Received<M>) + Send + Sync + 'static,
    ) -> Result<Queue<M>, LinkError> {
        let (sender, receiver) = crossbeam_channel::bounded(capacity.max(1));
        let subscription = self.subscribe_counted(move |received, counters| {
            watch(&received);
            if sender.try_send(received).is_err() {
                counters.overflowed.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        Ok(Queue {
            receiver,
            subscription,
        })
    }

    fn subscribe_counted<M: Message>(
        &self,
        mut handle: impl FnMut(Received<M>, &Counters) + Send + Sync + 'static,
    ) -> Result<Subscription<M>, LinkError> {
        let key = self.key::<M>();
        let token = presence::declare(self, Way::Receives, M::TOPIC, self.next_id())?;
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        let mut tracker = SequenceTracker::default();
        let own: Arc<str> = self.robot().into();
        let session = self.session(M::TOPIC);
        let inner = session
            .declare_subscriber(key.clone())
            .callback_mut(move |sample: Sample| {
                let at = Stamp::now();
                let sender = shared.note_sequence(&mut tracker, &sample);
                match decode::<M>(&sample.payload().to_bytes()) {
                    Ok(message) if message.robot().is_some_and(|robot| *robot != *own) => {
                        shared.note_other_robot(&sample, message.robot().unwrap_or_default());
                    }
                    Ok(message) => {
                        shared.received.fetch_add(1, Ordering::Relaxed);
                        let received = Received {
                            message,
                            at,
                            sender,
                        };
                        handle(received, &shared);
                    }
                    Err(error) => shared.note_decode_error(&sample, &error),
                }
            })
            .wait()
            .map_err(|error| LinkError::Topic {
                key,
                reason: error.to_string(),
            })?;
        Ok(Subscription {
            _inner: inner,
            _session: Arc::clone(session),
            _token: token,
            counters,
            message: PhantomData,
        })
    }
}

impl Counters {
    /// Messages without our attachment (a plain zenoh tool) are accepted; they cannot be counted.
    fn note_sequence(&self, tracker: &mut SequenceTracker, sample: &Sample) -> Option<SenderId> {
        let attachment = sample
            .attachment()
            .and_then(|bytes| Attachment::from_bytes(&bytes.to_bytes()));
        match attachment.map(|attachment| tracker.step(&attachment)) {
            Some(Step::Gap(missing)) => _ = self.lost.fetch_add(missing, Ordering::Relaxed),
            Some(Step::Old) => _ = self.out_of_order.fetch_add(1, Ordering::Relaxed),
            Some(Step::Next) | None => {}
        }
        attachment.map(|attachment| attachment.publisher)
    }

    /// Crossed keys, or a peer that means another robot. Logged as below.
    fn note_other_robot(&self, sample: &Sample, robot: &str) {
        let so_far = self.other_robot.fetch_add(1, Ordering::Relaxed) + 1;
        if so_far.is_power_of_two() {
            tracing::warn!(key = %sample.key_expr(), so_far, robot, "link: message of another robot refused");
        }
    }

    /// Logged at powers of two only: a flood of junk must not become a flood of log lines.
    fn note_decode_error(&self, sample: &Sample, error: &DecodeError) {
        let so_far = self.decode_errors.fetch_add(1, Ordering::Relaxed) + 1;
        if so_far.is_power_of_two() {
            tracing::warn!(key = %sample.key_expr(), so_far, %error, "link: message refused");
        }
    }
}

#[derive(Debug)]
struct Slot<M> {
    newest: Mutex<Option<Received<M>>>,
    arrived: Condvar,
}

impl<M> Slot<M> {
    /// A panic elsewhere cannot leave an `Option` half written, so a poisoned lock is as good as new.
    fn lock(&self) -> MutexGuard<'_, Option<Received<M>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest message only: older unread ones are forgotten.
#[derive(Debug)]
pub struct Latest<M> {
    slot: Arc<Slot<M>>,
    subscription: Subscription<M>,
}

impl<M: Message> Latest<M> {
    /// Takes the newest message, if one came since the last call. Never waits for one.
    #[must_use]
    pub fn take(&self) -> Option<Received<M>> {
        self.slot.lock().take()
    }

    /// Waits for a message that nobody took yet; `None` when `timeout` passes.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Received<M>> {
        // Clamped, because adding a huge duration to an instant panics.
        let deadline = Instant::now() + timeout.min(Duration::from_secs(86_400));
        let mut newest = self.slot.lock();
        loop {
            if let Some(received) = newest.take() {
                return Some(received);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            newest = self
                .slot
                .arrived
                .wait_timeout(newest, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.subscription.counts()
    }
}

/// Every message, oldest first.
#[derive(Debug)]
pub struct Queue<M> {
    receiver: crossbeam_channel::Receiver<Received<M>>,
    subscription: Subscription<M>,
}

impl<M: Message> Queue<M> {
    /// Takes the oldest unread message. Never waits for one.
    #[must_use]
    pub fn take(&self) -> Option<Received<M>> {
        self.receiver.try_recv().ok()
    }

    /// Waits for a message; `None` when `timeout` passes.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Received<M>> {
        self.receiver.recv_timeout(timeout).ok()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        self.subscription.counts()
    }
}
