//! Turns hours of adversarial plans, driven through every vendor's rules, into counts of interference.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use prehend_drivers::DriverError;
use prehend_drivers::vendor::{Fault, Findings, Kind, Rig, RigConfig};
use prehend_robot::Robot;
use prehend_types::config::locate;

use super::bench::Body;
use crate::exit::{Class, Failure, Verdict};
use crate::meter::Row;
use crate::progress::Progress;
use crate::session::{Session, cores};

const EXAMPLES: &str = "Examples:
  prehend bench vendors
  prehend bench vendors --ticks 25200000 --json

The controller at 500 Hz is given plans that lead anywhere and drives every vendor's rules through the
driver's shell, on simulated time: one tick is 1 ms, 3,600,000 per vendor are an hour. Then 1 to 25
setpoints, and 1 to 25 ms of commands, are lost in mid-motion. Required, all along: no motion ended and no
setpoint dropped by a vendor, none above 20 rad/s, none outside the robot's own limits, no stop for good by
the driver; what a vendor bridges is bridged, and one lost setpoint more ends the motion. Exits with 1 if
something required fell short.";

/// Length of one run, and of what follows a burst, ms.
const RUN_TICKS: u64 = 20_000;
const BURST_TICKS: [u64; 2] = [700, 300];
/// Longest burst.
const MAX_BURST: u64 = 25;
/// What Universal Robots' controller ignores, rad/s.
const MAX_SPEED: f64 = 20.0;

/// Arguments of `prehend bench vendors`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchVendors {
    /// Milliseconds of motion, over all vendors.
    #[arg(long, default_value_t = 420_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    ticks: u64,
    /// Bursts of each length and kind, per vendor.
    #[arg(long, default_value_t = 4)]
    bursts: u64,
    /// First seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// What one vendor came to; interference is [`Findings::interference`].
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    steady: Findings,
    /// Bursts of lost setpoints that the vendor has to bridge or to sit out, and how many of them came with
    /// interference.
    bridgeable: [u64; 2],
    /// Bursts that have to end the motion, and how many did not.
    fatal: [u64; 2],
    /// Bursts of lost commands, and how many of them a vendor noticed, or came with interference.
    silences: [u64; 2],
    /// What was seen in both kinds of bursts that should go by unnoticed.
    bursts: Findings,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Steady { ticks: u64 },
    LosePoints { points: u32 },
    LoseCommands { ticks: u64 },
}

impl BenchVendors {
    /// Runs everything.
    ///
    /// # Errors
    /// A robot was refused.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let robots = (Kind::ALL.iter())
            .map(|kind| {
                let folder = Path::new("robots").join(kind.robot());
                Ok(Arc::new(Robot::load(&locate(&folder)?)?))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let start = Instant::now();
        let accounts = self.sweep(session, &robots)?;
        let seconds = start.elapsed().as_secs_f64();
        let mut rows = Vec::new();
        let (mut ticks, mut short) = (0, Vec::new());
        for (kind, account) in &accounts {
            rows.extend(account.rows(kind.name()));
            ticks += account.steady.ticks;
            if let Some(what) = account.shortfall() {
                short.push(format!("{}: {what}", kind.name()));
            }
        }
        rows.push(Row::new(
            "vendors/ticks",
            "1/s",
            ticks,
            vec![ticks as f64 / seconds],
        ));
        let body = Body { rows };
        session.report(Some(self.seed), &body, &body)?;
        let shortfall = (!short.is_empty()).then(|| short.join("; "));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }

    /// All work on all cores, or until the user asks to stop.
    fn sweep(
        &self,
        session: &Session,
        robots: &[Arc<Robot>],
    ) -> Result<BTreeMap<Kind, Account>, Failure> {
        let each = self.ticks.div_ceil(Kind::ALL.len() as u64);
        let runs = each.div_ceil(RUN_TICKS);
        let per_kind = runs + self.bursts * MAX_BURST * 2;
        let units = per_kind * Kind::ALL.len() as u64;
        let progress = Progress::new("vendors", units);
        let next = AtomicU64::new(0);
        let accounts = Mutex::new(BTreeMap::<Kind, Account>::new());
        let work = || -> Result<(), DriverError> {
            loop {
                let unit = next.fetch_add(1, Relaxed);
                if unit >= units || session.interrupt.is_set() {
                    return Ok(());
                }
                let (kind_idx, index) = (
                    (unit % Kind::ALL.len() as u64) as usize,
                    unit / Kind::ALL.len() as u64,
                );
                let burst = index.saturating_sub(runs);
                let work = if index < runs {
                    Work::Steady {
                        ticks: each.min(RUN_TICKS),
                    }
                } else if burst.is_multiple_of(2) {
                    Work::LosePoints {
                        points: 1 + (burst / 2 % MAX_BURST) as u32,
                    }
                } else {
                    Work::LoseCommands {
                        ticks: 1 + burst / 2 % MAX_BURST,
                    }
                };
                let kind = Kind::ALL[kind_idx];
                let done = account(kind, &robots[kind_idx], work, self.seed + index)?;
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts.entry(kind).or_default().add(&done);
                let interference = accounts
                    .values()
                    .map(|account| account.steady.interference());
                progress.step(format!("{} interferences", interference.sum::<u64>()));
            }
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        progress.finish();
        for result in results {
            result
                .map_err(|_| Failure::new(Class::Runtime, anyhow::anyhow!("a thread panicked")))?
                .map_err(|error| Failure::new(Class::BadInput, error))?;
        }
        Ok(accounts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

fn account(kind: Kind, robot: &Arc<Robot>, work: Work, seed: u64) -> Result<Account, DriverError> {
    let is_steady = matches!(work, Work::Steady { .. });
    let config = RigConfig {
        has_operator: is_steady,
        ..RigConfig::default()
    };
    let mut rig = Rig::new(kind, robot, config, seed)?;
    let mut account = Account::default();
    match work {
        Work::Steady { ticks } => {
            rig.run(ticks);
            account.steady = rig.findings();
        }
        Work::LosePoints { points } => {
            rig.run(BURST_TICKS[0]);
            let before = rig.findings();
            rig.lose_points(points);
            rig.run(BURST_TICKS[1]);
            let found = rig.findings();
            if kind.most_lost().is_none_or(|most| points <= most) {
                let interferes = found.interference() > before.interference();
                account.bridgeable = [1, u64::from(interferes)];
                account.bursts = found;
            } else {
                account.fatal = [1, u64::from(found.aborts == before.aborts)];
            }
        }
        Work::LoseCommands { ticks } => {
            rig.run(BURST_TICKS[0]);
            for _ in 0..ticks {
                rig.tick(Fault::CommandLost);
            }
            rig.run(BURST_TICKS[1]);
            let found = rig.findings();
            let noticed = found.extrapolated + found.interference();
            account.silences = [1, noticed.min(1)];
            account.bursts = found;
        }
    }
    Ok(account)
}

impl Account {
    fn add(&mut self, other: &Self) {
        self.steady.add(&other.steady);
        self.bursts.add(&other.bursts);
        for (own, other) in [
            (&mut self.bridgeable, other.bridgeable),
            (&mut self.fatal, other.fatal),
            (&mut self.silences, other.silences),
        ] {
            own[0] += other[0];
            own[1] += other[1];
        }
    }

    fn shortfall(&self) -> Option<String> {
        let found = &self.steady;
        let counts = [
            ("motions ended", found.aborts),
            ("setpoints dropped", found.dropped()),
            ("stops for good", found.latched),
            ("setpoints bridged though all were sent", found.extrapolated),
            (
                "setpoints outside the robot's limits",
                found.told_violations,
            ),
            (
                "setpoints above 20 rad/s",
                u64::from(found.fastest_point > MAX_SPEED),
            ),
            ("bursts that something interfered in", self.bridgeable[1]),
            ("bursts that did not end the motion", self.fatal[1]),
            ("silences that something noticed", self.silences[1]),
        ];
        let short: Vec<_> = (counts.iter())
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let first = found
            .first_abort
            .map(|(tick, abort)| format!("first at {tick} ms: {abort:?}"));
        let stop =
            (found.first_latch.or(self.bursts.first_latch)).map(|(tick, driver, controller)| {
                format!("first stop at {tick} ms: driver {driver:?}, controller {controller:?}")
            });
        (!short.is_empty()).then(|| {
            short
                .into_iter()
                .chain(first)
                .chain(stop)
                .collect::<Vec<_>>()
                .join(", ")
        })
    }

    fn rows(&self, vendor: &str) -> Vec<Row> {
        let row = |what: &str, unit, n: u64, value: f64| {
            Row::new(format!("vendors/{vendor}/{what}"), unit, n, vec![value])
        };
        let found = &self.steady;
        let count = |what, value: u64| row(what, "count", found.points, value as f64);
        let burst = |what, [n, value]: [u64; 2]| row(what, "bursts", n, value as f64);
        let of_bursts = |what: &str, value: u64| {
            let n = self.bridgeable[0] + self.silences[0];
            row(&format!("bursts/{what}"), "count", n, value as f64)
        };
        vec![
            count("aborts", found.aborts),
            count("latched", found.latched),
            count("lost", found.lost),
            count("too_fast", found.too_fast),
            count("distant", found.distant),
            count("extrapolated", found.extrapolated),
            count("limit_violations", found.told_violations),
            count("unread_states", found.unread),
            row(
                "fastest_setpoint",
                "rad/s",
                found.points,
                found.fastest_point,
            ),
            row("way", "rad", found.ticks, found.way),
            burst("loss/not_bridged", self.bridgeable),
            burst("loss/not_stopped", self.fatal),
            burst("silence/noticed", self.silences),
            of_bursts("latched", self.bursts.latched),
            of_bursts("dropped", self.bursts.dropped()),
            of_bursts("limit_violations", self.bursts.told_violations),
        ]
    }
}
