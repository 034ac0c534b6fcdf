//! Turns the commanded tool poses of the recent past into the pose at a past moment.

use prehend_types::{Pose, Stamp};

/// A ring of stamped poses; made once, never grows.
#[derive(Debug, Clone)]
pub(crate) struct PoseHistory {
    entries: Box<[(Stamp, Pose)]>,
    /// Index of the oldest entry.
    first: usize,
    len: usize,
}

impl PoseHistory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: vec![(Stamp::ZERO, Pose::identity()); capacity.max(2)].into_boxed_slice(),
            first: 0,
            len: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps a pose; one that is not newer than the last is left out, so that stamps only rise.
    pub(crate) fn push(&mut self, stamp: Stamp, pose: &Pose) {
        if self.len > 0 && stamp <= self.get(self.len - 1).0 {
            return;
        }
        let capacity = self.entries.len();
        if self.len == capacity {
            self.entries[self.first] = (stamp, *pose);
            self.first = (self.first + 1) % capacity;
        } else {
            self.entries[(self.first + self.len) % capacity] = (stamp, *pose);
            self.len += 1;
        }
    }

    /// The pose at `stamp`, interpolated; before the oldest entry that entry, after the newest that one.
    pub(crate) fn at(&self, stamp: Stamp) -> Option<Pose> {
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
        Some(Pose::from_parts(
            before
                .translation
                .vector
                .lerp(&after.translation.vector, share)
                .into(),
            before
                .rotation
                .try_slerp(&after.rotation, share, 1e-9)
                .unwrap_or(after.rotation),
        ))
    }

    fn get(&self, index: usize) -> (Stamp, Pose) {
        self.entries[(self.first + index) % self.entries.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_and_forgets_the_oldest() {
        let mut history = PoseHistory::new(3);
        assert!(history.at(Stamp::ZERO).is_none());
        for k in 0..5_u64 {
            history.push(
                Stamp::from_nanos(k * 100),
                &Pose::translation(k as f64, 0.0, 0.0),
            );
        }
        let x = |nanos| {
            history
                .at(Stamp::from_nanos(nanos))
                .map(|p| p.translation.x)
        };
        assert_eq!(x(350), Some(3.5));
        assert_eq!(x(0), Some(2.0), "older than the ring: its oldest");
        assert_eq!(x(9_999), Some(4.0));
    }
}
