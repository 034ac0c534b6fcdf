//! Who else sends: a second controller, and those who stop.

use prehend_link::messages::{CommandMode, StopReason as DriverStop};

use super::stop_time;
use crate::Lab;
use crate::catalogue::moving;
use crate::fault::{Finding, Outcome};
use crate::sim::{MS, Setup, World, idle, sway};

pub(super) fn second_controller(lab: &Lab) -> Outcome {
    let run = |intrudes: bool| -> Result<_, Box<dyn std::error::Error>> {
        let mut world = moving(lab)?;
        let mut told = Vec::new();
        for ms in 0..1000u64 {
            if intrudes {
                let q = world.arm.state.q;
                let mut message = prehend_link::messages::JointCommand {
                    robot: world.arm.id.robot.clone(),
                    epoch: world.arm.shell.epoch(),
                    seq: world.pc.seq + 1 + ms,
                    stamp_nanos: world.now,
                    sent_nanos: world.now,
                    valid_for_nanos: 100 * MS,
                    q_d: q.to_vec(),
                    dq_d: vec![0.0; q.len()],
                    gripper_opening: 0.0,
                    mode: CommandMode::Track,
                };
                message.q_d[0] += 0.01;
                world.hand_to_arm(world.now, message, [2; 16]);
            }
            world.step();
            told.push((world.arm.state.q, world.arm.state.gripper.commanded));
        }
        Ok((
            told,
            world.arm.shell.report().gate.other_sender,
            world.account(),
        ))
    };
    let (with, refused, account) = run(true)?;
    let (without, ..) = run(false)?;
    let differing = with.iter().zip(&without).filter(|(a, b)| a != b).count();
    Ok(Finding::new(
        refused == 1000 && differing == 0 && account.is_clean(),
        format!("{refused} of 1000 refused, {differing} setpoints differ; {account}"),
    ))
}

/// The states in which a stop arrives: how the world is brought there.
type Reach = fn(&mut World);

pub(super) fn stop_everywhere(lab: &Lab) -> Outcome {
    let states: [(&str, Reach); 6] = [
        ("before the first command", |_| {}),
        ("armed and holding", |world| {
            world.pc.pilot = idle();
            world.run(100);
        }),
        ("moving", |world| world.run(500)),
        ("stopping", |world| {
            world.run(500);
            world.pc.controller.soft_stop();
            world.run(20);
        }),
        ("stopped", |world| {
            world.run(500);
            world.pc.controller.soft_stop();
            world.run(2000);
        }),
        ("stopping because commands ceased", |world| {
            world.run(500);
            world.pc_stalls.push(world.now..world.now + 10_000 * MS);
            world.run(120);
        }),
    ];
    let mut failed = Vec::new();
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    for (name, reach) in states {
        let pilot = sway(&setup.bounds()?, setup.robot.home(), 0.5);
        let mut world = World::new(&setup, pilot)?;
        reach(&mut world);
        let stop = prehend_link::messages::JointCommand {
            robot: world.arm.id.robot.clone(),
            epoch: world.arm.shell.epoch(),
            seq: 0,
            stamp_nanos: world.now,
            sent_nanos: world.now,
            valid_for_nanos: 100 * MS,
            q_d: vec![0.0; world.arm.state.q.len()],
            dq_d: vec![0.0; world.arm.state.q.len()],
            gripper_opening: 1.0,
            mode: CommandMode::Stop,
        };
        world.hand_to_arm(world.now, stop, [9; 16]);
        world.run(10);
        let latched = world.arm.shell.is_latched();
        world.run(2000);
        let (q, rests) = (world.arm.state.q, world.arm.shell.is_at_rest());
        world.run(5000);
        let account = world.account();
        let stands = rests && q == world.arm.state.q && world.arm.shell.is_latched();
        if !(latched && stands && account.is_clean()) {
            failed.push(format!(
                "{name}: latched {latched}, stands {stands}, {account}"
            ));
        }
    }
    Ok(Finding::new(
        failed.is_empty(),
        format!(
            "{} of 6 states hold: {}",
            6 - failed.len(),
            match failed.is_empty() {
                true => "latched at once, no motion in the 5 s after rest".to_owned(),
                false => failed.join("; "),
            }
        ),
    ))
}

pub(super) fn stop_flood(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let begun = world.millis();
    let mut messages = 0u64;
    let rest = world.run_until(3000, |world| world.millis() > begun + 1);
    let mut at_rest = None;
    for ms in 0..3000u64 {
        for _ in 0..100 {
            let stop = prehend_link::messages::JointCommand {
                robot: world.arm.id.robot.clone(),
                epoch: world.arm.shell.epoch(),
                seq: 0,
                stamp_nanos: world.now,
                sent_nanos: world.now,
                valid_for_nanos: 100 * MS,
                q_d: vec![0.0; 7],
                dq_d: vec![0.0; 7],
                gripper_opening: 1.0,
                mode: CommandMode::Stop,
            };
            world.hand_to_arm(world.now, stop, [9; 16]);
            messages += 1;
        }
        world.step();
        if world.arm.shell.is_at_rest() && at_rest.is_none() {
            at_rest = Some(ms);
        }
    }
    let account = world.account();
    let bound = stop_time(&Setup::new(lab.robot("fr3")?, 0).bounds()?) * 1e3 + 10.0;
    Ok(Finding::new(
        rest.is_some()
            && at_rest.is_some_and(|ms| ms as f64 <= bound)
            && world.arm.shell.stop_reason() == DriverStop::Requested
            && account.is_clean(),
        format!(
            "{messages} stops in 3 s of the arm's time: at rest after {} ms; {account}",
            at_rest.map_or("never".to_owned(), |ms| ms.to_string())
        ),
    ))
}
