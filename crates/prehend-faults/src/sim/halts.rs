//! Counts how often an arm comes to rest in one session, and how far it goes after the first time.

use prehend_types::JointPositions;

/// An arm that was told one place for so long has halted, ns: no plan here ever rests.
const STILL: u64 = 20_000_000;

/// What the places that an arm is told come to, told one after the other.
#[derive(Debug, Default)]
pub(crate) struct Halts {
    session: Option<Session>,
    /// Sessions in which the arm moved.
    pub moved: u64,
    /// Times that it came to rest, over all sessions.
    pub halts: u64,
    /// Most times in one session.
    pub most: u64,
    /// Furthest that a joint went after the first halt of a session, rad.
    pub displacement: f64,
}

#[derive(Debug)]
struct Session {
    epoch: u64,
    q: JointPositions,
    /// Since when it is told to be there, ns.
    since: u64,
    has_moved: bool,
    is_moving: bool,
    halts: u64,
    halted_at: Option<JointPositions>,
}

impl Halts {
    /// The arm is told to be at `q` at `now`, ns.
    pub fn see(&mut self, now: u64, epoch: u64, q: &JointPositions) {
        let session = match &mut self.session {
            Some(session) if session.epoch == epoch => session,
            session => session.insert(Session {
                epoch,
                q: *q,
                since: now,
                has_moved: false,
                is_moving: false,
                halts: 0,
                halted_at: None,
            }),
        };
        if session.q != *q {
            self.moved += u64::from(!session.has_moved);
            session.has_moved = true;
            session.is_moving = true;
            (session.q, session.since) = (*q, now);
        }
        if let Some(halted_at) = &session.halted_at {
            let ways = q.iter().zip(halted_at.iter()).map(|(a, b)| (a - b).abs());
            self.displacement = ways.fold(self.displacement, f64::max);
        }
        if session.is_moving && now.saturating_sub(session.since) >= STILL {
            session.is_moving = false;
            session.halts += 1;
            session.halted_at.get_or_insert(*q);
            self.halts += 1;
            self.most = self.most.max(session.halts);
        }
    }
}

impl std::fmt::Display for Halts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "moved in {} sessions, came to rest {} times, at most {} times in one, and went {:.1e} rad after the \
             first",
            self.moved, self.halts, self.most, self.displacement
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(epochs: [u64; 2]) -> Halts {
        let mut halts = Halts::default();
        let mut q = JointPositions::zeros(1).expect("one");
        for ms in 0..400u64 {
            // Moves for 100 ms, stands for 100 ms, twice.
            if ms % 200 < 100 {
                q[0] += 0.001;
            }
            halts.see(ms * 1_000_000, epochs[(ms / 200) as usize], &q);
        }
        halts
    }

    #[test]
    fn motion_after_a_halt_is_seen_within_a_session_and_not_beyond() {
        let one = seen([1, 1]);
        assert_eq!((one.moved, one.halts, one.most), (1, 2, 2));
        assert!((one.displacement - 0.1).abs() < 1e-9, "{one}");
        let two = seen([1, 2]);
        assert_eq!((two.moved, two.halts, two.most), (2, 2, 1));
        assert_eq!(two.displacement, 0.0);
    }
}
