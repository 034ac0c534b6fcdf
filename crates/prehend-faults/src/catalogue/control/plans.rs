//! Plans that are late, old, misshapen, or do not come.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{ChunkError, ControlConfig, LimitReason, Mode};
use prehend_types::{
    Action, ActionChunk, JointPlan, JointPositions, JointSpace, JointStep, MAX_CHUNK, MAX_JOINTS,
    Stamp,
};
use rand::Rng;

use super::{plan_with, stop_time};
use crate::Lab;
use crate::catalogue::moving;
use crate::fault::{Finding, Outcome};
use crate::sim::{Account, MS, Offer, Rig, START, Setup, World, idle, joint_plan, sway};

pub(super) fn slow_inference(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let setup = Setup::new(robot.clone(), lab.seed);
    let bounds = setup.bounds()?;
    let allowed = stop_time(&bounds) * 1e3;
    let mut parts = Vec::new();
    let mut pass = true;
    for (name, gap) in [("5 times", 250), ("50 times", 2500), ("never", u64::MAX)] {
        let mut full = sway(&bounds, robot.home(), 0.5);
        let mut next = START + 500 * MS;
        let pilot = Box::new(move |at: Stamp| {
            let now = at.as_nanos();
            let due = now < START + 500 * MS || now >= next;
            if now >= next {
                next = now.saturating_add(gap.saturating_mul(MS));
            }
            due.then(|| full(at)).flatten()
        });
        let mut world = World::new(&setup, pilot)?;
        world.run(500);
        // The last plan lasts 400 ms from its start.
        let rest = world.run_until(2000, World::stands);
        let after_end = rest.map(|ms| ms as f64 - 400.0);
        world.run(if gap == u64::MAX { 1000 } else { 4000 });
        let account = world.account();
        let rested = match gap {
            // Five times as long still comes before the plan has ended.
            250 => true,
            _ => after_end.is_some_and(|ms| ms <= allowed),
        };
        pass &= account.is_clean() && rested && account.stops == 0;
        let shown = after_end.map_or("not at rest".to_owned(), |ms| {
            format!("at rest {ms:+.0} ms from the plan's end")
        });
        parts.push(format!(
            "{name}: {shown}, {} violations",
            account.violations()
        ));
    }
    let late = account_of_late_plans(lab, &setup)?;
    pass &= late.is_clean() && late.stops == 0;
    Ok(Finding::new(
        pass,
        format!(
            "{} (allowed {allowed:+.0} ms); each plan 0 to 300 ms late: {} violations, {} stops in {} commands",
            parts.join("; "),
            late.violations(),
            late.stops,
            late.commands
        ),
    ))
}

/// A minute of plans of which each is made when the one before was handed over, and comes 0 to 300 ms after
/// it begins. Two slow ones in a row come after the plan before has ended.
fn account_of_late_plans(lab: &Lab, setup: &Setup) -> Result<Account, Box<dyn std::error::Error>> {
    let mut rng = lab.rng("late plans");
    let mut plan = sway(&setup.bounds()?, setup.robot.home(), 0.5);
    let (mut due, mut made) = (0, None);
    let pilot = Box::new(move |at: Stamp| {
        let now = at.as_nanos();
        if now < due {
            return None;
        }
        due = now + rng.random_range(0..=300) * MS;
        std::mem::replace(&mut made, plan(at))
    });
    let mut world = World::new(setup, pilot)?;
    world.run(lab.of(60_000).max(5_000));
    Ok(world.account())
}

pub(super) fn wrong_shape(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let n_joints = world.arm.state.q.len();
    let now = Stamp::from_nanos(world.now);
    let step = |n: usize| {
        Ok::<_, Box<dyn std::error::Error>>(JointStep {
            values: JointPositions::zeros(n)?,
            gripper: 1.0,
        })
    };
    let dt = Duration::from_millis(50);
    let mut refused = 0;
    let mut tried = 0;
    let mut offers = Vec::new();
    for n in 0..=MAX_JOINTS {
        if n != n_joints {
            let plan = JointPlan::new(now, dt, JointSpace::Position, &[step(n)?; 2])?;
            offers.push(Offer::Joints(plan));
        }
    }
    let hold = [Action::hold(1.0); 2];
    for dt in [Duration::ZERO, Duration::from_secs(2), Duration::MAX] {
        let plan = JointPlan::new(now, dt, JointSpace::Position, &[step(n_joints)?; 2])?;
        offers.push(Offer::Joints(plan));
        offers.push(Offer::Tool(ActionChunk::new(now, dt, 2, &hold)?));
    }
    offers.push(Offer::Tool(ActionChunk::new(now, dt, 0, &[])?));
    for offer in &offers {
        let before = world.pc.refused;
        world.pc.take(offer, now);
        tried += 1;
        refused += world.pc.refused - before;
    }
    let too_long = ActionChunk::new(now, dt, 2, &vec![Action::hold(1.0); MAX_CHUNK + 1]).is_err();
    let goes_on = world.pc.controller.mode() == Mode::Tracking;
    world.pc.pilot = idle();
    let rest = world.run_until(3000, World::stands);
    let account = world.account();
    Ok(Finding::new(
        refused == tried && too_long && goes_on && rest.is_some() && account.is_clean(),
        format!(
            "{refused} of {tried} refused, the plan goes on, at rest {} ms later; {account}",
            rest.map_or("never".to_owned(), |ms| ms.to_string())
        ),
    ))
}

pub(super) fn old_chunk(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let run = |with_old: bool| -> Result<_, Box<dyn std::error::Error>> {
        let mut rig = Rig::new(&robot, ControlConfig::default())?;
        let mut told = Vec::new();
        let mut refused = 0;
        let dt = Duration::from_millis(50);
        let mut older = None;
        for tick in 0..1000u64 {
            if tick.is_multiple_of(50) {
                let way = if tick.is_multiple_of(100) {
                    0.01
                } else {
                    -0.01
                };
                let action = Action {
                    translation: Vector3::new(way, 0.005, -way),
                    ..Action::hold(1.0)
                };
                let chunk = ActionChunk::new(rig.now(), dt, 4, &[action; 8])?;
                rig.offer(&Offer::Tool(chunk.clone()));
                if let Some(old) = older.replace(Offer::Tool(chunk)).filter(|_| with_old) {
                    refused += u64::from(!rig.offer(&old));
                }
            }
            rig.tick();
            told.push(rig.state.q);
        }
        Ok((told, refused, rig.violations()))
    };
    let (with, refused, violations) = run(true)?;
    let (without, ..) = run(false)?;
    let differing = with.iter().zip(&without).filter(|(a, b)| a != b).count();
    Ok(Finding::new(
        refused == 19 && differing == 0 && violations == 0,
        format!(
            "{refused} of 19 refused, {differing} of 1000 commands differ, {violations} violations"
        ),
    ))
}

pub(super) fn late_chunk(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let mut worst = [0.0f64; 3];
    let (mut violations, mut wrong, mut seam) = (0, 0, 0.0f64);
    for late in 0..8u64 {
        let mut rig = Rig::new(&robot, ControlConfig::default())?;
        let dt = Duration::from_millis(50);
        let chunk = |start: Stamp, way: f64| {
            let action = Action {
                translation: Vector3::new(way, way, -0.01),
                ..Action::hold(1.0)
            };
            ActionChunk::new(start, dt, 6, &[action; 8])
        };
        let first = rig.now();
        rig.offer(&Offer::Tool(chunk(first, 0.015)?));
        // Late by so many whole actions and a bit.
        (0..late * 25 + 5).for_each(|_| _ = rig.tick());
        let now = rig.now();
        match rig.controller.accept(&chunk(first, -0.015)?, now) {
            Ok(report) => {
                wrong += u64::from(report.dropped as u64 != late);
                seam = seam.max(report.seam_m);
            }
            Err(_) => wrong += u64::from(late < 8),
        }
        (0..600).for_each(|_| _ = rig.tick());
        violations += rig.violations();
        for (worst, share) in worst.iter_mut().zip(rig.wire.report().worst_share) {
            *worst = worst.max(share);
        }
    }
    let [v, a, j] = worst;
    Ok(Finding::new(
        violations == 0 && wrong == 0,
        format!(
            "0 to 7 actions late: {wrong} counted wrongly, {violations} violations; plans {:.0} mm apart; \
             velocity, acceleration, jerk up to {v:.3}, {a:.3}, {j:.3} of their limits",
            seam * 1e3
        ),
    ))
}

pub(super) fn frozen_camera(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let frozen = Stamp::from_nanos(world.now);
    let home = world.arm.state.q;
    world.pc.pilot = Box::new(move |at: Stamp| {
        (at.as_nanos() / MS).is_multiple_of(50).then(|| {
            let q = |k: usize| {
                std::array::from_fn(|j| match j < home.len() {
                    true => home[j] + 0.01 * (k + 1) as f64,
                    false => 0.0,
                })
            };
            joint_plan(frozen, Duration::from_millis(50), q, home.len(), 8).map(Offer::Joints)
        })?
    });
    let rest = world.run_until(3000, |world| world.stands() && world.millis() > 520);
    world.run(2000);
    let account = world.account();
    let refusal = world.pc.last_refusal;
    let stays = world.stands();
    Ok(Finding::new(
        rest.is_some()
            && stays
            && matches!(refusal, Some(ChunkError::TooOld { .. }))
            && account.is_clean(),
        format!(
            "at rest {} ms after the freeze and stays; {account}",
            rest.map_or("never".to_owned(), |ms| (ms + 20).to_string())
        ),
    ))
}

pub(super) fn from_the_future(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let ahead = Stamp::from_nanos(world.now + 10_000 * MS);
    let before = world
        .pc
        .controller
        .counters()
        .get(LimitReason::RefusedChunk);
    let offer = plan_with(ahead, &world.arm.state.q, 0, 0.0).ok_or("no plan")?;
    world.pc.take(&offer, Stamp::from_nanos(world.now));
    let counted = world
        .pc
        .controller
        .counters()
        .get(LimitReason::RefusedChunk)
        - before;
    let refusal = world.pc.last_refusal;
    world.run(500);
    let account = world.account();
    Ok(Finding::new(
        counted == 1
            && matches!(refusal, Some(ChunkError::FromFuture { .. }))
            && account.is_clean(),
        format!("refused and counted {counted} time; {account}"),
    ))
}

pub(super) fn gripper_chatter(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let mut open = false;
    world.pc.pilot = Box::new(move |at: Stamp| {
        open = !open;
        let action = Action::hold(if open { 1.0 } else { 0.0 });
        ActionChunk::new(at, Duration::from_millis(50), 2, &[action; 2])
            .ok()
            .map(Offer::Tool)
    });
    let (mut last, mut way, mut turns) = (world.arm.state.gripper.commanded, 0.0, 0u64);
    for _ in 0..2000 {
        world.step();
        let now = world.arm.state.gripper.commanded;
        let moved = now - last;
        if moved != 0.0 {
            turns += u64::from(moved * way < 0.0);
            way = moved;
        }
        last = now;
    }
    let account = world.account();
    let per_second = turns as f64 / 2.0;
    Ok(Finding::new(
        per_second <= 10.0 && account.is_clean(),
        format!("{per_second} changes of direction per second; {account}"),
    ))
}

pub(super) fn long_clock(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let run = |start: u64| -> Result<_, Box<dyn std::error::Error>> {
        let mut rig = Rig::armed(&robot, ControlConfig::default(), start)?;
        let mut rng = lab.rng("clock");
        let mut told = Vec::new();
        for tick in 0..lab.of(1_000_000) {
            if tick.is_multiple_of(50) {
                let action = Action {
                    translation: Vector3::from_fn(|_, _| rng.random_range(-0.02..0.02)),
                    rotation: Vector3::from_fn(|_, _| rng.random_range(-0.1..0.1)),
                    gripper: 1.0,
                };
                let dt = Duration::from_millis(37);
                let chunk = ActionChunk::new(rig.now(), dt, 4, &[action; 8])?;
                rig.offer(&Offer::Tool(chunk));
            }
            rig.tick();
            if tick.is_multiple_of(97) {
                told.push(rig.state.q);
            }
        }
        told.push(rig.state.q);
        Ok((told, rig.violations()))
    };
    let period = 2 * MS;
    let (young, one) = run(START)?;
    let (old, two) = run(START + 1_000_000_000 * period)?;
    let differing = young.iter().zip(&old).filter(|(a, b)| a != b).count();
    Ok(Finding::new(
        differing == 0 && one + two == 0,
        format!(
            "{} ticks after 1e9 others: {differing} of {} compared commands differ, {} violations",
            lab.of(1_000_000),
            young.len(),
            one + two
        ),
    ))
}
