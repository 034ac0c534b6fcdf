//! What a link does to messages.

use std::time::Instant;

use prehend_control::Mode;
use prehend_link::messages::StopReason;
use rand::Rng;

use super::swaying;
use crate::Lab;
use crate::catalogue::shown;
use crate::fault::{Finding, Outcome};
use crate::lab::ARMS;
use crate::sim::{Account, Halts, MS, Setup, World, glide, run_schedules};

pub(super) fn loss(lab: &Lab) -> Outcome {
    let setup = Setup::fast(lab.robot("fr3")?, lab.seed);
    let mut parts = Vec::new();
    let mut pass = true;
    let seconds = lab.of(600).max(20);
    for loss in [0.01, 0.05, 0.1, 0.3] {
        let mut world = swaying(&setup)?;
        for weather in [&mut world.to_arm.weather, &mut world.to_pc.weather] {
            weather.loss = loss;
        }
        let mut stops = 0;
        for _ in 0..seconds * 1000 {
            world.step();
            if world.arm.shell.is_latched() && world.rearm() {
                stops += 1;
            }
        }
        let account = world.account();
        pass &= account.is_clean() && (loss > 0.05 || stops == 0);
        parts.push(format!(
            "{:.0} %: {stops} stops, {} violations",
            loss * 100.0,
            account.violations()
        ));
    }
    Ok(Finding::new(
        pass,
        format!("in {seconds} s each at 1 kHz: {}", parts.join("; ")),
    ))
}

pub(super) fn burst(lab: &Lab) -> Outcome {
    let mut pass = true;
    let (mut latest, mut stopped, mut all) = (0.0f64, Vec::new(), Account::default());
    for fast in [false, true] {
        let robot = lab.robot("fr3")?;
        let setup = match fast {
            true => Setup::fast(robot.clone(), lab.seed),
            false => Setup::new(robot.clone(), lab.seed),
        };
        let ttl = setup.valid_for.as_nanos() as u64;
        let tick = setup.driver_dt.as_nanos() as u64;
        let period = (setup.control.dt_s() * 1e9) as u64;
        for n in (1..=25).chain([100_000]) {
            let mut world = World::new(&setup, glide(robot.home(), 0.4))?;
            world.run(1000);
            let cut = world.now + 1;
            // The newest command that arrives was sent at `last`.
            let last = world.now;
            world.to_arm.weather.cuts.push(cut..cut + n * period);
            let before = world.arm.state.dq[0];
            let begun = world.run_until(400, |world| world.arm.state.dq[0] < before - 1e-6);
            let began = begun.map(|_| world.now - last);
            world.run(1500);
            let account = world.account();
            if let Some(began) = began {
                let allowed = ttl + tick;
                latest = latest.max(began as f64 / allowed as f64);
                pass &= began <= allowed;
            }
            if account.stops > 0 {
                stopped.push((fast, n));
            }
            pass &= account.is_clean() && (n <= 25 || (began.is_some() && account.stops == 1));
            all.add(&account);
        }
    }
    let first = |fast: bool| {
        let mut of_kind = stopped.iter().filter(|(kind, _)| *kind == fast);
        of_kind.next().map_or("none".to_owned(), |(_, n)| match n {
            100_000 => "all".to_owned(),
            n => n.to_string(),
        })
    };
    Ok(Finding::new(
        pass,
        format!(
            "deceleration at the latest after {latest:.2} of what is allowed; least burst that stops for good: \
             {} at 1 kHz and 20 ms to live, {} at 500 Hz and 100 ms; {all}",
            first(true),
            first(false)
        ),
    ))
}

pub(super) fn duplicates(lab: &Lab) -> Outcome {
    let mut world = swaying(&Setup::new(lab.robot("fr3")?, lab.seed))?;
    world.to_arm.weather.duplicate = 1.0;
    world.to_pc.weather.duplicate = 1.0;
    world.run(10_000);
    let (account, gate) = (world.account(), world.arm.shell.report().gate);
    Ok(Finding::new(
        account.is_clean() && account.stops == 0 && gate.not_newer > 0,
        format!("{} repeated commands refused; {account}", gate.not_newer),
    ))
}

pub(super) fn reordering(lab: &Lab) -> Outcome {
    let setup = Setup::fast(lab.robot("fr3")?, lab.seed);
    let mut parts = Vec::new();
    let mut pass = true;
    for depth in [2, 5, 10, 20, 50] {
        let mut world = swaying(&setup)?;
        world.to_arm.weather.delay = 100_000..depth * MS;
        let mut stops = 0;
        for _ in 0..20_000 {
            world.step();
            stops += u64::from(world.arm.shell.is_latched() && world.rearm());
        }
        let account = world.account();
        let gate = world.arm.shell.report().gate;
        pass &= account.is_clean() && gate.not_newer > 0;
        parts.push(format!(
            "{depth}: {} dropped, {stops} stops, {} violations",
            gate.not_newer + gate.expired,
            account.violations()
        ));
    }
    Ok(Finding::new(
        pass,
        format!("20 s each: {}", parts.join("; ")),
    ))
}

pub(super) fn bunching(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let mut rng = lab.rng("bunching");
    let mut world = swaying(&setup)?;
    let seconds = lab.of(600).max(30);
    let mut holds = Vec::new();
    let mut at = world.now;
    while at < world.now + seconds * 1000 * MS {
        let hold = at..at + rng.random_range(1..500) * MS;
        at = hold.end + rng.random_range(1..1500) * MS;
        holds.push(hold);
    }
    world.to_arm.weather.holds.clone_from(&holds);
    world.to_pc.weather.holds = holds;
    let (mut stops, mut late, mut of_the_last) = (0, 0, 0);
    for ms in 0..seconds * 1000 {
        // A second of a calm link, a second of jitter.
        let jitter = if ms / 1000 % 2 == 0 {
            300_000
        } else {
            500 * MS
        };
        world.to_arm.weather.delay = 200_000..jitter;
        world.step();
        stops += u64::from(world.arm.shell.is_latched() && world.rearm());
        let gate = world.arm.shell.report().gate;
        (late, of_the_last) = (gate.expired, gate.wrong_epoch);
    }
    let account = world.account();
    Ok(Finding::new(
        account.is_clean() && late + of_the_last > 0,
        format!(
            "{seconds} s: {stops} stops, dropped: {late} commands too old on arrival, {of_the_last} of a session that \
             was over; {account}"
        ),
    ))
}

pub(super) fn deaf_driver(lab: &Lab) -> Outcome {
    let (mut pass, mut parts) = (true, Vec::new());
    for (name, setup) in [
        ("20 ms at 1 kHz", Setup::fast(lab.robot("fr3")?, lab.seed)),
        ("100 ms at 500 Hz", Setup::new(lab.robot("fr3")?, lab.seed)),
    ] {
        let mut world = swaying(&setup)?;
        world.run(1000);
        let cut = world.now;
        world.to_arm.weather.cuts.push(cut + 1..u64::MAX);
        let driver = world.run_until(1000, |world| world.arm.shell.is_latched());
        let knows = world.run_until(1000, |world| world.pc.controller.mode() != Mode::Tracking);
        world.run(3000);
        let account = world.account();
        let allowed = (setup.valid_for + setup.driver_dt).as_millis() as u64;
        let driver_ms = driver.map(|ms| ms + 1);
        let one_status = setup.driver_dt.as_millis() as u64 + 2;
        pass &= driver_ms.is_some_and(|ms| ms <= allowed)
            && knows.is_some_and(|ms| ms < one_status)
            && account.is_clean()
            && world.arm.shell.stop_reason() == StopReason::Expired;
        parts.push(format!(
            "{name} to live: driver after {} of {allowed} ms, controller {} ms later, {} violations",
            shown(driver_ms),
            shown(knows.map(|ms| ms + 1)),
            account.violations()
        ));
    }
    Ok(Finding::new(pass, parts.join("; ")))
}

pub(super) fn deaf_controller(lab: &Lab) -> Outcome {
    let mut world = swaying(&Setup::new(lab.robot("fr3")?, lab.seed))?;
    world.run(1000);
    world.to_pc.weather.cuts.push(world.now + 1..u64::MAX);
    let slower = world.run_until(2000, |world| {
        world
            .pc
            .controller
            .counters()
            .iter()
            .any(|(name, n)| name == "stale_state" && n > 0)
    });
    let latched = world.run_until(2000, |world| world.pc.controller.stop_reason().is_some());
    let rest = world.run_until(2000, |world| world.arm.shell.is_at_rest());
    let account = world.account();
    Ok(Finding::new(
        slower.is_some() && latched.is_some() && rest.is_some() && account.is_clean(),
        format!(
            "brakes after {} ms, stopped for good {} ms later, at rest {} ms after that; {account}",
            shown(slower),
            shown(latched),
            shown(rest)
        ),
    ))
}

pub(super) fn healed(lab: &Lab) -> Outcome {
    let mut world = swaying(&Setup::new(lab.robot("fr3")?, lab.seed))?;
    world.run(1000);
    let cut = world.now + 1..world.now + 30_000 * MS;
    world.to_arm.weather.cuts = vec![cut.clone()];
    world.to_pc.weather.cuts = vec![cut];
    world.run(30_000);
    let applied = world.arm.shell.report().applied;
    let q = world.arm.state.q;
    world.run(10_000);
    let executed = world.arm.shell.report().applied - applied;
    let stood = q == world.arm.state.q;
    let rearmed = world.rearm();
    world.run(1000);
    let moves = world.speed() > 0.01;
    let account = world.account();
    Ok(Finding::new(
        executed == 0 && stood && rearmed && moves && account.is_clean(),
        format!(
            "{executed} commands executed in the 10 s after it, arm stood: {stood}; moves in the new session: \
             {moves}; {account}"
        ),
    ))
}

pub(super) fn flapping(lab: &Lab) -> Outcome {
    let mut world = swaying(&Setup::new(lab.robot("fr3")?, lab.seed))?;
    let flaps: Vec<_> = (0..100)
        .map(|k| world.now + (500 + 400 * k) * MS..world.now + (700 + 400 * k) * MS)
        .collect();
    world.to_arm.weather.cuts.clone_from(&flaps);
    world.to_pc.weather.cuts = flaps;
    let mut halts = Halts::default();
    for ms in 1..=40_000u64 {
        world.step();
        halts.see(world.now, world.arm.shell.epoch(), &world.arm.state.q);
        // The operator tries again every five seconds.
        if ms.is_multiple_of(5000) && world.arm.shell.is_latched() {
            world.rearm();
        }
    }
    let account = world.account();
    Ok(Finding::new(
        account.is_clean() && halts.moved > 1 && halts.most == 1 && halts.displacement == 0.0,
        format!("{halts}; {account}"),
    ))
}

pub(super) fn schedules(lab: &Lab) -> Outcome {
    let arms = ARMS.map(|name| lab.robot(name));
    let arms: Vec<_> = arms.into_iter().collect::<Result<_, _>>()?;
    let n = lab.of(100_000);
    let begun = Instant::now();
    let parts = lab.in_parallel(n, |numbers| run_schedules(&arms, lab.seed, numbers));
    let took = begun.elapsed().as_secs_f64();
    let mut account = Account::default();
    let (mut done, mut armed, mut bad) = (0, 0, None);
    for part in parts {
        if let Some(error) = part.error {
            return Err(error.into());
        }
        done += part.n;
        armed += part.armed;
        account.add(&part.account);
        bad = bad.or(part.first_bad);
    }
    let first = bad.map_or(String::new(), |number| {
        format!("; first bad schedule: {number}")
    });
    Ok(Finding::new(
        account.is_clean() && done == n,
        format!(
            "{done} schedules of 1.5 s, {armed} sessions, {} stops: {account}; {:.0} schedules/s{first}",
            account.stops,
            done as f64 / took
        ),
    ))
}
