//! Turns the control loop's output ring into messages: the thread that may wait, so that the loop need not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_control::rt::{
    Histogram, Mark, Quantiles, RealtimeConfig, SentCommand, TimedCommand, enter_realtime,
};
use prehend_link::Publisher;
use prehend_link::messages::{CommandMode, JointCommand};
use prehend_types::Stamp;
use rtrb::Consumer;
use serde::Serialize;

use crate::RuntimeError;

/// How often the ring is looked at. The loop cannot wake anybody without a system call, so this is
/// what sending adds to a command's age: at most this much, half of it on average.
const LOOK: Duration = Duration::from_micros(250);

/// What became of the commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SendReport {
    /// Commands that were sent.
    pub sent: u64,
    /// Commands that could not be.
    pub failed: u64,
    /// From a command's tick until it was handed to the link, µs.
    pub command_age_us: Quantiles,
    /// How long handing it over took, µs.
    pub publish_us: Quantiles,
}

#[derive(Debug, Default)]
struct Shared {
    end: Mark,
    sent: AtomicU64,
    failed: AtomicU64,
    command_age: Histogram,
    publish: Histogram,
}

/// A running sender. Dropping it ends it after what is in the ring.
#[derive(Debug)]
pub(crate) struct CommandSender {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl CommandSender {
    pub fn spawn(
        mut commands: Consumer<TimedCommand>,
        publisher: Publisher<JointCommand>,
        robot: String,
        valid_for: Duration,
        realtime: &RealtimeConfig,
    ) -> Result<Self, RuntimeError> {
        // Below the loop, above everything else: a command that is made on time and sent late is late.
        let wishes = RealtimeConfig {
            fifo_priority: match realtime.fifo_priority {
                0 => 0,
                priority => priority.saturating_sub(10).max(1),
            },
            lock_memory: false,
            pin_core: None,
        };
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let work = move || {
            // What is refused here was refused to the loop too, which reports it.
            let _ = enter_realtime(&wishes);
            loop {
                // Read before the ring: what the loop wrote before it ended is then still sent.
                let end = own.end.get();
                while let Ok(timed) = commands.pop() {
                    own.send(&publisher, &robot, &timed, valid_for);
                }
                if end.is_some() {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        };
        let thread = std::thread::Builder::new()
            .name("control-sender".to_owned())
            .spawn(work)
            .map_err(|source| RuntimeError::Thread {
                name: "control-sender",
                source,
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Times from a command's tick until it was handed to the link.
    pub fn ages(&self) -> &Histogram {
        &self.shared.command_age
    }

    pub fn report(&self) -> SendReport {
        SendReport {
            sent: self.shared.sent.load(Relaxed),
            failed: self.shared.failed.load(Relaxed),
            command_age_us: self.shared.command_age.quantiles(),
            publish_us: self.shared.publish.quantiles(),
        }
    }

    /// Whether commands still leave.
    pub fn is_running(&self) -> bool {
        (self.thread.as_ref()).is_some_and(|thread| !thread.is_finished())
    }

    /// Sends what is left, and ends.
    pub fn join(mut self) -> Result<SendReport, RuntimeError> {
        self.shared.end.set(0);
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            return Err(RuntimeError::Loop {
                reason: "the sending thread panicked; this is a bug in prehend".to_owned(),
            });
        }
        Ok(self.report())
    }
}

impl Drop for CommandSender {
    fn drop(&mut self) {
        self.shared.end.set(0);
    }
}

impl Shared {
    fn send(
        &self,
        publisher: &Publisher<JointCommand>,
        robot: &str,
        timed: &TimedCommand,
        valid_for: Duration,
    ) {
        let message = message(&SentCommand::from(timed), robot, valid_for);
        let begun = Stamp::now();
        self.command_age
            .record(nanos(begun.saturating_since(timed.stamp)));
        let sent = publisher.send(&message);
        self.publish
            .record(nanos(Stamp::now().saturating_since(begun)));
        match sent {
            Ok(()) => _ = self.sent.fetch_add(1, Relaxed),
            Err(error) => {
                let so_far = self.failed.fetch_add(1, Relaxed) + 1;
                if so_far.is_power_of_two() {
                    tracing::warn!(so_far, %error, "control: cannot send");
                }
            }
        }
    }
}

/// The message of a command.
pub(crate) fn message(sent: &SentCommand, robot: &str, valid_for: Duration) -> JointCommand {
    let mut message = JointCommand::track(
        robot,
        sent.epoch,
        sent.seq,
        sent.stamp,
        valid_for,
        &sent.command,
    );
    // A command lives from the tick that made it: if this thread was held up, the driver must see how old
    // its commands are.
    message.sent_nanos = sent.stamp.as_nanos();
    if !sent.mode.commands() {
        message.mode = CommandMode::Stop;
    }
    message
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
