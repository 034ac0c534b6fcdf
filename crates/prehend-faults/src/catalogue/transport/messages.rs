//! What single messages may hold.

use prehend_link::messages::JointCommand;
use prehend_link::{decode, encode};
use rand::Rng;

use super::swaying;
use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::sim::{MS, Setup, World, idle};

pub(super) fn mutations(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let mut world = World::new(&setup, idle())?;
    // Only mutated commands reach the driver.
    world.to_arm.weather.cuts.push(0..u64::MAX);
    let mut rng = lab.rng("mutations");
    let n = lab.of(1_000_000);
    let (mut decoded, mut other, mut seq) = (0u64, 0u64, 0);
    for index in 0..n {
        if index % 10 == 0 {
            world.step();
            if world.arm.shell.is_latched() && world.rearm() {
                seq = 0;
            }
        }
        seq += 1;
        let q = world.arm.state.q;
        let message = JointCommand {
            robot: world.arm.id.robot.clone(),
            epoch: world.arm.shell.epoch(),
            seq,
            stamp_nanos: world.now,
            sent_nanos: world.now,
            valid_for_nanos: 100 * MS,
            q_d: q.iter().map(|q| q + 1e-3).collect(),
            dq_d: vec![0.01; q.len()],
            gripper_opening: 0.5,
            mode: prehend_link::messages::CommandMode::Track,
        };
        let mut bytes = encode(&message)?;
        mutate(&mut bytes, &mut rng);
        if let Ok(mutant) = decode::<JointCommand>(&bytes) {
            decoded += 1;
            // What is longer or shorter than we would write it is not well-formed.
            other += u64::from(!encode(&mutant).is_ok_and(|again| again.len() == bytes.len()));
            world.hand_to_arm(world.now, mutant, [1; 16]);
        }
    }
    world.run(3000);
    let (account, report) = (world.account(), world.arm.shell.report());
    Ok(Finding::new(
        other == 0 && account.is_clean(),
        format!(
            "{n} payloads: {decoded} well-formed, {other} of another length decoded, {} past the gate, {} refused as \
             jumps; {account}",
            report.gate.accepted, report.jumps_refused
        ),
    ))
}

pub(super) fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    match rng.random_range(0..4) {
        0 => bytes.truncate(rng.random_range(0..bytes.len())),
        1 => (0..rng.random_range(1..64)).for_each(|_| bytes.push(rng.random())),
        _ => {
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
        }
    }
}

pub(super) fn versions(lab: &Lab) -> Outcome {
    let home = *lab.robot("fr3")?.home();
    let message = JointCommand {
        robot: "fr3".to_owned(),
        epoch: 7,
        seq: 1,
        stamp_nanos: 1,
        sent_nanos: 1,
        valid_for_nanos: 1,
        q_d: home.to_vec(),
        dq_d: vec![0.0; home.len()],
        gripper_opening: 1.0,
        mode: prehend_link::messages::CommandMode::Track,
    };
    let ours = <JointCommand as prehend_link::Message>::VERSION;
    let mut unnamed = 0;
    let mut said = String::new();
    for theirs in (1..=u8::MAX).filter(|theirs| *theirs != ours) {
        let mut bytes = encode(&message)?;
        bytes[2] = theirs;
        said = match decode::<JointCommand>(&bytes) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let named = [theirs, ours]
            .iter()
            .all(|version| said.contains(&format!("version {version}")));
        unnamed += u64::from(!named);
    }
    Ok(Finding::new(
        unnamed == 0,
        format!("{unnamed} of 254 other versions accepted or not named; \"{said}\""),
    ))
}

pub(super) fn wrapping(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let mut parts = Vec::new();
    let mut pass = true;
    for (name, from) in [("u32", u64::from(u32::MAX)), ("u64", u64::MAX)] {
        let mut world = swaying(&setup)?;
        world.pc.seq = from - 500;
        world.run(4000);
        let account = world.account();
        pass &= account.stops == 0 && account.is_clean();
        parts.push(format!(
            "{name}: {} stops ({:?}), {} refused as not newer",
            account.stops,
            world.arm.shell.stop_reason(),
            world.arm.shell.report().gate.not_newer
        ));
    }
    Ok(Finding::new(pass, parts.join("; ")))
}

pub(super) fn crossed(lab: &Lab) -> Outcome {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let named = |name: &str| Setup {
        name: name.to_owned(),
        ..setup.clone()
    };
    let mut ours = swaying(&named("left"))?;
    let mut theirs = World::new(&named("right"), idle())?;
    // The other robot's own controller is not there yet.
    theirs.to_pc.weather.cuts.push(0..u64::MAX);
    for _ in 0..1000 {
        ours.step();
        let q = ours.arm.state.q;
        let message = JointCommand {
            robot: ours.arm.id.robot.clone(),
            epoch: ours.arm.shell.epoch(),
            seq: ours.pc.seq,
            stamp_nanos: ours.now,
            sent_nanos: ours.now,
            valid_for_nanos: 100 * MS,
            q_d: q.to_vec(),
            dq_d: ours.arm.state.dq.to_vec(),
            gripper_opening: 1.0,
            mode: prehend_link::messages::CommandMode::Track,
        };
        theirs.hand_to_arm(theirs.now, message, [1; 16]);
        theirs.step();
    }
    let gate = theirs.arm.shell.report().gate;
    Ok(Finding::new(
        gate.accepted == 0,
        format!(
            "{} of 1000 accepted, {} refused as another robot's, in a session of the same number on the same key",
            gate.accepted, gate.other_robot
        ),
    ))
}
