//! States at and beyond the limits.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{ControlConfig, ControlError, Follower, JointBounds, WireChecker};
use prehend_types::{
    Action, ActionChunk, GripperCommand, JointAccelerations, JointCommand, JointPositions,
    JointVelocities,
};
use rand::Rng;

use super::{plan_with, stop_time};
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::lab::ARMS;
use crate::sim::{Offer, Rig, START, Setup, World, sway};

/// Share of a joint's speed limit that counts as full speed.
const FULL_SPEED: f64 = 0.99;

pub(super) fn armed_elsewhere(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let pilot = sway(&setup.bounds()?, setup.robot.home(), 0.5);
    let mut world = World::new(&setup, pilot)?;
    let home = *setup.robot.home();
    world.arm.sensors = Box::new(|state, _| state.q[2] += 0.3);
    world.run(1000);
    let account = world.account();
    let moved = (world.arm.state.q.iter())
        .zip(home.iter())
        .fold(0.0, |most: f64, (q, home)| most.max((q - home).abs()));
    let refusal = (world.pc.last_arm_error.clone()).unwrap_or_else(|| "nothing".to_owned());
    let driver =
        (world.arm.shell.arm_error()).map_or("nothing".to_owned(), |error| error.to_string());
    Ok(Finding::new(
        account.commands == 0 && [&refusal, &driver].iter().any(|said| names_joint_2(said)),
        format!(
            "{} commands sent, the arm moved by {moved:.4} rad; the controller says: {refusal}; the driver: {driver}",
            account.commands
        ),
    ))
}

fn names_joint_2(said: &str) -> bool {
    said.contains("joint 2") && said.contains("0.3")
}

/// What starts outside a position limit come to.
#[derive(Default)]
struct Starts {
    tried: u64,
    armed: u64,
    /// Ticks in which the joint went further out.
    outward: u64,
    /// Starts that came inside when they were asked to.
    came_in: u64,
    taken: u64,
}

pub(super) fn start_outside(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let mut by_distance = [0.005, 0.05].map(|by| (by, Starts::default()));
    for (by, starts) in &mut by_distance {
        for joint_idx in 0..robot.n_joints() {
            for upper in [false, true] {
                let limits = robot.limits();
                let (limit, out) = match upper {
                    true => (limits.q_max[joint_idx], 1.0),
                    false => (limits.q_min[joint_idx], -1.0),
                };
                let mut q = *robot.home();
                q[joint_idx] = limit + out * *by;
                let mut rig = Rig::standing(&robot, ControlConfig::default(), q, START)?;
                starts.tried += 1;
                if !rig.rearm() {
                    continue;
                }
                starts.armed += 1;
                // Further out, then in.
                for goal in [limit + out * 0.1, limit - out * 0.05] {
                    for tick in 0..500 {
                        if tick % 25 == 0
                            && let Some(offer) = plan_with(rig.now(), &rig.state.q, joint_idx, goal)
                        {
                            starts.taken += u64::from(rig.offer(&offer));
                        }
                        let before = rig.state.q[joint_idx];
                        rig.tick();
                        let moved = out * (rig.state.q[joint_idx] - before);
                        let is_outside = out * (rig.state.q[joint_idx] - limit) > 0.0;
                        starts.outward += u64::from(is_outside && moved > 0.0);
                    }
                }
                let is_inside = out * (rig.state.q[joint_idx] - limit) <= 0.0;
                starts.came_in += u64::from(is_inside);
            }
        }
    }
    let [(_, near), (_, far)] = &by_distance;
    Ok(Finding::new(
        near.armed == near.tried
            && near.came_in == near.tried
            && near.taken > 0
            && near.outward == 0
            && far.armed == 0,
        format!(
            "0.005 rad outside: {} of {} armed, {} steps outward under {} plans, half of them outward, {} came in \
             when asked; 0.05 rad: {} of {} armed",
            near.armed, near.tried, near.outward, near.taken, near.came_in, far.armed, far.tried
        ),
    ))
}

pub(super) fn over_limit_state(lab: &Lab) -> Outcome {
    let (mut faster, mut broken, mut tried, mut armed, mut refused) = (0, 0, 0, 0, 0);
    let mut rng = lab.rng("over");
    for name in ARMS {
        let robot = lab.robot(name)?;
        let setup = Setup::new(robot.clone(), 0);
        let bounds = setup.bounds()?;
        for joint_idx in 0..bounds.len() {
            for times in [-20.0, -3.0, -1.1, 1.1, 3.0, 20.0] {
                tried += 1;
                let over = times * bounds[joint_idx].max_velocity;
                let mut rig = Rig::standing(&robot, setup.control, *robot.home(), START)?;
                rig.state.dq[joint_idx] = over;
                armed += u64::from(rig.rearm());
                let mut dq = JointVelocities::zeros(bounds.len())?;
                dq[joint_idx] = over;
                let mut ddq = JointAccelerations::zeros(bounds.len())?;
                ddq[joint_idx] = rng.random_range(-30.0..30.0);
                let dt = 0.002;
                let follower = Follower::new(&bounds, dt, robot.home(), &dq, &ddq);
                let mut follower = match follower {
                    Err(ControlError::Implausible { .. }) => {
                        refused += 1;
                        continue;
                    }
                    follower => follower?,
                };
                let mut speed = over.abs();
                // The acceleration of the start carries it on while the jerk limit turns it.
                let turning = ddq[joint_idx].abs() / bounds[joint_idx].max_jerk;
                let turning = (turning / dt).ceil() as usize + 1;
                for tick in 0..3000 {
                    follower.stop();
                    let now = follower.dq()[joint_idx].abs();
                    faster += u64::from(tick >= turning && now > speed + 1e-12);
                    broken += u64::from(!now.is_finite() || !follower.q().is_finite());
                    speed = now;
                }
                broken += u64::from(!follower.is_at_rest());
            }
        }
    }
    Ok(Finding::new(
        faster == 0 && broken == 0 && armed == 0,
        format!(
            "{armed} of {tried} armed; {refused} motions refused as no arm's, from the others {faster} ticks faster than before, {broken} not \
             finite or without rest"
        ),
    ))
}

pub(super) fn envelope(lab: &Lab) -> Outcome {
    let robot = lab.robot("fr3")?;
    let bounds = Setup::fast(robot.clone(), 0).bounds()?;
    let config = ControlConfig {
        rate_hz: 1000.0,
        max_tcp_angular_speed_rad_per_s: 10.0,
        max_tcp_speed_m_per_s: 3.0,
        max_lag_rad: 1.5,
        ..ControlConfig::default()
    };
    let mut parts = Vec::new();
    let (mut violations, mut rides) = (0, 0);
    for joint_idx in [4, 6] {
        let JointBounds {
            lower,
            upper,
            max_velocity,
            ..
        } = bounds[joint_idx];
        // The driver's follower alone reaches the highest speed; the controller caps the tool's.
        let mut q = *robot.home();
        q[joint_idx] = lower;
        let none = JointVelocities::zeros(q.len())?;
        let mut follower = Follower::new(
            &bounds,
            0.001,
            &q,
            &none,
            &JointAccelerations::zeros(q.len())?,
        )?;
        let mut wire = WireChecker::new(&bounds, 0.001);
        let (mut target, mut peak) = (q, 0.0f64);
        target[joint_idx] = upper;
        for tick in 0..6000u64 {
            follower.follow(&target, &none);
            peak = peak.max(follower.dq()[joint_idx].abs());
            wire.check(0, tick, &command(follower.q(), follower.dq()));
        }
        violations += wire.report().limit_violations;
        // Who never comes to full speed has not ridden the envelope.
        rides += u64::from(peak > FULL_SPEED * max_velocity);
        let end = upper - follower.q()[joint_idx];
        let mut rig = Rig::new(&robot, config)?;
        for tick in 0..8000 {
            if tick % 50 == 0 {
                let goal = if tick % 4000 < 2000 { upper } else { lower };
                if let Some(offer) = plan_with(rig.now(), robot.home(), joint_idx, goal) {
                    rig.offer(&offer);
                }
            }
            rig.tick();
        }
        violations += rig.violations();
        parts.push(format!(
            "joint {}: up to {peak:.2} of {max_velocity:.2} rad/s, ends {end:.1e} rad from its stop",
            joint_idx + 1
        ));
    }
    Ok(Finding::new(
        violations == 0 && rides == 2,
        format!("{violations} violations; {}", parts.join("; ")),
    ))
}

pub(super) fn command(q: &JointPositions, dq: &JointVelocities) -> JointCommand {
    JointCommand {
        q_d: *q,
        dq_d: *dq,
        gripper: GripperCommand { opening: 1.0 },
    }
}

pub(super) fn singular(lab: &Lab) -> Outcome {
    let mut violations = 0;
    let mut worst = 0.0f64;
    let mut failed = 0;
    for name in ARMS {
        let robot = lab.robot(name)?;
        for way in [
            Vector3::x(),
            -Vector3::x(),
            Vector3::y(),
            -Vector3::y(),
            Vector3::z(),
            -Vector3::z(),
        ] {
            let mut rig = Rig::new(&robot, ControlConfig::default())?;
            for tick in 0..4000u64 {
                if tick.is_multiple_of(100) {
                    let action = Action {
                        translation: way * 0.03,
                        ..Action::hold(1.0)
                    };
                    let dt = Duration::from_millis(50);
                    let chunk = ActionChunk::new(rig.now(), dt, 8, &[action; 8])?;
                    rig.offer(&Offer::Tool(chunk));
                }
                rig.tick();
            }
            failed += u64::from(rig.stop(4000).is_none());
            violations += rig.violations();
            worst = worst.max(rig.wire.report().worst_share[0]);
        }
    }
    Ok(Finding::new(
        violations == 0 && failed == 0,
        format!(
            "8 s outwards in 6 directions with {} arms, to the stretched pose and beyond: {violations} \
             violations, {failed} stops failed, speed up to {worst:.3} of the limit",
            ARMS.len()
        ),
    ))
}

pub(super) fn tightened(lab: &Lab) -> Outcome {
    let (mut old, mut new, mut armed) = (0, 0, 0);
    let mut fastest = 0.0f64;
    for name in ARMS {
        let robot = lab.robot(name)?;
        let bounds = Setup::new(robot.clone(), 0).bounds()?;
        let tight: Vec<JointBounds> = (bounds.iter())
            .map(|bounds| JointBounds {
                max_velocity: 0.3 * bounds.max_velocity,
                max_acceleration: 0.5 * bounds.max_acceleration,
                max_jerk: 0.5 * bounds.max_jerk,
                ..*bounds
            })
            .collect();
        for moving in 0..20 {
            let mut rig = Rig::new(&robot, ControlConfig::default())?;
            let mut pilot = sway(&bounds, robot.home(), 0.9);
            let mut run = |rig: &mut Rig, ticks: u64, wire: &mut WireChecker| {
                for seq in 0..ticks {
                    if let Some(offer) = pilot(rig.now()) {
                        rig.offer(&offer);
                    }
                    rig.tick();
                    wire.check(0, seq, &command(&rig.state.q, &rig.state.dq));
                }
            };
            let dt_s = rig.controller.config().dt_s();
            let unjudged = &mut WireChecker::new(&bounds, dt_s);
            run(&mut rig, 500 + 17 * moving, unjudged);
            let speeds = rig.state.dq.iter().zip(&bounds);
            fastest = speeds.fold(fastest, |most, (dq, bounds)| {
                most.max(dq.abs() / bounds.max_velocity)
            });
            rig.controller.set_bounds(&tight)?;
            // As long as the slowest joint takes to stop inside the old limits.
            run(
                &mut rig,
                (stop_time(&bounds) / dt_s).ceil() as u64,
                unjudged,
            );
            let mut wire = WireChecker::new(&tight, dt_s);
            run(&mut rig, 1000, &mut wire);
            old += rig.violations();
            new += wire.report().limit_violations;
            armed += u64::from(rig.controller.mode().is_running());
        }
    }
    let n = 20 * ARMS.len() as u64;
    Ok(Finding::new(
        old == 0 && new == 0 && armed == n && fastest > 0.3,
        format!(
            "{n} times on {} arms, from up to {fastest:.2} of the old speed limit to 0.3 of it: {old} steps beyond \
             the old limits, {new} beyond the new ones once a stop's time has passed; {armed} move on",
            ARMS.len()
        ),
    ))
}
