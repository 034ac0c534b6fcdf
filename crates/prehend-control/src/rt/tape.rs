//! What the loop saw and did, tick by tick, on its way to whoever keeps it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use prehend_types::{ActionChunk, JointCommand, RobotState, Stamp};
use rtrb::{Consumer, Producer, RingBuffer};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::mark::Mark;
use super::ports::{LoopMessage, TimedCommand};
use crate::Mode;

/// Ticks that wait for their reader: 16 s at 500 Hz.
const TICKS: usize = 8192;
const MESSAGES: usize = 512;
const CHUNKS: usize = 64;

/// When a tick was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Counted from 0 over the loop's life.
    pub tick: u64,
    /// The planned moment, by which plans are sampled and ages are judged.
    pub now: Stamp,
    /// From there to waking up, ns.
    pub late_nanos: u64,
    /// How long the tick before worked, ns.
    pub worked_nanos: u64,
    /// Whether the loop was asked to end.
    pub is_ending: bool,
}

/// What a tick gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TickOutcome {
    /// What the controller was doing after it.
    pub mode: Mode,
    /// What it handed to the link, if anything.
    pub command: Option<SentCommand>,
}

/// A command as it was handed to the link: all that its message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SentCommand {
    /// As in [`TimedCommand::seq`].
    pub seq: u64,
    /// The epoch it was armed with.
    pub epoch: u64,
    /// When it was made.
    pub stamp: Stamp,
    /// The command.
    pub command: JointCommand,
    /// What the controller was doing.
    pub mode: Mode,
}

impl From<&TimedCommand> for SentCommand {
    fn from(timed: &TimedCommand) -> Self {
        Self {
            seq: timed.seq,
            epoch: timed.epoch,
            stamp: timed.stamp,
            command: timed.command,
            mode: timed.mode,
        }
    }
}

/// One tick: everything that decided it, and what it gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TickRecord {
    /// When.
    pub moment: Moment,
    /// The newest state, if one came since the tick before.
    pub state: Option<RobotState>,
    /// Messages that it took, in order, at most as many as their ring holds.
    #[serde(deserialize_with = "at_most::<_, _, MESSAGES>")]
    pub messages: Vec<LoopMessage>,
    /// Plans that it took, after the messages, in order, at most as many as their ring holds.
    #[serde(deserialize_with = "at_most::<_, _, CHUNKS>")]
    pub chunks: Vec<ActionChunk>,
    /// What it gave.
    pub outcome: TickOutcome,
}

/// A list that no ring of `N` can have given is refused at its first surplus element: a plan is six bytes of
/// a hostile file, and a thousand of memory.
fn at_most<'de, D, T, const N: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct AtMost<T, const N: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {N} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = list.next_element()? {
                if elements.len() == N {
                    return Err(A::Error::invalid_length(N + 1, &self));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    from.deserialize_seq(AtMost::<T, N>(PhantomData))
}

/// The same without a heap; messages and plans pass beside it.
#[derive(Debug, Clone, Copy)]
struct Taped {
    moment: Moment,
    state: Option<RobotState>,
    n_messages: usize,
    n_chunks: usize,
    outcome: TickOutcome,
}

/// The loop's end: rings that never block. Once one of them is full the recording is over for good, the
/// loop is not.
#[derive(Debug)]
pub struct Tape {
    ticks: Producer<Taped>,
    messages: Producer<LoopMessage>,
    chunks: Producer<ActionChunk>,
    n_messages: usize,
    n_chunks: usize,
    is_over: bool,
    full_at: Arc<Mark>,
}

/// The other end.
#[derive(Debug)]
pub struct TapeReader {
    ticks: Consumer<Taped>,
    messages: Consumer<LoopMessage>,
    chunks: Consumer<ActionChunk>,
    full_at: Arc<Mark>,
}

impl Tape {
    /// A tape for one loop.
    #[must_use]
    pub fn new() -> (Self, TapeReader) {
        Self::of_length(TICKS)
    }

    /// A tape whose reader may be this many ticks behind.
    #[must_use]
    pub fn of_length(ticks: usize) -> (Self, TapeReader) {
        let (ticks, ticks_out) = RingBuffer::new(ticks);
        let (messages, messages_out) = RingBuffer::new(MESSAGES);
        let (chunks, chunks_out) = RingBuffer::new(CHUNKS);
        let full_at = Arc::<Mark>::default();
        let reader = TapeReader {
            ticks: ticks_out,
            messages: messages_out,
            chunks: chunks_out,
            full_at: Arc::clone(&full_at),
        };
        let this = Self {
            ticks,
            messages,
            chunks,
            n_messages: 0,
            n_chunks: 0,
            is_over: false,
            full_at,
        };
        (this, reader)
    }

    pub(super) fn message(&mut self, message: LoopMessage) {
        self.is_over = self.is_over || self.messages.push(message).is_err();
        self.n_messages += 1;
    }

    pub(super) fn chunk(&mut self, chunk: &ActionChunk) {
        // A chunk has no heap: this copies.
        self.is_over = self.is_over || self.chunks.push(chunk.clone()).is_err();
        self.n_chunks += 1;
    }

    /// Last of a tick: the reader takes no more messages and plans than this says.
    pub(super) fn tick(&mut self, moment: Moment, state: Option<RobotState>, outcome: TickOutcome) {
        let taped = Taped {
            moment,
            state,
            n_messages: std::mem::take(&mut self.n_messages),
            n_chunks: std::mem::take(&mut self.n_chunks),
            outcome,
        };
        self.is_over = self.is_over || self.ticks.push(taped).is_err();
        if self.is_over {
            self.full_at.set(moment.tick);
        }
    }
}

impl TapeReader {
    /// The next tick, if it has happened.
    pub fn pop(&mut self) -> Option<TickRecord> {
        let taped = self.ticks.pop().ok()?;
        Some(TickRecord {
            moment: taped.moment,
            state: taped.state,
            messages: (0..taped.n_messages)
                .map_while(|_| self.messages.pop().ok())
                .collect(),
            chunks: (0..taped.n_chunks)
                .map_while(|_| self.chunks.pop().ok())
                .collect(),
            outcome: taped.outcome,
        })
    }

    /// The first tick that is missing because this reader was too slow.
    #[must_use]
    pub fn full_at(&self) -> Option<u64> {
        self.full_at.get()
    }

    /// Whether the loop has ended: once nothing waits any more, nothing will.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ticks.is_abandoned()
    }
}
