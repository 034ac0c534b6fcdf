//! Turns what others send to a driver into bounded work per tick, in which a stop is never crowded out.
//!
//! A stop of the running session is noted as it arrives, on the link's thread, whether it comes on a topic of
//! its own or as a command: it takes no place in a queue that others could fill. Of requests only the newest
//! counts, and what is asked twice between two ticks is answered once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use prehend_link::messages::{
    CommandMode, EpisodeRequest, Inquiry, InquiryKind, JointCommand, StopRequest,
};
use prehend_link::{Latest, Link, LinkCounts, LinkError, Queue, Received, Subscription};

/// Unread commands that are kept: two seconds at 1 kHz, more than building a scene takes.
const COMMAND_QUEUE: usize = 2048;
/// Commands that a tick looks at: a hundred times what comes in 5 ms at 1 kHz. What is beyond that is a flood,
/// and is looked at in the next tick, or dropped and counted by the full queue.
const COMMANDS_PER_TICK: usize = 512;

/// The ears of a driver.
#[derive(Debug)]
pub(crate) struct Inbox {
    commands: Queue<JointCommand>,
    requests: Latest<EpisodeRequest>,
    asked: Arc<Asked>,
    // Held for their drop, which ends them.
    _stops: Subscription<StopRequest>,
    _inquiries: Subscription<Inquiry>,
}

/// What was asked for since it was last looked at.
#[derive(Debug, Default)]
struct Asked {
    /// The session that can be stopped.
    epoch: AtomicU64,
    /// The session that is to stop.
    stop: AtomicU64,
    report: AtomicBool,
    repeat: AtomicBool,
}

impl Asked {
    fn stop(&self, epoch: u64) {
        // A stop of another session is none, and does not push out one of this.
        if epoch == self.epoch.load(SeqCst) {
            self.stop.store(epoch, SeqCst);
        }
    }
}

impl Inbox {
    /// Listens; stops are heard from the first [`Self::listen_for_stops_of`] on.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn new(link: &Link) -> Result<Self, LinkError> {
        let asked = Arc::new(Asked::default());
        let [by_command, by_request, by_inquiry] = [(); 3].map(|()| Arc::clone(&asked));
        let robot = link.robot().to_owned();
        Ok(Self {
            commands: link.queue_watched(
                COMMAND_QUEUE,
                move |received: &Received<JointCommand>| {
                    let command = &received.message;
                    if command.mode == CommandMode::Stop && command.robot == robot {
                        by_command.stop(command.epoch);
                    }
                },
            )?,
            requests: link.latest()?,
            _stops: link.subscribe(move |received: Received<StopRequest>| {
                by_request.stop(received.message.epoch);
            })?,
            _inquiries: link.subscribe(move |received: Received<Inquiry>| {
                let flag = match received.message.kind {
                    InquiryKind::Report => &by_inquiry.report,
                    InquiryKind::Repeat => &by_inquiry.repeat,
                };
                flag.store(true, SeqCst);
            })?,
            asked,
        })
    }

    /// Which session stops are for from now on.
    pub fn listen_for_stops_of(&self, epoch: u64) {
        self.asked.epoch.store(epoch, SeqCst);
    }

    /// Whether somebody asked since the last call to stop the session that is listened for.
    pub fn takes_stop(&self, epoch: u64) -> bool {
        self.asked.stop.swap(0, SeqCst) == epoch
    }

    /// The commands for one tick, oldest first.
    pub fn commands(&self) -> impl Iterator<Item = Received<JointCommand>> {
        std::iter::from_fn(|| self.commands.take()).take(COMMANDS_PER_TICK)
    }

    /// The newest request, if one came since the last call.
    pub fn request(&self) -> Option<EpisodeRequest> {
        Some(self.requests.take()?.message)
    }

    /// Whether somebody asked for this since the last call.
    pub fn inquires(&self, kind: InquiryKind) -> bool {
        let flag = match kind {
            InquiryKind::Report => &self.asked.report,
            InquiryKind::Repeat => &self.asked.repeat,
        };
        flag.swap(false, SeqCst)
    }

    /// The link's account of the commands.
    pub fn counts(&self) -> LinkCounts {
        self.commands.counts()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use prehend_link::messages::JointCommand;
    use prehend_link::{LinkConfig, Publisher};
    use prehend_types::{self as types, Stamp};

    use super::*;

    const EPOCH: u64 = 7;

    fn inbox() -> (Inbox, Link) {
        let link = Link::open(&LinkConfig::for_robot("fr3")).expect("opens");
        let inbox = Inbox::new(&link).expect("declares");
        inbox.listen_for_stops_of(EPOCH);
        (inbox, link)
    }

    fn command(mode: CommandMode, epoch: u64) -> JointCommand {
        let setpoint = types::JointCommand {
            q_d: types::JointPositions::zeros(7).expect("fits"),
            dq_d: types::JointVelocities::zeros(7).expect("fits"),
            gripper: types::GripperCommand { opening: 1.0 },
        };
        let valid_for = Duration::from_millis(100);
        JointCommand {
            mode,
            ..JointCommand::track("fr3", epoch, 0, Stamp::now(), valid_for, &setpoint)
        }
    }

    /// Waits until the link has handed over what was sent.
    fn until(what: impl Fn() -> bool) {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(10), "never");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn no_flood_crowds_a_stop_out() {
        let (inbox, link) = inbox();
        let stops: Publisher<StopRequest> = link.publisher().expect("declares");
        let commands: Publisher<JointCommand> = link.publisher().expect("declares");
        // One stop among ten thousand of other sessions, and one behind a full queue of commands.
        for epoch in 0..5000 {
            stops
                .send(&StopRequest { epoch: epoch + 100 })
                .expect("open");
        }
        stops.send(&StopRequest { epoch: EPOCH }).expect("open");
        for epoch in 0..5000 {
            stops
                .send(&StopRequest { epoch: epoch + 100 })
                .expect("open");
        }
        until(|| inbox.takes_stop(EPOCH));
        assert!(!inbox.takes_stop(EPOCH), "taken once");
        for _ in 0..2 * COMMAND_QUEUE {
            commands
                .send(&command(CommandMode::Track, EPOCH))
                .expect("open");
        }
        commands
            .send(&command(CommandMode::Stop, EPOCH))
            .expect("open");
        until(|| inbox.takes_stop(EPOCH));
        assert!(inbox.counts().overflowed > 0, "the queue was full");
        assert_eq!(
            inbox.commands().count(),
            COMMANDS_PER_TICK,
            "a bounded look"
        );
    }

    #[test]
    fn a_stop_of_another_session_or_robot_is_none() {
        let (inbox, link) = inbox();
        let commands: Publisher<JointCommand> = link.publisher().expect("declares");
        let other = JointCommand {
            robot: "left".to_owned(),
            ..command(CommandMode::Stop, EPOCH)
        };
        commands.send(&other).expect("open");
        commands
            .send(&command(CommandMode::Stop, EPOCH - 1))
            .expect("open");
        until(|| inbox.counts().received == 2);
        assert!(!inbox.takes_stop(EPOCH));
    }

    #[test]
    fn what_is_asked_a_thousand_times_is_answered_once() {
        let (inbox, link) = inbox();
        let requests: Publisher<EpisodeRequest> = link.publisher().expect("declares");
        let inquiries: Publisher<Inquiry> = link.publisher().expect("declares");
        for seed in 0..1000 {
            requests
                .send(&EpisodeRequest::reset("fr3", seed))
                .expect("open");
            let kind = InquiryKind::Report;
            inquiries.send(&Inquiry { kind }).expect("open");
        }
        let newest = std::cell::Cell::new(0);
        until(|| {
            newest.set(inbox.request().map_or(newest.get(), |request| request.seed));
            newest.get() == 999
        });
        assert_eq!(inbox.request(), None);
        until(|| inbox.inquires(InquiryKind::Report));
        assert!(!inbox.inquires(InquiryKind::Repeat));
    }
}
