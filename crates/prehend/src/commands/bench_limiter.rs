//! Turns adversarial ticks of the limiter, on every robot, into counts of what went wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use prehend_control::trial::{self, Adversary, ArmFindings, Outcome, Trial};
use prehend_control::{ControlError, JointBounds, joint_bounds};
use prehend_robot::Robot;
use prehend_types::config::locate;

use super::bench::Body;
use crate::exit::{Class, Failure, Verdict};
use crate::meter::Row;
use crate::progress::Progress;
use crate::session::{Session, cores};

const EXAMPLES: &str = "Examples:
  prehend bench limiter
  prehend bench limiter --ticks 100000000 --json
  prehend bench limiter robots/ur5e --seed 7

Adversaries drive every robot with square waves, jumps, walks, chases of the limits, huge numbers and no
numbers, from starts inside and outside the limits, at 30 to 1000 Hz, while limits are tightened and
loosened. A judge that sees positions only takes their differences and plays stops forward. One unit in
eight climbs from adversary to adversary towards the limits. Then whole controllers are led against
themselves and the tool's box. Exits with 1 if anything was violated.";

/// Robots that ship.
const ROBOTS: [&str; 6] = [
    "robots/fr3",
    "robots/panda",
    "robots/ur5e",
    "robots/xarm6",
    "robots/xarm7",
    "robots/so101",
];
/// Ticks of one run.
const RUN_TICKS: u64 = 20_000;
/// Every so many runs adversaries are bred instead, in so many runs of so many ticks.
const CLIMB_EVERY: u64 = 8;
const CLIMB: (u64, u64) = (20, 1_000);

/// Arguments of `prehend bench limiter`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchLimiter {
    /// Folders of the robots; all that ship if none is given.
    #[arg(value_name = "ROBOT")]
    robots: Vec<PathBuf>,
    /// Ticks of the joint limiter, over all robots.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    ticks: u64,
    /// Ticks of whole controllers, over all robots.
    #[arg(long, default_value_t = 100_000)]
    arm_ticks: u64,
    /// Every so many ticks a stop is played forward.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    look_every: u64,
    /// First seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

struct Subject {
    name: String,
    robot: Arc<Robot>,
    bounds: Vec<JointBounds>,
}

/// What one unit of work came to.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    limiter: Outcome,
    arm: ArmFindings,
}

impl BenchLimiter {
    /// Runs everything.
    ///
    /// # Errors
    /// A robot was refused.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let shipped = || ROBOTS.iter().map(PathBuf::from).collect();
        let folders = Some(self.robots.clone()).filter(|given| !given.is_empty());
        let subjects = (folders.unwrap_or_else(shipped).iter())
            .map(|folder| subject(folder))
            .collect::<Result<Vec<_>, Failure>>()?;
        let start = Instant::now();
        let limiter = self.sweep(
            session,
            &subjects,
            "limiter",
            self.ticks,
            |subject, seed, ticks| {
                let limiter = self.limiter_unit(subject, seed, ticks)?;
                Ok(Account {
                    limiter,
                    ..Account::default()
                })
            },
        )?;
        let limiter_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let arms = self.sweep(
            session,
            &subjects,
            "arms",
            self.arm_ticks,
            |subject, seed, ticks| {
                let arm = trial::run_arm(&subject.robot, seed, ticks)?;
                Ok(Account {
                    arm,
                    ..Account::default()
                })
            },
        )?;
        let arm_s = start.elapsed().as_secs_f64();

        let mut rows = Vec::new();
        let (mut violations, mut ticks, mut arm_ticks) = (0, 0, 0);
        for (name, account) in &limiter {
            rows.extend(limiter_rows(name, &account.limiter));
            violations += account.limiter.findings.violations();
            ticks += account.limiter.ticks;
        }
        for (name, account) in &arms {
            rows.extend(arm_rows(name, &account.arm));
            let arm = &account.arm;
            violations += arm.violations + arm.too_near + arm.outside + arm.no_stop;
            arm_ticks += arm.ticks;
        }
        let rate = |name, ticks: u64, seconds: f64| {
            Row::new(name, "1/s", ticks, vec![ticks as f64 / seconds])
        };
        rows.push(rate("limiter/ticks", ticks, limiter_s));
        rows.push(rate("arm/ticks", arm_ticks, arm_s));
        let body = Body { rows };
        session.report(Some(self.seed), &body, &body)?;
        let shortfall = (violations > 0).then(|| format!("{violations} violations"));
        Ok(session.unless_stopped(Verdict::from_shortfall(shortfall)))
    }

    fn limiter_unit(
        &self,
        subject: &Subject,
        seed: u64,
        ticks: u64,
    ) -> Result<Outcome, ControlError> {
        if seed % CLIMB_EVERY == CLIMB_EVERY - 1 && ticks == RUN_TICKS {
            return trial::climb(&subject.bounds, seed, CLIMB.0, CLIMB.1);
        }
        trial::run(&Trial {
            bounds: &subject.bounds,
            adversary: Adversary::drawn(seed),
            ticks,
            look_every: self.look_every,
        })
    }

    /// Does at least `ticks` of some work on all cores, in equal parts on every robot, or until the user
    /// asks to stop.
    fn sweep(
        &self,
        session: &Session,
        subjects: &[Subject],
        what: &str,
        ticks: u64,
        unit: impl Fn(&Subject, u64, u64) -> Result<Account, ControlError> + Sync,
    ) -> Result<BTreeMap<String, Account>, Failure> {
        let each = ticks.div_ceil(subjects.len() as u64);
        let unit_ticks = each.min(RUN_TICKS);
        let units = each.div_ceil(unit_ticks.max(1)) * subjects.len() as u64;
        let progress = Progress::new(what, units);
        let next = AtomicU64::new(0);
        let accounts = Mutex::new(BTreeMap::<String, Account>::new());
        let work = || -> Result<(), ControlError> {
            loop {
                let index = next.fetch_add(1, Relaxed);
                if index >= units || session.interrupt.is_set() {
                    return Ok(());
                }
                let subject = &subjects[(index % subjects.len() as u64) as usize];
                let done = unit(
                    subject,
                    self.seed + index / subjects.len() as u64,
                    unit_ticks,
                )?;
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                let account = accounts.entry(subject.name.clone()).or_default();
                account.limiter.add(&done.limiter);
                account.arm.add(&done.arm);
                progress.step(format!("{} violations", violations(&accounts)));
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

fn violations(accounts: &BTreeMap<String, Account>) -> u64 {
    let of_one = |account: &Account| {
        let arm = &account.arm;
        account.limiter.findings.violations()
            + arm.violations
            + arm.too_near
            + arm.outside
            + arm.no_stop
    };
    accounts.values().map(of_one).sum()
}

fn subject(folder: &Path) -> Result<Subject, Failure> {
    let robot = Arc::new(Robot::load(&locate(folder)?)?);
    let bounds = joint_bounds(&robot).map_err(|error| Failure::new(Class::BadInput, error))?;
    Ok(Subject {
        name: robot.name().to_owned(),
        bounds: bounds[..robot.n_joints()].to_vec(),
        robot,
    })
}

fn limiter_rows(robot: &str, outcome: &Outcome) -> Vec<Row> {
    let found = &outcome.findings;
    let row = |what: &str, unit, n, value: Option<f64>| {
        let values = value.into_iter().collect();
        Row::new(format!("limiter/{robot}/{what}"), unit, n, values)
    };
    let [speed, acceleration, jerk] = found.worst_share;
    let counts = [
        ("position", found.position),
        ("velocity", found.velocity),
        ("envelope", found.envelope),
        ("acceleration", found.acceleration),
        ("jerk", found.jerk),
        ("non_finite", found.non_finite),
        ("widened", found.widened),
        ("astray", found.astray),
    ];
    let shares = [
        ("worst_speed", speed),
        ("worst_acceleration", acceleration),
        ("worst_jerk", jerk),
    ];
    let mut rows: Vec<Row> = counts
        .into_iter()
        .map(|(what, count)| row(what, "violations", outcome.ticks, Some(count as f64)))
        .collect();
    rows.push(row(
        "no_stop",
        "violations",
        found.stops,
        Some(found.no_stop as f64),
    ));
    for (what, share) in shares {
        rows.push(row(what, "share of limit", outcome.ticks, Some(share)));
    }
    rows.push(row("least_slack", "rad", outcome.ticks, found.least_slack));
    rows.push(row(
        "starts_outside",
        "runs",
        outcome.ticks,
        Some(outcome.starts_outside as f64),
    ));
    rows
}

fn arm_rows(robot: &str, found: &ArmFindings) -> Vec<Row> {
    let row = |what: &str, unit, n, value: f64| {
        Row::new(format!("arm/{robot}/{what}"), unit, n, vec![value])
    };
    let n = found.ticks;
    vec![
        row("joint_limits", "violations", n, found.violations as f64),
        row("too_near_to_itself", "violations", n, found.too_near as f64),
        row("outside_box", "violations", n, found.outside as f64),
        row("no_stop", "violations", found.stops, found.no_stop as f64),
        row("kept_apart", "ticks", n, found.kept_apart as f64),
        row("kept_inside", "ticks", n, found.kept_inside as f64),
        row("tool_over_speed", "ticks", n, found.too_fast as f64),
        row(
            "worst_tool_speed",
            "share of cap",
            n,
            found.worst_speed_share,
        ),
    ]
}
