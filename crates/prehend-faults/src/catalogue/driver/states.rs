//! States that are late, wrong or not finite.

use prehend_control::{Mode, StopReason};
use prehend_types::Stamp;
use rand::Rng;

use super::until_latched;
use crate::Lab;
use crate::catalogue::{moving, shown};
use crate::fault::{Finding, Outcome};
use crate::sim::{MS, Setup, World, glide, idle};

pub(super) fn dead_driver(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let died = world.now;
    world.arm_stalls.push(died + 1..died + 6000 * MS);
    let stopped = until_latched(&mut world, 3000);
    let reason = world.pc.controller.stop_reason();
    world.run(3000 - stopped.unwrap_or(0));
    let mode = world.pc.controller.mode();
    // Another process in its place, which knows nothing of the old session.
    world.restart_driver()?;
    let sent = world.pc.seq;
    let q = world.arm.state.q;
    world.arm_stalls.clear();
    world.run(2000);
    let waits = world.arm.state.q == q && world.pc.seq == sent;
    let armed = world.rearm();
    let moves = world.run_until(2000, |world| world.speed() > 0.01);
    let account = world.account();
    Ok(Finding::new(
        stopped.is_some()
            && mode == Mode::Stopped
            && waits
            && armed
            && moves.is_some()
            && account.is_clean(),
        format!(
            "{reason:?} after {} ms; for 2 s beside a new driver nothing is sent and nothing moves: {waits}; moves {} \
             ms after a new session began; {account}",
            shown(stopped),
            shown(moves)
        ),
    ))
}

pub(super) fn slow_states(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let from = world.now;
    // Of the driver's 200 states per second every tenth arrives.
    world.to_pc.weather.cuts = (0..100)
        .map(|k| from + (50 * k + 4) * MS..from + (50 * k + 49) * MS)
        .collect();
    let braked = world.run_until(4000, |world| {
        let mut counters = world.pc.controller.counters().iter();
        counters.any(|(name, n)| name == "stale_state" && n > 0)
    });
    let account = world.account();
    Ok(Finding::new(
        braked.is_some() && account.is_clean(),
        match braked {
            Some(ms) => format!("brakes after {ms} ms; {account}"),
            None => format!(
                "a state every 50 ms is followed for 4 s without a stop: states are trusted for {:.0} ms; \
                 {account}",
                world.pc.controller.config().max_state_age_s * 1e3
            ),
        },
    ))
}

pub(super) fn encoder_jump(lab: &Lab) -> Outcome {
    let mut stops = Vec::new();
    let mut violations = 0;
    for samples in [1u64, 2] {
        let mut world = moving(lab)?;
        let from = world.now;
        world.arm.sensors = Box::new(move |state, now| {
            if now > from && now <= from + samples * 5 * MS {
                state.q[1] += 0.5;
            }
        });
        let stopped = until_latched(&mut world, 1000);
        stops.push(stopped.is_some());
        violations += world.account().violations();
    }
    Ok(Finding::new(
        stops == [false, true] && violations == 0,
        format!(
            "one sample: {}; two: {}; {violations} violations",
            if stops[0] {
                "stopped for good"
            } else {
                "passed over"
            },
            if stops[1] {
                "stopped for good"
            } else {
                "not stopped"
            },
        ),
    ))
}

pub(super) fn stuck_encoder(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let setup = Setup::new(robot.clone(), lab.seed);
    let mut world = World::new(&setup, glide(robot.home(), 0.5))?;
    world.run(1000);
    let q = world.arm.state.q[0];
    world.arm.sensors = Box::new(move |state, _| state.q[0] = q);
    let grown = world.run_until(3000, |world| (world.arm.state.q[0] - q).abs() >= 0.1);
    let stopped = until_latched(&mut world, 3000);
    let error = (world.arm.state.q[0] - q).abs();
    let account = world.account();
    Ok(Finding::new(
        grown.is_some() && stopped.is_some_and(|ms| ms <= 100) && account.is_clean(),
        format!(
            "stopped {} ms after 0.1 rad at 0.5 rad/s, with an error of {error:.3} rad (one that moves may be off by \
             {} rad); {account}",
            shown(stopped),
            setup.control.max_tracking_error_rad
        ),
    ))
}

pub(super) fn noisy_velocity(lab: &Lab) -> Outcome {
    let run = |noise: f64| -> Result<_, Box<dyn std::error::Error>> {
        let mut world = moving(lab)?;
        let mut rng = lab.rng("noise");
        world.arm.sensors = Box::new(move |state, _| {
            for joint_idx in 0..state.dq.len() {
                state.dq[joint_idx] += noise * rng.random_range(-1.0..1.0);
            }
        });
        let mut told = Vec::new();
        for _ in 0..5000 {
            world.step();
            told.push(world.arm.state.q);
        }
        Ok((told, world.account()))
    };
    let (calm, _) = run(0.0)?;
    let (noisy, account) = run(0.5)?;
    let differing = calm.iter().zip(&noisy).filter(|(a, b)| a != b).count();
    Ok(Finding::new(
        differing == 0 && account.is_clean() && account.stops == 0,
        format!(
            "+-0.5 rad/s: {differing} of 5000 setpoints differ from those without noise; {account}"
        ),
    ))
}

pub(super) fn limp_joint(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let from = world.now;
    world.arm.sensors = Box::new(move |state, now| {
        let t = now.saturating_sub(from) as f64 * 1e-9;
        state.q[3] -= (0.5 * 3.0 * t * t).min(1.0);
    });
    let stopped = until_latched(&mut world, 2000);
    let reason = format!("{:?}", world.pc.controller.stop_reason());
    let account = world.account();
    Ok(Finding::new(
        stopped.is_some() && reason.contains("joint") && account.is_clean(),
        format!("stopped after {} ms: {reason}; {account}", shown(stopped)),
    ))
}

pub(super) fn wrong_robot(lab: &Lab) -> Outcome {
    let (ours, theirs) = (lab.robot("fr3")?, lab.robot("panda")?);
    let driver = World::new(&Setup::new(theirs.clone(), lab.seed), idle())?;
    let setup = Setup {
        q: Some(*theirs.home()),
        ..Setup::new(ours, lab.seed)
    };
    let mut world = World::new(&setup, idle())?;
    world.arm = driver.arm;
    world.run(500);
    let sent = world.account().commands;
    let said = world.pc.last_arm_error.as_deref().unwrap_or_default();
    Ok(Finding::new(
        sent == 0 && said.contains("panda") && said.contains("fr3"),
        format!("{sent} commands sent, said: {said:?}"),
    ))
}

pub(super) fn nan_state(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    // Past the decoder, which would refuse it: straight into the controller.
    let mut rig_state = world.pc.state.ok_or("no state")?;
    rig_state.q[4] = f64::NAN;
    let mut twin = world.pc.controller.clone();
    let mut ours = world.pc.controller.clone();
    let now = Stamp::from_nanos(world.now + 2 * MS);
    let speed =
        |tick: prehend_control::Tick| tick.command.dq_d.iter().map(|v| v.abs()).sum::<f64>();
    let mut good = rig_state;
    good.q[4] = world.arm.state.q[4];
    let brakes = speed(ours.tick(&rig_state, now)) < speed(twin.tick(&good, now));
    world.arm.sensors = Box::new(|state, _| state.q[4] = f64::NAN);
    let stopped = until_latched(&mut world, 3000);
    let reason = world.pc.controller.stop_reason();
    world.run(2000);
    let account = world.account();
    Ok(Finding::new(
        brakes
            && stopped.is_some()
            && matches!(reason, Some(StopReason::BadState | StopReason::StaleState))
            && account.is_clean(),
        format!(
            "brakes in the first tick: {brakes}; on the link the status is refused: {reason:?} after {} ms; \
             {account}",
            shown(stopped)
        ),
    ))
}

pub(super) fn clock_back(lab: &Lab) -> Outcome {
    let mut parts = Vec::new();
    let mut pass = true;
    for back in [10, 1000] {
        let mut world = moving(lab)?;
        world.arm.sensors = Box::new(move |state, now| {
            state.stamp = Stamp::from_nanos(now - back * MS);
        });
        let stopped = until_latched(&mut world, 2000);
        let account = world.account();
        pass &= stopped.is_some() && account.is_clean();
        parts.push(match stopped {
            Some(ms) => format!("by {back} ms: stopped for good after {ms} ms"),
            None => format!("by {back} ms: not noticed"),
        });
    }
    Ok(Finding::new(pass, parts.join("; ")))
}
