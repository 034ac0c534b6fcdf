//! Section M: a malicious peer.

use std::time::Duration;

use prehend_link::messages::{EpisodeEvent, EventKind, JointCommand, Report, RobotStatus};
use prehend_link::{LinkConfig, Topic, encode};
use prehend_types::Stamp;
use rand::Rng;

use super::{exact, live, moving, skip};
use crate::Lab;
use crate::fault::{Fault, Finding, Outcome};
use crate::live as real;
use crate::sim::{MS, Offer, Setup, World, joint_plan, sway};

/// Why what needs a foreign program on an encrypted link is not tried here.
macro_rules! secured {
    ($test:literal) => {
        concat!(
            "needs zenoh without our rules, which prehend-link alone names: its test `secured` tries it, `",
            $test,
            "`"
        )
    };
}

pub(super) const ROWS: &[Fault] = &[
    skip(
        "M1",
        "an unauthenticated peer sends commands",
        "0 of 1e6 accepted",
        secured!("who_has_no_valid_certificate_is_not_let_in"),
    ),
    skip(
        "M2",
        "an authenticated viewer sends commands",
        "0 accepted",
        secured!("only_the_controllers_certificate_moves_the_arm"),
    ),
    exact(
        "M3",
        "a recorded stream of valid commands is replayed: at once, later, in the next session",
        "0 executed",
        replayed,
    ),
    skip(
        "M4",
        "replay within the session, under a guessed sequence number",
        "0 executed",
        secured!("only_the_controllers_certificate_moves_the_arm"),
    ),
    live(
        "M5",
        "a flood of commands, and of 60 kB on the command's and the state's key, as fast as a session sends (1e5/s wanted)",
        "p99.9 of the loop's period within 10 %; memory +<= 64 MB; 0 violations",
        real::flood,
    ),
    skip(
        "M6",
        "a message of 1 GiB in fragments",
        "dropped: at most 1 MiB for commands, 64 MiB for clouds",
        "prehend-link alone names zenoh, and its publishers refuse to send what receivers would; what is put together \
         from fragments is limited on each session, which its tests of its settings see",
    ),
    skip(
        "M7",
        "1,000 half-open handshakes",
        "running sessions unaffected",
        secured!("connections_that_never_introduce_themselves_hold_nobody_up"),
    ),
    skip(
        "M8",
        "a false router answers to scouting",
        "not used",
        "nothing scouts: multicast and gossip are off, which prehend-link's tests of its settings see",
    ),
    skip(
        "M9",
        "expired, wrong and self-signed certificates",
        "refused",
        secured!("who_has_no_valid_certificate_is_not_let_in"),
    ),
    skip(
        "M10",
        "a forged session id",
        "not used for identity",
        secured!("the_id_of_a_session_proves_nothing"),
    ),
    exact(
        "M11",
        "statuses that say the robot is 0.2 and 1 rad from where it is",
        "not plausible: latched stop",
        lying_states,
    ),
    exact(
        "M12",
        "every stop message is suppressed, then everything",
        "stopped by absence <= time to live + 1 tick",
        suppressed_stop,
    ),
    exact(
        "M13",
        "hostile operator input: jumps, NaN, at 1 kHz; a dead-man's switch that is always on",
        "the same limits: 0 violations; the switch has to be let go in each session",
        hostile_input,
    ),
    skip(
        "M14",
        "secrets in logs",
        "none",
        "not written yet: the only secrets are keys of certificates, which are read from files and never put into \
         a message",
    ),
    skip(
        "M15",
        "crates with advisories, models from unpinned places",
        "refused",
        "checked where the project is built: `.deny.toml`, the lock file, pinned hashes",
    ),
    exact(
        "M16",
        "names with `*`, `$`, `/../`, 10 KB, right-to-left marks",
        "refused",
        hostile_names,
    ),
    exact(
        "M17",
        "line breaks, colours and control characters in what peers say",
        "escaped where it is printed",
        hostile_texts,
    ),
];

fn replayed(lab: &Lab) -> Outcome {
    let mut world = moving(lab)?;
    let mut tape: Vec<JointCommand> = Vec::new();
    for _ in 0..1000 {
        world.step();
        // As they are on the wire: made anew from what the controller sent.
        let q = world.arm.state.q;
        tape.push(JointCommand {
            robot: world.arm.id.robot.clone(),
            epoch: world.arm.shell.epoch(),
            seq: world.pc.seq,
            stamp_nanos: world.now,
            sent_nanos: world.now,
            valid_for_nanos: 100 * MS,
            q_d: q.to_vec(),
            dq_d: world.arm.state.dq.to_vec(),
            gripper_opening: 1.0,
            mode: prehend_link::messages::CommandMode::Track,
        });
    }
    let mut executed = 0;
    let mut sent = 0;
    // Into the running session; into the stopped one; into the next, before its controller comes.
    for phase in 0..3 {
        match phase {
            0 => {}
            1 => {
                world.pc_stalls.push(world.now..u64::MAX);
                world.run(3000);
            }
            _ => _ = world.rearm(),
        }
        let before = world.arm.shell.report();
        let own = world.pc.seq;
        for message in &tape {
            world.hand_to_arm(world.now, message.clone(), [1; 16]);
            sent += 1;
            world.step();
        }
        let after = world.arm.shell.report();
        let own = world.pc.seq - own;
        executed += (after.gate.accepted - before.gate.accepted).saturating_sub(own + 2);
    }
    let account = world.account();
    Ok(Finding::new(
        executed == 0 && account.is_clean(),
        format!("{executed} of {sent} replayed commands accepted; {account}"),
    ))
}

fn lying_states(lab: &Lab) -> Outcome {
    let mut parts = Vec::new();
    let mut pass = true;
    for by in [0.2, 1.0] {
        let mut world = moving(lab)?;
        let mut stopped = None;
        for ms in 0..2000u64 {
            world.step();
            // Between the true statuses, a false one that claims to be newer.
            let mut state = world.arm.state;
            state.stamp = Stamp::from_nanos(world.now);
            state.q[0] += by;
            let shell = &world.arm.shell;
            let lie = RobotStatus::new(
                &world.arm.id,
                shell.epoch(),
                ms,
                &state,
                shell.newest(state.stamp),
                shell.stop_reason(),
            );
            world.pc.hear(&lie);
            if world.pc.controller.stop_reason().is_some() {
                stopped = Some(ms + 1);
                break;
            }
        }
        let account = world.account();
        pass &= stopped.is_some() && account.is_clean();
        parts.push(match stopped {
            Some(ms) => format!("{by} rad: stopped for good after {ms} ms"),
            None => format!("{by} rad: believed for 2 s"),
        });
    }
    Ok(Finding::new(pass, parts.join("; ")))
}

fn suppressed_stop(lab: &Lab) -> Outcome {
    let setup = Setup::fast(lab.robot("fr3")?, lab.seed);
    let pilot = sway(&setup.bounds()?, setup.robot.home(), 0.5);
    let mut world = World::new(&setup, pilot)?;
    world.run(1000);
    // The controller has stopped for good and says so: none of it arrives.
    world.pc.controller.soft_stop();
    world.to_arm.weather.cuts.push(world.now + 1..u64::MAX);
    let begun = world.now;
    let latched = world.run_until(1000, |world| world.arm.shell.is_latched());
    let took = latched.map(|_| (world.now - begun) / MS);
    world.run(2000);
    let account = world.account();
    let allowed = (setup.valid_for + setup.driver_dt).as_millis() as u64;
    Ok(Finding::new(
        took.is_some_and(|ms| ms <= allowed) && world.arm.shell.is_at_rest() && account.is_clean(),
        format!(
            "stop latched {} ms after the last message, {allowed} allowed; {account}",
            took.map_or("never".to_owned(), |ms| ms.to_string())
        ),
    ))
}

fn hostile_input(lab: &Lab) -> Outcome {
    let setup = Setup::fast(lab.robot("fr3")?, lab.seed);
    let mut rng = lab.rng("teleop");
    let n_joints = setup.robot.n_joints();
    let pilot = Box::new(move |at: Stamp| {
        let is_nan = rng.random_bool(0.01);
        let values: [f64; prehend_types::MAX_JOINTS] = std::array::from_fn(|_| match is_nan {
            true => f64::NAN,
            false => rng.random_range(-20.0..20.0),
        });
        joint_plan(at, Duration::from_millis(20), |_| values, n_joints, 2).map(Offer::Joints)
    });
    let mut world = World::new(&setup, pilot)?;
    let mut stops = 0;
    for _ in 0..lab.of(600_000) {
        world.step();
        stops += u64::from(world.arm.shell.is_latched() && world.rearm());
    }
    let account = world.account();
    Ok(Finding::partly(
        account.is_clean(),
        format!("{} plans taken, {stops} stops; {account}", world.pc.taken),
        "there is no operator's device in this version, so no dead-man's switch",
    ))
}

fn hostile_names(_: &Lab) -> Outcome {
    let long = "a".repeat(10 << 10);
    let names = [
        "*",
        "**",
        "a*",
        "$*",
        "fr3/**",
        "/fr3",
        "fr3/",
        "../fr3",
        "/../",
        "a b",
        "a\nb",
        "a\u{1b}[31m",
        "",
        "a\u{202e}b",
        "@adv",
        "fr3?x",
        "fr3#x",
        "a\0b",
        "é",
        &long,
    ];
    let accepted: Vec<&&str> = names
        .iter()
        .filter(|name| {
            let mut node = LinkConfig::for_robot("fr3");
            node.node = (**name).to_owned();
            LinkConfig::for_robot(name).check().is_ok() || node.check().is_ok()
        })
        .collect();
    let good = LinkConfig::for_robot("fr3-left_2").check().is_ok();
    Ok(Finding::new(
        accepted.is_empty() && good,
        format!(
            "{} of {} accepted {accepted:?}",
            accepted.len(),
            names.len()
        ),
    ))
}

fn hostile_texts(_: &Lab) -> Outcome {
    let (mut raw, mut refused) = (Vec::new(), 0);
    for text in [
        "done\nERROR the arm has stopped",
        "\r\u{1b}[2Kall is well",
        "\u{1b}[31mred",
        "\u{9b}31mred",
        "\u{7f}\u{8}\u{8}",
    ] {
        // We would not send it: a harmless text of its length, whose place it takes in the payload.
        let harmless = "#".repeat(text.len());
        let event = EpisodeEvent {
            epoch: 1,
            episode: 1,
            seed: 1,
            stamp_nanos: 1,
            kind: EventKind::Failed,
            target: harmless.clone(),
            held_out: false,
            detail: harmless.clone(),
        };
        let report = Report {
            data: harmless.clone(),
        };
        for (topic, mut bytes) in [
            (Topic::Event, encode(&event)?),
            (Topic::Report, encode(&report)?),
        ] {
            while let Some(at) =
                (bytes.windows(harmless.len())).position(|window| window == harmless.as_bytes())
            {
                bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
            }
            // As `prehend topic echo` prints it, or why it does not.
            let printed = match topic.to_json(&bytes) {
                Ok(json) => json.to_string(),
                Err(error) => {
                    refused += 1;
                    error.to_string()
                }
            };
            if printed.chars().any(char::is_control) {
                raw.push(format!("{text:?} on {}", topic.name()));
            }
        }
    }
    Ok(Finding::new(
        raw.is_empty(),
        format!(
            "of 10 payloads {refused} refused by the receiver, {} printed as they came: {raw:?}",
            raw.len()
        ),
    ))
}
