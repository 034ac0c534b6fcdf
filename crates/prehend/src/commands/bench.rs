//! Turns this machine into numbers: inference, simulation, clouds, training.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use prehend_policy::{Bundle, EngineChoice, OnnxPolicy, Runtime, RuntimeOptions, measure_latency};
use prehend_sim::{FamilySet, Pilot, RolloutConfig, World, rollout};
use prehend_types::config::locate;
use prehend_types::stats::quantile;
use prehend_types::{Observation, Policy as _};
use serde::Serialize;

use crate::commands::bench_limiter::BenchLimiter;
use crate::commands::bench_sim::BenchSim;
use crate::commands::bench_vendors::BenchVendors;
use crate::exit::{Failure, Verdict};
use crate::meter::{REPEATS, Row, rate};
use crate::session::{Session, cores};
use crate::training_speed;
use crate::workcell::{Place, Workcell};

const EXAMPLES: &str = "Examples:
  prehend bench
  prehend bench --seconds 10 --json
  prehend bench models/fr3_pick_place_teacher
  prehend bench sim --rivals rivals    (the simulator, beside others)
  prehend bench limiter                (the limiter, under attack)
  prehend bench vendors                (the whole stack against vendors' own rules)

Each row is the median of 5 repeats, with the lowest and the highest. Run it on an idle machine.";

/// Seed of the first scene that is measured in.
const SEED: u64 = 900_000;
/// Observations that inference cycles through.
const N_OBSERVATIONS: u64 = 8;

/// Arguments of `prehend bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    /// Folder of the bundle whose inference is measured.
    #[arg(value_name = "BUNDLE", default_value = "models/fr3_pick_place")]
    bundle: PathBuf,
    /// Length of one repeat, s.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Settings of the training that is measured.
    #[arg(long, default_value = "models/train_flow.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measure the simulator, beside other simulators if they are there.
    Sim(BenchSim),
    /// Attack the limiter of every robot, and count what it lets through.
    Limiter(BenchLimiter),
    /// Drive every vendor's own rules with adversarial plans, and count where they interfere.
    Vendors(BenchVendors),
}

/// The rows of a benchmark.
#[derive(Debug, Serialize)]
pub struct Body {
    /// In the order of measuring.
    pub rows: Vec<Row>,
}

impl Bench {
    /// Measures everything.
    ///
    /// # Errors
    /// An input was refused, or a measurement failed.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        match &self.what {
            Some(What::Sim(args)) => return args.run(session),
            Some(What::Limiter(args)) => return args.run(session),
            Some(What::Vendors(args)) => return args.run(session),
            None => {}
        }
        if !(0.01..=3_600.0).contains(&self.seconds) {
            return Err(Failure::usage("--seconds must be from 0.01 to 3600"));
        }
        let repeat = Duration::from_secs_f64(self.seconds);
        let cell = self.place.open()?;
        let bundle = Bundle::load(&locate(&self.bundle)?)?;
        bundle.check_robot(cell.robot.name(), cell.robot.content_hash())?;
        let mut rows = Vec::new();
        for measure in [control_steps, clouds, resets] {
            rows.push(measure(&cell, 1, repeat)?);
            rows.push(measure(&cell, cores(), repeat)?);
            if session.interrupt.is_set() {
                break;
            }
        }
        if !session.interrupt.is_set() {
            rows.extend(inference(&cell, &bundle, repeat)?);
        }
        if !session.interrupt.is_set() {
            rows.push(training_speed::measure(
                &cell,
                &self.config,
                repeat,
                &session.interrupt,
            )?);
        }
        let body = Body { rows };
        session.report(Some(SEED), &body, &body)?;
        Ok(session.unless_stopped(Verdict::Passed))
    }
}

/// Actions of 50 ms per second: ten physics steps with ten ticks of the controller, led by the expert.
fn control_steps(cell: &Workcell, threads: usize, repeat: Duration) -> Result<Row, Failure> {
    let name = format!("sim/control_steps/{threads}_threads");
    rate(name, threads, repeat, first_seed, |seed| {
        let mut world = next_world(cell, seed)?;
        let start = Instant::now();
        let result = rollout(
            &mut world,
            Pilot::Expert,
            &RolloutConfig::default(),
            &mut |_| {},
        )?;
        Ok((result.n_actions as u64, start.elapsed()))
    })
}

/// Observations per second: all cameras rendered, with noise, cropped and sampled.
fn clouds(cell: &Workcell, threads: usize, repeat: Duration) -> Result<Row, Failure> {
    let name = format!("cloud/observe/{threads}_threads");
    rate(
        name,
        threads,
        repeat,
        |index| next_world(cell, &mut first_seed(index)?),
        |world| {
            let start = Instant::now();
            std::hint::black_box(world.observe());
            Ok((1, start.elapsed()))
        },
    )
}

/// Settled scenes per second.
fn resets(cell: &Workcell, threads: usize, repeat: Duration) -> Result<Row, Failure> {
    let name = format!("sim/reset/{threads}_threads");
    rate(name, threads, repeat, first_seed, |seed| {
        let start = Instant::now();
        next_world(cell, seed)?;
        Ok((1, start.elapsed()))
    })
}

/// Threads work on seeds of their own.
fn first_seed(thread_idx: usize) -> Result<u64, Failure> {
    Ok(SEED + 1_000 * thread_idx as u64)
}

fn next_world(cell: &Workcell, seed: &mut u64) -> Result<World, Failure> {
    *seed += 1;
    cell.world(*seed, FamilySet::All)
}

/// Whole calls of the policy, observation to checked chunk, through both engines.
fn inference(cell: &Workcell, bundle: &Bundle, repeat: Duration) -> Result<Vec<Row>, Failure> {
    let observations = (0..N_OBSERVATIONS)
        .map(|index| Ok(cell.world(SEED + index, FamilySet::All)?.observe()))
        .collect::<Result<Vec<_>, Failure>>()?;
    let runtime = Runtime::open(&RuntimeOptions {
        allow_install: true,
        ..RuntimeOptions::default()
    })?;
    let is_found = runtime.library().is_some();
    let onnx = latency(
        bundle,
        is_found.then_some(&runtime),
        "onnx_runtime",
        &observations,
        repeat,
    )?;
    let embedded = RuntimeOptions {
        engine: EngineChoice::Embedded,
        ..RuntimeOptions::default()
    };
    let embedded = Runtime::open(&embedded)?;
    let embedded = latency(bundle, Some(&embedded), "embedded", &observations, repeat)?;
    let compared = embedded
        .into_iter()
        .zip(&onnx)
        .map(|(row, base)| row.against(base));
    let compared: Vec<Row> = compared.collect();
    Ok([onnx, compared].concat())
}

/// Rows for p50 and p99; unmeasured ones without an engine.
fn latency(
    bundle: &Bundle,
    runtime: Option<&Runtime>,
    engine: &str,
    observations: &[Observation],
    repeat: Duration,
) -> Result<Vec<Row>, Failure> {
    let quantiles = [("p50", 0.5), ("p99", 0.99)];
    let mut repeats = vec![Vec::new(); quantiles.len()];
    let mut n_all = 0;
    if let Some(runtime) = runtime {
        let mut policy = OnnxPolicy::from_bundle(bundle, runtime, 50)?;
        policy.reset(SEED);
        for _ in 0..REPEATS {
            let mut times_ms = Vec::new();
            let start = Instant::now();
            while start.elapsed() < repeat {
                times_ms.extend(measure_latency(
                    &mut policy,
                    observations,
                    observations.len(),
                )?);
            }
            times_ms.sort_by(f64::total_cmp);
            n_all += times_ms.len() as u64;
            for (values, (_, q)) in repeats.iter_mut().zip(quantiles) {
                values.extend(quantile(&times_ms, q));
            }
        }
    }
    let name = &bundle.manifest().name;
    let rows = quantiles
        .iter()
        .zip(repeats)
        .map(|((quantile, _), values)| {
            Row::new(
                format!("policy/{engine}/{name}/{quantile}"),
                "ms",
                n_all,
                values,
            )
        });
    Ok(rows.collect())
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:44} {:>12} {:>12} {:>12}  unit",
            "name", "value", "lowest", "highest"
        )?;
        for row in &self.rows {
            let number = |value: Option<f64>| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
            };
            let (value, low, high) = (number(row.value), number(row.low), number(row.high));
            write!(
                f,
                "\n{:44} {value:>12} {low:>12} {high:>12}  {}",
                row.name, row.unit
            )?;
            if let (Some(ratio), Some(against)) = (row.ratio, &row.against) {
                write!(f, "  ({ratio:.1} x {against})")?;
            }
        }
        Ok(())
    }
}
