//! Measures the link alone: a command goes to another session over loopback and comes back as status.
//!
//! `cargo run --release -p prehend-link --example round_trip`

use std::time::{Duration, Instant};

use prehend_link::messages::{JointCommand, RobotStatus, StopReason};
use prehend_link::{Link, LinkConfig, free_loopback_endpoint};
use prehend_types as types;

const N: u64 = 5000;

#[expect(clippy::print_stdout, reason = "a program's result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = free_loopback_endpoint()?;
    let far = Link::open(&LinkConfig::for_robot("fr3").listening(&endpoint))?;
    let near = Link::open(&LinkConfig::for_robot("fr3").connecting(&endpoint))?;
    let (status_tx, status_rx) = (
        far.publisher::<RobotStatus>()?,
        near.latest::<RobotStatus>()?,
    );
    let (command_tx, command_rx) = (
        near.publisher::<JointCommand>()?,
        far.latest::<JointCommand>()?,
    );

    let state = types::RobotState {
        stamp: types::Stamp::now(),
        q: types::JointPositions::zeros(7)?,
        dq: types::JointVelocities::zeros(7)?,
        gripper: types::GripperState {
            width: 0.08,
            commanded: 1.0,
            is_grasping: false,
        },
    };
    let setpoint = types::JointCommand {
        q_d: state.q,
        dq_d: state.dq,
        gripper: types::GripperCommand { opening: 1.0 },
    };
    let answering = std::thread::spawn(move || {
        while let Some(received) = command_rx.wait(Duration::from_secs(2)) {
            let age = received.at.saturating_since(received.message.sent());
            let command = Some((received.message.seq, age));
            let status =
                RobotStatus::new(1, received.message.seq, &state, command, StopReason::None);
            if status_tx.send(&status).is_err() {
                break;
            }
        }
    });
    while !command_tx.has_subscriber() {
        std::thread::sleep(Duration::from_millis(5));
    }

    let (mut micros, mut one_way) = (Vec::new(), Vec::new());
    for seq in 0..N {
        let begin = Instant::now();
        let stamp = types::Stamp::now();
        let command = JointCommand::track(1, seq, stamp, Duration::from_millis(100), &setpoint);
        command_tx.send(&command)?;
        let Some(answer) = status_rx.wait(Duration::from_secs(1)) else {
            continue;
        };
        micros.push(begin.elapsed().as_secs_f64() * 1e6);
        one_way.extend(
            answer
                .message
                .command_age()
                .map(|age| age.as_secs_f64() * 1e6),
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    for (name, values) in [("round trip", &mut micros), ("one way", &mut one_way)] {
        values.sort_by(f64::total_cmp);
        let quantile = |q| types::stats::quantile(values, q).unwrap_or(f64::NAN);
        let (p50, p99, max) = (quantile(0.5), quantile(0.99), quantile(1.0));
        println!(
            "{name}: n {}, p50 {p50:.0} us, p99 {p99:.0} us, max {max:.0} us",
            values.len()
        );
    }
    drop(command_tx);
    if answering.join().is_err() {
        return Err("the answering thread panicked".into());
    }
    Ok(())
}
