//! Knows whether whoever makes the plans of a session is still there.
//!
//! A policy that thinks for long, or has nothing to say, is there: its plan runs out and the arm holds. One
//! whose process is gone, however it ended, will not look at the scene again.

use prehend_link::{SenderId, Senders};

/// Whose plans the arm follows.
#[derive(Debug)]
pub(crate) struct Planner {
    senders: Senders,
    session: Session,
}

#[derive(Debug, Default)]
struct Session {
    epoch: u64,
    /// Who sent the newest plan, if it said who it is.
    sender: Option<SenderId>,
    /// Somebody was there in this session who could send plans.
    had_any: bool,
}

impl Planner {
    pub fn new(senders: Senders) -> Self {
        Self {
            senders,
            session: Session::default(),
        }
    }

    /// A plan of this session was handed to the loop.
    pub fn plans(&mut self, epoch: u64, sender: Option<SenderId>) {
        self.enter(epoch);
        self.session.sender = sender.or(self.session.sender);
    }

    /// Whether the sender of the newest plan of the session that is armed is gone, or before the first plan
    /// everybody who could have sent one.
    pub fn is_lost(&mut self, armed: Option<u64>) -> bool {
        let Some(epoch) = armed else {
            return false;
        };
        self.enter(epoch);
        let nobody = self.senders.is_empty();
        let session = &mut self.session;
        session.had_any |= !nobody;
        match &session.sender {
            Some(sender) => self.senders.has_left(sender),
            None => session.had_any && nobody,
        }
    }

    fn enter(&mut self, epoch: u64) {
        if epoch != self.session.epoch {
            self.session = Session {
                epoch,
                ..Session::default()
            };
        }
    }
}
