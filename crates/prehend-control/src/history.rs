//! Turns the commanded motion of the recent past into where the arm was at a past moment.

use prehend_types::{JointPositions, Pose, Stamp};

/// Where the arm was commanded to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub base_from_tcp: Pose,
    pub q: JointPositions,
}

/// A ring of stamped places; made once, never grows.
#[derive(Debug, Clone)]
pub(crate) struct History {
    entries: Box<[(Stamp, Place)]>,
    /// Index of the oldest entry.
    first: usize,
    len: usize,
}

impl History {
    pub(crate) fn new(capacity: usize, first: Place) -> Self {
        Self {
            entries: vec![(Stamp::ZERO, first); capacity.max(2)].into_boxed_slice(),
            first: 0,
            len: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps a place; one that is not newer than the last is left out, so that stamps only rise.
    pub(crate) fn push(&mut self, stamp: Stamp, place: Place) {
        if self.len > 0 && stamp <= self.get(self.len - 1).0 {
            return;
        }
        let capacity = self.entries.len();
        if self.len == capacity {
            self.entries[self.first] = (stamp, place);
            self.first = (self.first + 1) % capacity;
        } else {
            self.entries[(self.first + self.len) % capacity] = (stamp, place);
            self.len += 1;
        }
    }

    /// The place at `stamp`, interpolated; before the oldest entry that entry, after the newest that one.
    pub(crate) fn at(&self, stamp: Stamp) -> Option<Place> {
        if self.len == 0 {
            return None;
        }
        // First entry later than `stamp`.
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = (low + high) / 2;
            if self.get(middle).0 <= stamp {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == 0 || low == self.len {
            return Some(self.get(low.min(self.len - 1)).1);
        }
        let ((t0, before), (t1, after)) = (self.get(low - 1), self.get(low));
        let share = stamp.seconds_since(t0) / t1.seconds_since(t0);
        Some(before.towards(&after, share))
    }

    fn get(&self, index: usize) -> (Stamp, Place) {
        self.entries[(self.first + index) % self.entries.len()]
    }
}

impl Place {
    fn towards(&self, other: &Self, share: f64) -> Self {
        let (before, after) = (&self.base_from_tcp, &other.base_from_tcp);
        let mut q = self.q;
        for (q, after) in q.iter_mut().zip(other.q.iter()) {
            *q += (after - *q) * share;
        }
        Self {
            base_from_tcp: Pose::from_parts(
                before
                    .translation
                    .vector
                    .lerp(&after.translation.vector, share)
                    .into(),
                before
                    .rotation
                    .try_slerp(&after.rotation, share, 1e-9)
                    .unwrap_or(after.rotation),
            ),
            q,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_and_forgets_the_oldest() {
        let place = |k: f64| Place {
            base_from_tcp: Pose::translation(k, 0.0, 0.0),
            q: JointPositions::from_slice(&[-k]).expect("one joint"),
        };
        let mut history = History::new(3, place(0.0));
        assert!(history.at(Stamp::ZERO).is_none());
        for k in 0..5_u64 {
            history.push(Stamp::from_nanos(k * 100), place(k as f64));
        }
        let at = |nanos| {
            let place = history.at(Stamp::from_nanos(nanos))?;
            Some((place.base_from_tcp.translation.x, place.q[0]))
        };
        assert_eq!(at(350), Some((3.5, -3.5)));
        assert_eq!(at(0), Some((2.0, -2.0)), "older than the ring: its oldest");
        assert_eq!(at(9_999), Some((4.0, -4.0)));
    }
}
