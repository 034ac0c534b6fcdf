//! Lift, shake, then a minute of motion: how far a cube slips in the hand.

use nalgebra::Vector3;
use prehend_types::Pose;

use super::hand::{Cell, FRICTION};
use super::path::{JointPath, Wobble};
use super::runner::{Job, Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::SimError;

/// How far the shake turns the hand about two axes, rad: as the probe shook the arm, and as it shook
/// a floating hand.
const TURNS: [f64; 2] = [0.3, 0.5];
/// Length of the shake, s.
const SHAKE: f64 = 10.0;

pub(super) fn test(bench: Bench<'_>) -> Test<'_> {
    let jobs = TURNS.map(|turn| -> Job<'_> { Box::new(move || slip(bench, turn)) });
    Test {
        jobs: jobs.into(),
        rows: Box::new(|all| {
            let of_turn = all.iter().zip(TURNS).flat_map(|(numbers, turn)| {
                let name = |what: &str| format!("grasp, shaken by {turn} rad: {what}");
                let total = value(numbers, 2) * 1e3;
                [
                    VerifyRow::reported(name("slip in the lift"), value(numbers, 0) * 1e3, "mm"),
                    VerifyRow::reported(name("slip after shake"), value(numbers, 1) * 1e3, "mm"),
                    VerifyRow::new(name("slip in all"), total, Requirement::Below(0.3), "mm")
                        .aiming(Requirement::Below(0.1)),
                    VerifyRow::reported(name("turn in all"), value(numbers, 3) * 1e3, "mrad"),
                    VerifyRow::reported(name("creep"), value(numbers, 4) * 1e6, "um/s"),
                ]
            });
            of_turn.collect()
        }),
    }
}

/// Slip since just before the lift: after the lift, after the shake, after the last minute, m; turn at
/// the end, rad; creep over the last minute, m/s. NaN if the cube is not in the hand any more.
fn slip(bench: Bench<'_>, turn: f64) -> Result<Vec<f64>, SimError> {
    let mut cell = Cell::around_cube(bench, FRICTION)?;
    cell.rest(0.2);
    cell.grasp();
    let before = cell.cube_in_hand();
    let slipped = |cell: &Cell| before.inv_mul(&cell.cube_in_hand());

    cell.lift(0.2, |_, _| {})?;
    cell.rest(0.5);
    let lifted = slipped(&cell);

    let middle = bench.robot.forward(&cell.q);
    wobble(&mut cell, bench, shake(middle, turn))?;
    cell.rest(0.5);
    let shaken = slipped(&cell);
    let minute = bench.seconds(60.0);
    wobble(&mut cell, bench, wander(middle, minute))?;
    let held = slipped(&cell);

    let size = |slip: &Pose| {
        if cell.is_held() {
            slip.translation.vector.norm()
        } else {
            f64::NAN
        }
    };
    let crept = (held.translation.vector - shaken.translation.vector).norm();
    Ok(vec![
        size(&lifted),
        size(&shaken),
        size(&held),
        held.rotation.angle(),
        crept / minute,
    ])
}

fn wobble(cell: &mut Cell, bench: Bench<'_>, wobble: Wobble) -> Result<(), SimError> {
    let path = JointPath::through(bench.robot, &cell.q, wobble.seconds, |t| wobble.at(t))?;
    cell.follow(&path, |_, _| {});
    Ok(())
}

/// 3 cm along every axis, 1.6 to 2.4 Hz, turning about two.
fn shake(middle: Pose, turn: f64) -> Wobble {
    Wobble {
        middle,
        shift: Vector3::repeat(0.03),
        turn: Vector3::new(turn, turn, 0.0),
        shift_hz: Vector3::new(1.6, 2.0, 2.4),
        turn_hz: Vector3::new(1.8, 2.2, 0.0),
        seconds: SHAKE,
        ramp: 0.5,
    }
}

/// The slow motions of a task: decimetres in seconds.
fn wander(middle: Pose, seconds: f64) -> Wobble {
    Wobble {
        middle,
        shift: Vector3::new(0.06, 0.10, 0.05),
        turn: Vector3::new(0.2, 0.2, 0.3),
        shift_hz: Vector3::new(0.25, 0.20, 0.30),
        turn_hz: Vector3::new(0.17, 0.23, 0.15),
        seconds,
        ramp: (0.25 * seconds).min(2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn a_shaken_cube_stays_in_the_hand() {
        with_bench(|bench| {
            let numbers = slip(bench, TURNS[0]).expect("in reach");
            assert!(numbers[2] < 0.5e-3, "{numbers:?}");
        });
    }
}
