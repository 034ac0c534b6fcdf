//! Turns the running numbers of messages into counts of lost, repeated and reordered ones.
//!
//! The number travels as rmw_zenoh's attachment does: i64 sequence, i64 source time in wall
//! nanoseconds, a length byte 16, and sixteen bytes that name the publisher.

use prehend_types::ahead;

/// Publishers of one topic that are told apart at a time.
const MAX_PUBLISHERS: usize = 8;
const BYTES: usize = 33;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub sequence: i64,
    pub source_wall_nanos: i64,
    pub publisher: [u8; 16],
}

impl Attachment {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.source_wall_nanos.to_le_bytes());
        bytes.push(16);
        bytes.extend_from_slice(&self.publisher);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk::<8>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (&[length], rest) = rest.split_first_chunk::<1>()?;
        Some(Self {
            sequence: i64::from_le_bytes(*sequence),
            source_wall_nanos: i64::from_le_bytes(*time),
            publisher: (length == 16).then(|| rest.try_into().ok())??,
        })
    }
}

/// What one number says about those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first of its publisher, or one more than the last.
    Next,
    /// So many were lost in between.
    Gap(u64),
    /// Repeated, or overtaken by a newer one.
    Old,
}

/// Last number of each publisher of one topic.
#[derive(Debug, Default)]
pub(crate) struct SequenceTracker {
    last: Vec<([u8; 16], i64)>,
}

impl SequenceTracker {
    pub(crate) fn step(&mut self, attachment: &Attachment) -> Step {
        let Attachment {
            sequence,
            publisher,
            ..
        } = *attachment;
        if let Some((_, last)) = self.last.iter_mut().find(|(id, _)| *id == publisher) {
            let steps = ahead(sequence as u64, *last as u64);
            if steps > 0 {
                *last = sequence;
            }
            return match steps {
                ..=0 => Step::Old,
                1 => Step::Next,
                _ => Step::Gap(steps.unsigned_abs() - 1),
            };
        }
        if self.last.len() == MAX_PUBLISHERS {
            self.last.remove(0);
        }
        self.last.push((publisher, sequence));
        Step::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(tracker: &mut SequenceTracker, publisher: u8, sequence: i64) -> Step {
        tracker.step(&Attachment {
            sequence,
            source_wall_nanos: 0,
            publisher: [publisher; 16],
        })
    }

    #[test]
    fn losses_repeats_and_restarts_are_told_apart() {
        let mut tracker = SequenceTracker::default();
        assert_eq!(step(&mut tracker, 1, 5), Step::Next);
        assert_eq!(step(&mut tracker, 1, 6), Step::Next);
        assert_eq!(step(&mut tracker, 1, 9), Step::Gap(2));
        assert_eq!(step(&mut tracker, 1, 8), Step::Old);
        assert_eq!(step(&mut tracker, 1, 9), Step::Old);
        assert_eq!(step(&mut tracker, 2, 0), Step::Next);
        assert_eq!(
            step(&mut tracker, 1, i64::MAX),
            Step::Gap(i64::MAX as u64 - 10)
        );
    }

    #[test]
    fn numbers_go_on_after_the_last() {
        let mut tracker = SequenceTracker::default();
        // As our own publishers count: up to the last of u64, which is -1 here, and from 0 on.
        for (publisher, last) in (0..).zip([i64::from(u32::MAX), i64::MAX, -1]) {
            assert_eq!(step(&mut tracker, publisher, last), Step::Next);
            assert_eq!(
                step(&mut tracker, publisher, last.wrapping_add(1)),
                Step::Next
            );
            assert_eq!(step(&mut tracker, publisher, last), Step::Old);
            assert_eq!(
                step(&mut tracker, publisher, last.wrapping_add(4)),
                Step::Gap(2)
            );
        }
    }

    #[test]
    fn many_publishers_take_bounded_memory() {
        let mut tracker = SequenceTracker::default();
        for publisher in 0..=255 {
            step(&mut tracker, publisher, 0);
        }
        assert_eq!(tracker.last.len(), MAX_PUBLISHERS);
    }

    #[test]
    fn attachment_survives_the_wire_and_junk_does_not() {
        let attachment = Attachment {
            sequence: 7,
            source_wall_nanos: 11,
            publisher: [13; 16],
        };
        let bytes = attachment.to_bytes();
        assert_eq!(bytes.len(), BYTES);
        assert_eq!(Attachment::from_bytes(&bytes), Some(attachment));
        for length in 0..BYTES {
            assert_eq!(Attachment::from_bytes(&bytes[..length]), None);
        }
    }
}
