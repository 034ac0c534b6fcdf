//! The loop's own work on what a tape remembers, instead of on time and rings.

use std::sync::Arc;

use prehend_types::Stamp;
use rtrb::Consumer;

use super::clock::Clock;
use super::ports::{LoopEvent, LoopPorts, TimedCommand};
use super::stats::LoopStats;
use super::tape::{TickOutcome, TickRecord};
use super::worker::Worker;
use crate::Controller;

/// Runs recorded ticks again, through the code that the control thread runs.
#[derive(Debug)]
pub struct LoopReplay {
    worker: Worker<Told>,
    commands: Consumer<TimedCommand>,
    events: Consumer<LoopEvent>,
}

/// Says what it was told.
#[derive(Debug)]
struct Told(Stamp);

impl Clock for Told {
    fn now(&mut self) -> Stamp {
        self.0
    }

    fn sleep_until(&mut self, moment: Stamp) {
        self.0 = moment;
    }
}

impl LoopReplay {
    /// A loop that has not ticked yet; the controller is as it was made.
    #[must_use]
    pub fn new(controller: Controller) -> Self {
        let stats = Arc::new(LoopStats::new(controller.config().rate_hz));
        let (worker, ports) = Worker::new(Told(Stamp::ZERO), controller, stats, None);
        let LoopPorts {
            commands, events, ..
        } = ports;
        Self {
            worker,
            commands,
            events,
        }
    }

    /// One tick on the record's inputs; what it gives now. Ticks have to come in order, all of them.
    pub fn step(&mut self, record: &TickRecord) -> TickOutcome {
        let moment = &record.moment;
        // The loop looks at the clock once in a tick: when it stamps the command.
        let stamp = (record.outcome.command).map_or(moment.now, |command| command.stamp);
        self.worker.clock = Told(stamp);
        self.worker.worked_nanos = moment.worked_nanos;
        if moment.is_ending {
            self.worker.controller.soft_stop();
        }
        if record.state.is_some() {
            self.worker.state = record.state;
        }
        for message in &record.messages {
            self.worker.obey(*message, moment.now);
        }
        for chunk in &record.chunks {
            self.worker.consider(chunk, moment.now);
        }
        let outcome = self.worker.conclude(moment.now, moment.late_nanos);
        while self.commands.pop().is_ok() {}
        while self.events.pop().is_ok() {}
        outcome
    }
}
