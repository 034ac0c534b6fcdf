//! Turns a [`Controller`] into a thread that ticks on time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_types::{ActionChunk, JointCommand, Pose, RobotState, Stamp};
use rtrb::{Consumer, Producer, RingBuffer};

use super::schedule::{Realtime, RealtimeConfig, enter_realtime, sleep_until};
use super::stats::{LoopReport, LoopStats};
use crate::{ArmError, ChunkError, ChunkReport, Controller, Mode, StopReason, Tick};

/// Room in the rings: a link thread may sleep this many ticks before commands are lost.
const COMMANDS: usize = 1024;
const STATES: usize = 64;
const CHUNKS: usize = 8;
const MESSAGES: usize = 64;
const EVENTS: usize = 256;
/// Longest that ending the loop waits for the arm to stand still.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What the loop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopMessage {
    /// Take the arm over; commands from now on carry this epoch.
    Arm {
        /// A number that was never used before with this driver.
        epoch: u64,
    },
    /// Stop for good.
    Stop,
    /// Let the arm go, if it stands still.
    Disarm,
}

/// What the loop tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoopEvent {
    /// Armed.
    Armed {
        /// As asked.
        epoch: u64,
    },
    /// Not armed.
    ArmRefused(ArmError),
    /// A chunk was taken or refused.
    Chunk {
        /// The chunk's start.
        start: Stamp,
        /// What became of it.
        outcome: Result<ChunkReport, ChunkError>,
    },
    /// A stop began that stays until armed anew.
    Stopping(StopReason),
}

/// A command with everything the wire needs but its time to live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedCommand {
    /// Rises by one per command over the loop's life, epochs included.
    pub seq: u64,
    /// The epoch it was armed with.
    pub epoch: u64,
    /// When it was made, monotonic clock.
    pub stamp: Stamp,
    /// The command.
    pub command: JointCommand,
    /// What the controller was doing.
    pub mode: Mode,
    /// Tool pose at the commanded positions.
    pub base_from_tcp_d: Pose,
}

/// The loop's ends that other threads hold. Each is wait-free; each may go to a thread of its own.
#[derive(Debug)]
pub struct LoopPorts {
    /// Measured states. The loop takes all that wait and uses the newest.
    pub states: Producer<RobotState>,
    /// Plans.
    pub chunks: Producer<ActionChunk>,
    /// Arm and stop.
    pub messages: Producer<LoopMessage>,
    /// Commands to send.
    pub commands: Consumer<TimedCommand>,
    /// What happened.
    pub events: Consumer<LoopEvent>,
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
    /// The thread could not be started.
    pub fn start(
        controller: Controller,
        realtime: &RealtimeConfig,
    ) -> std::io::Result<(Self, LoopPorts)> {
        let (states_in, states) = RingBuffer::new(STATES);
        let (chunks_in, chunks) = RingBuffer::new(CHUNKS);
        let (messages_in, messages) = RingBuffer::new(MESSAGES);
        let (commands, commands_out) = RingBuffer::new(COMMANDS);
        let (events, events_out) = RingBuffer::new(EVENTS);
        let stats = Arc::new(LoopStats::new(controller.config().rate_hz));
        let finish = Arc::new(AtomicBool::new(false));
        let (granted_in, granted) = std::sync::mpsc::sync_channel(1);
        let mut worker = Worker {
            controller,
            states,
            chunks,
            messages,
            commands,
            events,
            state: None,
            told_stop: None,
            epoch: 0,
            seq: 0,
            stats: Arc::clone(&stats),
        };
        let (wishes, asked_to_finish) = (*realtime, Arc::clone(&finish));
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                // A caller that went away meanwhile does not need the answer.
                let _ = granted_in.send(enter_realtime(&wishes));
                drop(granted_in);
                worker.run(&asked_to_finish);
                worker.controller
            })?;
        let realtime = granted
            .recv()
            .map_err(|_| std::io::Error::other("the control thread ended before it began"))?;
        let ports = LoopPorts {
            states: states_in,
            chunks: chunks_in,
            messages: messages_in,
            commands: commands_out,
            events: events_out,
        };
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

    /// Statistics so far. Does not disturb the loop.
    #[must_use]
    pub fn report(&self) -> LoopReport {
        self.stats.report()
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

/// Everything the thread owns.
struct Worker {
    controller: Controller,
    states: Consumer<RobotState>,
    chunks: Consumer<ActionChunk>,
    messages: Consumer<LoopMessage>,
    commands: Producer<TimedCommand>,
    events: Producer<LoopEvent>,
    state: Option<RobotState>,
    /// The stop that was told last.
    told_stop: Option<StopReason>,
    epoch: u64,
    seq: u64,
    stats: Arc<LoopStats>,
}

impl Worker {
    /// The loop. Inside it there is no allocation, lock, wait (but the timer), log line or file.
    fn run(&mut self, finish: &AtomicBool) {
        let period = Duration::from_secs_f64(self.controller.config().dt_s());
        let mut next = Stamp::now().after(period);
        let mut last: Option<Stamp> = None;
        let mut give_up: Option<Stamp> = None;
        loop {
            sleep_until(next);
            let woke = Stamp::now();
            self.stats.latency.record(nanos_between(next, woke));
            if let Some(last) = last {
                self.stats.period.record(nanos_between(last, woke));
            }
            last = Some(woke);
            // After a long sleep the newest moment that was planned: an older one would make what came
            // meanwhile look as if it were from the future.
            while next.after(period) <= woke {
                next = next.after(period);
                self.stats.deadline_misses.fetch_add(1, Relaxed);
            }
            let is_ending = finish.load(Relaxed);
            if is_ending {
                self.controller.soft_stop();
            }
            // The planned moment, not the moment of waking up: the plan is sampled evenly.
            self.work(next);
            if is_ending {
                // Only after the work, which tells the driver to stop even if the arm stands already.
                let give_up = *give_up.get_or_insert(woke.after(STOP_PATIENCE));
                if self.controller.is_at_rest() || woke >= give_up {
                    return;
                }
            }
            let done = Stamp::now();
            self.stats.compute.record(nanos_between(woke, done));
            self.stats.ticks.fetch_add(1, Relaxed);
            next = next.after(period);
            // Whoever is late skips what is past and never makes up for it.
            while next <= done {
                next = next.after(period);
                self.stats.deadline_misses.fetch_add(1, Relaxed);
            }
        }
    }

    fn work(&mut self, now: Stamp) {
        while let Ok(state) = self.states.pop() {
            self.state = Some(state);
        }
        while let Ok(message) = self.messages.pop() {
            self.obey(message, now);
        }
        while let Ok(chunk) = self.chunks.pop() {
            let outcome = self.controller.accept(&chunk, now);
            if outcome.is_ok() {
                self.stats.chunk_age.record(nanos_between(chunk.start, now));
            }
            self.tell(LoopEvent::Chunk {
                start: chunk.start,
                outcome,
            });
        }
        if let Some(state) = self.state {
            let was_moving = is_sent(self.controller.mode());
            let tick = self.controller.tick(&state, now);
            // The last command of a stop is sent too: it is the one that stands still.
            if was_moving || is_sent(tick.mode) {
                self.send(&tick);
            }
            self.stats.mode.store(tick.mode as u8, Relaxed);
        }
        let stop_reason = self.controller.stop_reason();
        if stop_reason != self.told_stop {
            self.told_stop = stop_reason;
            if let Some(reason) = stop_reason {
                self.tell(LoopEvent::Stopping(reason));
            }
        }
        self.stats.store_limiter(self.controller.counters());
    }

    fn obey(&mut self, message: LoopMessage, now: Stamp) {
        match message {
            LoopMessage::Arm { epoch } => match self.arm(now) {
                Ok(()) => {
                    self.epoch = epoch;
                    self.tell(LoopEvent::Armed { epoch });
                }
                Err(error) => self.tell(LoopEvent::ArmRefused(error)),
            },
            LoopMessage::Stop => self.controller.soft_stop(),
            LoopMessage::Disarm => {
                self.controller.disarm();
            }
        }
    }

    fn arm(&mut self, now: Stamp) -> Result<(), ArmError> {
        let state = self.state.as_ref().ok_or(ArmError::NoState)?;
        let age_s = now.seconds_since(state.stamp);
        if age_s.abs() > self.controller.config().max_state_age_s {
            return Err(ArmError::StaleState { age_s });
        }
        self.controller.arm(state)
    }

    fn send(&mut self, tick: &Tick) {
        self.seq += 1;
        let command = TimedCommand {
            seq: self.seq,
            epoch: self.epoch,
            stamp: Stamp::now(),
            command: tick.command,
            mode: tick.mode,
            base_from_tcp_d: tick.base_from_tcp_d,
        };
        let counter = match self.commands.push(command) {
            Ok(()) => &self.stats.commands,
            Err(_) => &self.stats.commands_lost,
        };
        counter.fetch_add(1, Relaxed);
    }

    fn tell(&mut self, event: LoopEvent) {
        if self.events.push(event).is_err() {
            self.stats.events_lost.fetch_add(1, Relaxed);
        }
    }
}

fn is_sent(mode: Mode) -> bool {
    matches!(mode, Mode::Tracking | Mode::Holding | Mode::Stopping)
}

fn nanos_between(earlier: Stamp, later: Stamp) -> u64 {
    later.as_nanos().saturating_sub(earlier.as_nanos())
}
