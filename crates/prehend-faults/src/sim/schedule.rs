//! Random schedules of faults: everything that a link and two processes can do wrong, at once.

use std::ops::Range;
use std::time::Duration;

use prehend_control::ControlConfig;
use prehend_robot::Robot;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Account, MS, START, Setup, Weather, World, sway};
use std::sync::Arc;

/// Length of one schedule, ms.
const LENGTH: u64 = 1500;

/// What all schedules came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schedules {
    pub n: u64,
    pub account: Account,
    /// Sessions that were taken over.
    pub armed: u64,
    /// The first schedule that the judge found fault with.
    pub first_bad: Option<u64>,
    /// Why a schedule could not be set up.
    pub error: Option<String>,
}

/// Runs the schedules of these numbers, on the arms in turn.
pub(crate) fn run_schedules(arms: &[Arc<Robot>], seed: u64, numbers: Range<u64>) -> Schedules {
    let mut all = Schedules::default();
    for number in numbers {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let robot = Arc::clone(&arms[number as usize % arms.len()]);
        match one(robot, rng) {
            Ok((account, armed)) => {
                if !account.is_clean() {
                    all.first_bad.get_or_insert(number);
                }
                all.account.add(&account);
                all.armed += armed;
            }
            Err(error) => _ = all.error.get_or_insert(error.to_string()),
        }
        all.n += 1;
    }
    all
}

fn one(
    robot: Arc<Robot>,
    mut rng: ChaCha8Rng,
) -> Result<(Account, u64), Box<dyn std::error::Error>> {
    let rate_hz = [250.0, 500.0, 1000.0][rng.random_range(0..3)];
    let setup = Setup {
        control: ControlConfig {
            rate_hz,
            ..ControlConfig::default()
        },
        driver_dt: Duration::from_millis([1, 2, 5][rng.random_range(0..3)]),
        // The longest is more than a driver grants.
        valid_for: Duration::from_millis([20, 50, 100, 1000][rng.random_range(0..4)]),
        seed: rng.random(),
        ..Setup::new(Arc::clone(&robot), 0)
    };
    let pilot = sway(&setup.bounds()?, robot.home(), rng.random_range(0.1..1.5));
    let mut world = World::new(&setup, pilot)?;
    world.to_arm.weather = weather(&mut rng);
    world.to_pc.weather = weather(&mut rng);
    world.pc_stalls = spans(&mut rng, 0.3);
    world.arm_stalls = spans(&mut rng, 0.3);
    let rearms: Vec<u64> = (0..3).map(|_| rng.random_range(0..LENGTH)).collect();
    let stop = rng.random_bool(0.2).then(|| rng.random_range(0..LENGTH));
    for ms in 0..LENGTH {
        world.step();
        if rearms.contains(&ms) && world.arm.shell.is_latched() {
            world.rearm();
        }
        if stop == Some(ms) {
            world.pc.controller.soft_stop();
        }
    }
    Ok((world.account(), world.pc.armed))
}

fn weather(rng: &mut ChaCha8Rng) -> Weather {
    let often = |rng: &mut ChaCha8Rng, most: f64| match rng.random_bool(0.5) {
        true => rng.random_range(0.0..most),
        false => 0.0,
    };
    let (loss, duplicate) = (often(rng, 0.3), often(rng, 0.3));
    let least = rng.random_range(50_000..2 * MS);
    let most = least + 1 + (often(rng, 1.0) * rng.random_range(0..80 * MS) as f64) as u64;
    Weather {
        loss,
        duplicate,
        delay: least..most,
        cuts: spans(rng, 0.3),
        holds: spans(rng, 0.3),
    }
}

/// Up to three spans of up to half a second each.
fn spans(rng: &mut ChaCha8Rng, likely: f64) -> Vec<Range<u64>> {
    if !rng.random_bool(likely) {
        return Vec::new();
    }
    (0..rng.random_range(1..4))
        .map(|_| {
            let from = START + rng.random_range(0..LENGTH) * MS;
            from..from + rng.random_range(1..500) * MS
        })
        .collect()
}
