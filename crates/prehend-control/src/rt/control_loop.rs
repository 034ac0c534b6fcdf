//! Turns a [`Controller`] into a thread that ticks on time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use super::Histogram;
use super::clock::{Clock, Monotonic, check_timer};
use super::ports::LoopPorts;
use super::schedule::{Realtime, RealtimeConfig, enter_realtime};
use super::stats::{LoopReport, LoopStats};
use super::tape::Tape;
use super::worker::Worker;
use crate::{Controller, Mode};

/// The loop could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no thread for it.
    #[error("the control thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// Sleeping for one period takes much longer than one period, always.
    #[error(
        "this machine's timer does not hold {rate_hz} Hz: its shortest sleep of one period took \
         {best_ms:.3} ms; {holds_hz} Hz holds, set `rate_hz` to at most that"
    )]
    CoarseTimer {
        /// As asked.
        rate_hz: f64,
        /// The shortest of some sleeps of one period, ms.
        best_ms: f64,
        /// A rate that this timer holds.
        holds_hz: f64,
    },
    /// The thread ended before it began.
    #[error("the control thread ended before it began; this is a bug in prehend")]
    Ended,
}

/// A running loop. Dropping it without [`Self::finish`] lets it stop the arm and end by itself.
#[derive(Debug)]
pub struct ControlLoop {
    thread: Option<JoinHandle<Controller>>,
    finish: Arc<AtomicBool>,
    stats: Arc<LoopStats>,
    realtime: Realtime,
}

impl ControlLoop {
    /// Starts the thread; it begins to tick at once and sends nothing until it is armed.
    ///
    /// # Errors
    /// [`StartError`]: the thread could not be started, or this machine's timer does not hold the rate.
    pub fn start(
        controller: Controller,
        realtime: &RealtimeConfig,
    ) -> Result<(Self, LoopPorts), StartError> {
        Self::start_on(Monotonic, controller, realtime, None)
    }

    /// As [`Self::start`], by another clock: the loop runs as fast as that clock's sleeps return. What it
    /// sees and does is remembered on `tape`, if there is one.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(
        clock: impl Clock,
        controller: Controller,
        realtime: &RealtimeConfig,
        tape: Option<Tape>,
    ) -> Result<(Self, LoopPorts), StartError> {
        let rate_hz = controller.config().rate_hz;
        let stats = Arc::new(LoopStats::new(rate_hz));
        let finish = Arc::new(AtomicBool::new(false));
        let (granted_in, granted) = std::sync::mpsc::sync_channel(1);
        let (mut worker, ports) = Worker::new(clock, controller, Arc::clone(&stats), tape);
        let (wishes, asked_to_finish) = (*realtime, Arc::clone(&finish));
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                // A caller that went away meanwhile does not need the answer.
                let granted = enter_realtime(&wishes);
                let checked = check_timer(&mut worker.clock, rate_hz);
                let may_run = checked.is_ok();
                let _ = granted_in.send(checked.map(|()| granted));
                drop(granted_in);
                if may_run {
                    worker.run(&asked_to_finish);
                }
                worker.controller
            })?;
        let realtime = granted.recv().map_err(|_| StartError::Ended)??;
        let this = Self {
            thread: Some(thread),
            finish,
            stats,
            realtime,
        };
        Ok((this, ports))
    }

    /// What the system granted.
    #[must_use]
    pub fn realtime(&self) -> &Realtime {
        &self.realtime
    }

    /// What the controller is doing, as of its last tick.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.stats.mode()
    }

    /// Statistics so far. Does not disturb the loop.
    #[must_use]
    pub fn report(&self) -> LoopReport {
        self.stats.report()
    }

    /// Times between wake-ups so far. Does not disturb the loop.
    #[must_use]
    pub fn periods(&self) -> &Histogram {
        &self.stats.period
    }

    /// Times from waking up to the end of a tick's work so far. Does not disturb the loop.
    #[must_use]
    pub fn computes(&self) -> &Histogram {
        &self.stats.compute
    }

    /// Stops the arm softly, ends the thread and gives the controller back. Keep draining commands
    /// in another thread meanwhile: the stop is made of them. Waits 5 s at most.
    ///
    /// # Errors
    /// The thread panicked.
    pub fn finish(mut self) -> std::io::Result<(Controller, LoopReport)> {
        self.finish.store(true, Relaxed);
        let controller = match self.thread.take() {
            Some(thread) => thread.join().ok(),
            None => None,
        };
        let controller =
            controller.ok_or_else(|| std::io::Error::other("the control thread panicked"))?;
        Ok((controller, self.stats.report()))
    }
}

impl Drop for ControlLoop {
    fn drop(&mut self) {
        self.finish.store(true, Relaxed);
    }
}
