//! Turns what is sent on one topic into counts, times and, if wanted, the bytes themselves: the ears of a
//! visitor, who must not disturb those that work.
//!
//! What arrives is counted on zenoh's thread in bounded time and memory; what a slow reader does not take
//! is dropped here and counted, so that neither the link nor a sender waits for it. A topic whose senders
//! wait for receivers is not listened to at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prehend_types::Stamp;
use zenoh::{Wait, sample::Sample};

use crate::closing::OpenSession;
use crate::sequence::{Attachment, SequenceTracker, Step};
use crate::{Link, LinkError, SenderId, Spread, Topic};

/// Senders that are told apart; more are only counted.
const MAX_SENDERS: usize = 16;
/// Most bytes that wait for a reader.
const MAX_KEPT_BYTES: usize = 8 << 20;
const MAX_KEPT: usize = 1024;

/// A message as it arrived, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMessage {
    /// Payload with its header, at most [`Topic::max_bytes`].
    pub payload: Vec<u8>,
    /// Arrival, monotonic.
    pub at: Stamp,
    /// Who published it; `None` if it says nothing (a plain zenoh tool).
    pub sender: Option<SenderId>,
    /// Running number of its sender.
    pub sequence: Option<i64>,
}

/// What one sender sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SenderTraffic {
    /// Its id; `None` for all that say nothing.
    pub id: Option<SenderId>,
    /// Messages.
    pub messages: u64,
    /// Arrival of the first.
    pub first_at: Stamp,
    /// Arrival of the newest.
    pub last_at: Stamp,
    /// Time from one arrival to the next, s.
    pub period_s: Spread,
    /// Jumps of the running number.
    pub gaps: u64,
    /// Messages that are missing in them.
    pub lost: u64,
    /// Messages that arrived twice or after a newer one.
    pub out_of_order: u64,
}

impl SenderTraffic {
    /// Messages per second from the first to the newest; `None` below two.
    #[must_use]
    pub fn rate_hz(&self) -> Option<f64> {
        self.period_s
            .mean()
            .filter(|mean| *mean > 0.0)
            .map(f64::recip)
    }
}

/// What was sent on one topic so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// Messages of all senders.
    pub messages: u64,
    /// Sizes of their payloads, bytes.
    pub bytes: Spread,
    /// Messages that are larger than the type may be, and were not looked at.
    pub oversized: u64,
    /// By sender, in the order of their first message.
    pub senders: Vec<SenderTraffic>,
    /// Messages of senders beyond those that are told apart.
    pub of_further_senders: u64,
}

#[derive(Debug)]
struct Shared {
    topic: Topic,
    heard: Mutex<(Traffic, Vec<SequenceTracker>)>,
    kept: Option<crossbeam_channel::Sender<RawMessage>>,
    overflowed: AtomicU64,
}

/// Listens to one topic, on any number of links, until it is dropped.
#[derive(Debug)]
pub struct TopicMonitor {
    shared: Arc<Shared>,
    kept: Option<crossbeam_channel::Receiver<RawMessage>>,
    // zenoh's subscriber does not keep its session open.
    subscribers: Vec<(zenoh::pubsub::Subscriber<()>, Arc<OpenSession>)>,
}

impl TopicMonitor {
    /// Counts what is sent.
    #[must_use]
    pub fn counting(topic: Topic) -> Self {
        Self::new(topic, None, None)
    }

    /// Counts, and keeps messages for [`Self::wait`]: as many unread ones as fit into 8 MiB, at most 1024.
    #[must_use]
    pub fn keeping(topic: Topic) -> Self {
        let capacity = (MAX_KEPT_BYTES / topic.max_bytes()).clamp(1, MAX_KEPT);
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        Self::new(topic, Some(sender), Some(receiver))
    }

    fn new(
        topic: Topic,
        sender: Option<crossbeam_channel::Sender<RawMessage>>,
        receiver: Option<crossbeam_channel::Receiver<RawMessage>>,
    ) -> Self {
        let shared = Shared {
            topic,
            heard: Mutex::default(),
            kept: sender,
            overflowed: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
            kept: receiver,
            subscribers: Vec::new(),
        }
    }

    /// Listens on one more link.
    ///
    /// # Errors
    /// [`LinkError::Visitor`] for a topic whose senders wait for receivers, [`LinkError::Topic`].
    pub fn attach(&mut self, link: &Link) -> Result<(), LinkError> {
        let topic = self.topic();
        let key = topic.key(link.robot());
        if topic.waits_for_receivers() {
            return Err(LinkError::Visitor { key });
        }
        let shared = Arc::clone(&self.shared);
        let session = link.session(topic);
        let subscriber = session
            .declare_subscriber(key.clone())
            .callback(move |sample: Sample| shared.hear(&sample))
            .wait()
            .map_err(|error| LinkError::Topic {
                key,
                reason: error.to_string(),
            })?;
        self.subscribers.push((subscriber, Arc::clone(session)));
        Ok(())
    }

    /// What is listened to.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.shared.topic
    }

    /// What was sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.lock().0.clone()
    }

    /// Waits for a message that nobody took yet, oldest first; `None` when `timeout` passes, and always
    /// for a monitor that only counts.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<RawMessage> {
        self.kept.as_ref()?.recv_timeout(timeout).ok()
    }

    /// Messages that were dropped here because their reader was too slow.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.shared.overflowed.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Counts stay whole whatever panics elsewhere, so a poisoned lock is as good as new.
    fn lock(&self) -> MutexGuard<'_, (Traffic, Vec<SequenceTracker>)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On zenoh's thread: a few counters under a lock that is held for no longer anywhere.
    fn hear(&self, sample: &Sample) {
        let at = Stamp::now();
        let attachment = sample
            .attachment()
            .and_then(|bytes| Attachment::from_bytes(&bytes.to_bytes()));
        let bytes = sample.payload().len();
        let is_oversized = bytes > self.topic.max_bytes();
        let (traffic, trackers) = &mut *self.lock();
        traffic.count(trackers, at, bytes, is_oversized, attachment.as_ref());
        let Some(kept) = self.kept.as_ref().filter(|_| !is_oversized) else {
            return;
        };
        let message = RawMessage {
            payload: sample.payload().to_bytes().into_owned(),
            at,
            sender: attachment.map(|attachment| attachment.publisher),
            sequence: attachment.map(|attachment| attachment.sequence),
        };
        if kept.try_send(message).is_err() {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Traffic {
    fn count(
        &mut self,
        trackers: &mut Vec<SequenceTracker>,
        at: Stamp,
        bytes: usize,
        is_oversized: bool,
        attachment: Option<&Attachment>,
    ) {
        self.messages += 1;
        self.bytes.add(bytes as f64);
        self.oversized += u64::from(is_oversized);
        let id = attachment.map(|attachment| attachment.publisher);
        let known = self.senders.iter().position(|sender| sender.id == id);
        let Some(idx) = known.or_else(|| self.add_sender(trackers, id, at)) else {
            self.of_further_senders += 1;
            return;
        };
        let sender = &mut self.senders[idx];
        if sender.messages > 0 {
            sender.period_s.add(at.seconds_since(sender.last_at));
        }
        sender.messages += 1;
        sender.last_at = at;
        match attachment.map(|attachment| trackers[idx].step(attachment)) {
            Some(Step::Gap(missing)) => {
                sender.gaps += 1;
                sender.lost = sender.lost.saturating_add(missing);
            }
            Some(Step::Old) => sender.out_of_order += 1,
            Some(Step::Next) | None => {}
        }
    }

    fn add_sender(
        &mut self,
        trackers: &mut Vec<SequenceTracker>,
        id: Option<SenderId>,
        at: Stamp,
    ) -> Option<usize> {
        if self.senders.len() == MAX_SENDERS {
            return None;
        }
        trackers.push(SequenceTracker::default());
        self.senders.push(SenderTraffic {
            id,
            messages: 0,
            first_at: at,
            last_at: at,
            period_s: Spread::default(),
            gaps: 0,
            lost: 0,
            out_of_order: 0,
        });
        Some(self.senders.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(traffic: &mut Traffic, trackers: &mut Vec<SequenceTracker>, id: u8, sequence: i64) {
        let attachment = Attachment {
            sequence,
            source_wall_nanos: 0,
            publisher: [id; 16],
        };
        let at = Stamp::from_nanos(10_000_000 * traffic.messages);
        traffic.count(trackers, at, 7 + id as usize, false, Some(&attachment));
    }

    #[test]
    fn periods_and_gaps_are_each_senders_own() {
        let (mut traffic, mut trackers) = (Traffic::default(), Vec::new());
        for (id, sequence) in [(1, 0), (2, 40), (1, 1), (2, 44), (1, 2), (2, 44)] {
            count(&mut traffic, &mut trackers, id, sequence);
        }
        let [one, two] = &traffic.senders[..] else {
            panic!("{traffic:?}");
        };
        assert_eq!((one.messages, one.gaps, one.lost), (3, 0, 0));
        assert_eq!(
            (two.messages, two.gaps, two.lost, two.out_of_order),
            (3, 1, 3, 1)
        );
        assert!((one.rate_hz().expect("three") - 50.0).abs() < 1e-9);
        assert_eq!(one.period_s.n(), 2);
        assert_eq!(
            (traffic.bytes.min(), traffic.bytes.max()),
            (Some(8.0), Some(9.0))
        );
    }

    #[test]
    fn many_senders_take_bounded_memory() {
        let (mut traffic, mut trackers) = (Traffic::default(), Vec::new());
        for id in 0..=255 {
            count(&mut traffic, &mut trackers, id, 0);
        }
        assert_eq!(
            (traffic.senders.len(), trackers.len()),
            (MAX_SENDERS, MAX_SENDERS)
        );
        assert_eq!(traffic.of_further_senders, 256 - MAX_SENDERS as u64);
        assert_eq!(traffic.messages, 256);
    }
}
