//! The control thread itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use prehend_types::{ActionChunk, RobotState, Stamp};
use rtrb::{Consumer, Producer, RingBuffer};

use super::clock::Clock;
use super::deadline::MissPolicy;
use super::ports::{LoopEvent, LoopMessage, LoopPorts, TimedCommand};
use super::stats::LoopStats;
use super::tape::{Moment, SentCommand, Tape, TickOutcome};
use crate::{ArmError, Controller, Mode, StopReason, Tick};

/// Room in the rings: a link thread may sleep this many ticks before commands are lost.
const COMMANDS: usize = 1024;
const STATES: usize = 64;
const CHUNKS: usize = 8;
const MESSAGES: usize = 64;
const EVENTS: usize = 256;
/// A tick that ends later than this share of a period after its planned moment begins the rhythm anew, so
/// that no two commands are closer than the rest of it.
const LATE_SHARE: f64 = 0.2;
/// Longest that ending the loop waits for the arm to stand still.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Everything the thread owns.
#[derive(Debug)]
pub(super) struct Worker<C> {
    pub clock: C,
    pub controller: Controller,
    pub states: Consumer<RobotState>,
    pub chunks: Consumer<ActionChunk>,
    pub messages: Consumer<LoopMessage>,
    pub commands: Producer<TimedCommand>,
    pub events: Producer<LoopEvent>,
    pub state: Option<RobotState>,
    /// The stop that was told last.
    pub told_stop: Option<StopReason>,
    /// Session whose arming was begun and not yet answered.
    pub arming: Option<u64>,
    pub seq: u64,
    /// Since when the arm holds without a plan.
    pub holding_since: Option<Stamp>,
    /// How long the last tick worked, ns.
    pub worked_nanos: u64,
    /// The command of this tick.
    pub sent: Option<SentCommand>,
    pub stats: Arc<LoopStats>,
    /// Remembers every tick, if somebody asked for it.
    pub tape: Option<Tape>,
}

impl<C: Clock> Worker<C> {
    /// A loop before its first tick, and the other ends of its rings.
    pub fn new(
        clock: C,
        controller: Controller,
        stats: Arc<LoopStats>,
        tape: Option<Tape>,
    ) -> (Self, LoopPorts) {
        let (states_in, states) = RingBuffer::new(STATES);
        let (chunks_in, chunks) = RingBuffer::new(CHUNKS);
        let (messages_in, messages) = RingBuffer::new(MESSAGES);
        let (commands, commands_out) = RingBuffer::new(COMMANDS);
        let (events, events_out) = RingBuffer::new(EVENTS);
        let this = Self {
            clock,
            controller,
            states,
            chunks,
            messages,
            commands,
            events,
            state: None,
            told_stop: None,
            arming: None,
            seq: 0,
            holding_since: None,
            worked_nanos: 0,
            sent: None,
            stats,
            tape,
        };
        let ports = LoopPorts {
            states: states_in,
            chunks: chunks_in,
            messages: messages_in,
            commands: commands_out,
            events: events_out,
        };
        (this, ports)
    }

    /// The loop. Inside it there is no allocation, lock, wait (but the timer), log line or file: its
    /// only system call is the sleep, what comes and goes passes through rings that never block, and
    /// everything it counts is in atomics that it alone writes.
    pub fn run(&mut self, finish: &AtomicBool) {
        let period = Duration::from_secs_f64(self.controller.config().dt_s());
        let tolerance = period.mul_f64(LATE_SHARE);
        let mut next = self.clock.now().after(period);
        let mut last: Option<Stamp> = None;
        let mut give_up: Option<Stamp> = None;
        let mut tick = 0;
        loop {
            self.clock.sleep_until(next);
            let woke = self.clock.now();
            let late = woke.saturating_since(next);
            self.stats.latency.record(nanos(late));
            if let Some(last) = last {
                self.stats.period.record(nanos_between(last, woke));
            }
            last = Some(woke);
            let is_ending = finish.load(Relaxed);
            if is_ending {
                self.controller.soft_stop();
            }
            self.work(Moment {
                tick,
                // The planned moment, so that the plan is sampled evenly; after a long sleep that of waking
                // up, or what came meanwhile would look as if it were from the future.
                now: if late > tolerance { woke } else { next },
                late_nanos: nanos(late),
                worked_nanos: self.worked_nanos,
                is_ending,
            });
            tick += 1;
            if is_ending {
                // Only after the work, which tells the driver to stop even if the arm stands already.
                let give_up = *give_up.get_or_insert(woke.after(STOP_PATIENCE));
                if self.controller.is_at_rest() || woke >= give_up {
                    return;
                }
            }
            let done = self.clock.now();
            self.worked_nanos = nanos_between(woke, done);
            self.stats.compute.record(self.worked_nanos);
            self.stats.ticks.fetch_add(1, Relaxed);
            next = self.plan_next(next, done, period, tolerance);
        }
    }

    /// One period after the moment that was planned. After a tick that ended late a period after that end:
    /// what is past is left out and never made up for, and no command follows another at once.
    fn plan_next(
        &self,
        planned: Stamp,
        done: Stamp,
        period: Duration,
        tolerance: Duration,
    ) -> Stamp {
        let late = done.saturating_since(planned);
        if late <= tolerance {
            return planned.after(period);
        }
        let missed = nanos(late) / nanos(period).max(1);
        self.stats.deadline_misses.fetch_add(missed, Relaxed);
        done.after(period)
    }

    fn work(&mut self, moment: Moment) {
        let now = moment.now;
        let mut newest = None;
        while let Ok(state) = self.states.pop() {
            newest = Some(state);
        }
        self.state = newest.or(self.state);
        while let Ok(message) = self.messages.pop() {
            if let Some(tape) = &mut self.tape {
                tape.message(message);
            }
            self.obey(message, now);
        }
        while let Ok(chunk) = self.chunks.pop() {
            if let Some(tape) = &mut self.tape {
                tape.chunk(&chunk);
            }
            self.consider(&chunk, now);
        }
        let outcome = self.conclude(now, moment.late_nanos);
        if let Some(tape) = &mut self.tape {
            tape.tick(moment, newest, outcome);
        }
    }

    /// Takes a plan, or refuses it.
    pub fn consider(&mut self, chunk: &ActionChunk, now: Stamp) {
        let outcome = self.controller.accept(chunk, now);
        if outcome.is_ok() {
            self.stats.chunk_age.record(nanos_between(chunk.start, now));
        }
        self.tell(LoopEvent::Chunk {
            start: chunk.start,
            outcome,
        });
    }

    /// What a tick does once it has taken what came.
    pub fn conclude(&mut self, now: Stamp, late_nanos: u64) -> TickOutcome {
        self.sent = None;
        if let Some(state) = self.state {
            self.tick(&state, now, late_nanos);
        }
        let stop_reason = self.controller.stop_reason();
        if stop_reason != self.told_stop {
            self.told_stop = stop_reason;
            if let Some(reason) = stop_reason {
                self.tell(LoopEvent::Stopping(reason));
            }
        }
        self.stats.store_limiter(self.controller.counters());
        TickOutcome {
            mode: self.controller.mode(),
            command: self.sent,
        }
    }

    fn tick(&mut self, state: &RobotState, now: Stamp, late_nanos: u64) {
        let before = self.controller.mode();
        let tick = match self.judge_deadlines(state, now, late_nanos) {
            // Nothing is sent, but what the state says is heard: a driver that is silent for long stops it.
            Some(MissPolicy::Skip) => return self.controller.watch(state, now),
            Some(MissPolicy::Hold) => self.controller.braking_tick(state, now),
            Some(MissPolicy::Stop) => {
                self.controller.stop(StopReason::Deadline);
                self.controller.tick(state, now)
            }
            Some(MissPolicy::Warn) | None => self.controller.tick(state, now),
        };
        self.answer_arming();
        // The last command of a stop is sent too: it is the one that stands still.
        if before.commands() || tick.mode.commands() {
            self.send(&tick);
        }
        self.stats.mode.store(tick.mode as u8, Relaxed);
    }

    /// Counts the stages that are late; the answer to the worst of them. Nobody waits for an arm that
    /// is not armed, and a stop is never put off.
    fn judge_deadlines(
        &mut self,
        state: &RobotState,
        now: Stamp,
        late_nanos: u64,
    ) -> Option<MissPolicy> {
        let mode = self.controller.mode();
        if mode == Mode::Holding {
            self.holding_since.get_or_insert(now);
        } else {
            self.holding_since = None;
        }
        if !mode.is_running() {
            return None;
        }
        let age_nanos = nanos_between(state.stamp, now);
        self.stats.state_age.record(age_nanos);
        let held_nanos = self
            .holding_since
            .map_or(0, |since| nanos_between(since, now));
        let deadlines = &self.controller.config().deadlines;
        let (late, policy) =
            deadlines.judge([late_nanos, self.worked_nanos, age_nanos, held_nanos]);
        for (count, late) in self.stats.late.iter().zip(late) {
            count.fetch_add(u64::from(late), Relaxed);
        }
        policy
    }

    pub fn obey(&mut self, message: LoopMessage, now: Stamp) {
        match message {
            LoopMessage::Arm { epoch } => match self.arm(epoch, now) {
                Ok(()) => self.arming = Some(epoch),
                Err(error) => self.tell(LoopEvent::ArmRefused(error)),
            },
            LoopMessage::Stop => self.controller.soft_stop(),
            LoopMessage::StopFor(reason) => self.controller.stop(reason),
            LoopMessage::Reset => _ = self.controller.reset(),
        }
    }

    fn arm(&mut self, epoch: u64, now: Stamp) -> Result<(), ArmError> {
        let state = self.state.as_ref().ok_or(ArmError::NoState)?;
        self.controller.begin_arming(epoch, state, now)
    }

    /// Tells how an arming ended, once.
    fn answer_arming(&mut self) {
        let mode = self.controller.mode();
        let Some(epoch) = self.arming.filter(|_| mode != Mode::Arming) else {
            return;
        };
        self.arming = None;
        self.tell(if mode.is_running() {
            LoopEvent::Armed { epoch }
        } else {
            LoopEvent::ArmRefused(self.controller.arm_error().unwrap_or(ArmError::Withdrawn))
        });
    }

    fn send(&mut self, tick: &Tick) {
        self.seq = self.seq.wrapping_add(1);
        let command = TimedCommand {
            seq: self.seq,
            epoch: self.controller.epoch(),
            stamp: self.clock.now(),
            command: tick.command,
            mode: tick.mode,
            base_from_tcp_d: tick.base_from_tcp_d,
        };
        self.sent = Some(SentCommand::from(&command));
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

fn nanos_between(earlier: Stamp, later: Stamp) -> u64 {
    nanos(later.saturating_since(earlier))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
