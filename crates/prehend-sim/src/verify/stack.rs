//! What stands on each other must stand.

use nalgebra::Vector3;

use super::hand::{Cell, Cube, EDGE, MASS};
use super::runner::{Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::SimError;

const N_CUBES: usize = 10;
/// Beside the arm at home, base frame, m.
const PLACE: [f64; 2] = [0.5, 0.25];
const FRICTION: f64 = 0.6;

pub(super) fn ten_cubes(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || stand(bench, &[MASS; N_CUBES], bench.seconds(60.0)),
        |numbers| {
            let millimetres = |index| value(numbers, index) * 1e3;
            let standing = Requirement::AtLeast(N_CUBES as f64);
            vec![
                VerifyRow::new("stack: cubes that stand", value(numbers, 0), standing, ""),
                VerifyRow::new(
                    "stack: largest penetration",
                    millimetres(1),
                    Requirement::Below(0.2),
                    "mm",
                ),
                VerifyRow::reported("stack: height loss", millimetres(2), "mm"),
                VerifyRow::reported("stack: lateral drift", millimetres(3), "mm"),
            ]
        },
    )
}

pub(super) fn mass_ratio(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || stand(bench, &[0.001, 1.0], bench.seconds(60.0)),
        |numbers| {
            let millimetres = |index| value(numbers, index) * 1e3;
            let standing = Requirement::AtLeast(2.0);
            let name = "mass_ratio: boxes that stand";
            vec![
                VerifyRow::new(name, value(numbers, 0), standing, ""),
                VerifyRow::reported("mass_ratio: largest penetration", millimetres(1), "mm")
                    .aiming(Requirement::Below(0.2)),
                VerifyRow::reported("mass_ratio: lateral drift", millimetres(3), "mm"),
            ]
        },
    )
}

/// Cubes of these masses on each other, the first at the bottom. How many still stand in their place
/// (within half an edge sideways and up or down, tilted less than 0.1 rad), the largest penetration
/// at any time, how far the top sank, how far any cube went sideways, m.
fn stand(bench: Bench<'_>, masses: &[f64], seconds: f64) -> Result<Vec<f64>, SimError> {
    let center = |level: usize| {
        let z = EDGE * (level as f64 + 0.5);
        Vector3::new(PLACE[0], PLACE[1], z)
    };
    let cubes: Vec<Cube> = masses
        .iter()
        .enumerate()
        .map(|(level, mass)| Cube {
            edge: EDGE,
            mass: *mass,
            friction: FRICTION,
            center: center(level),
        })
        .collect();
    let mut cell = Cell::new(bench, bench.robot.home(), &cubes)?;
    let mut deepest: f64 = 0.0;
    for _ in 0..(seconds / 0.05).round() as u64 {
        cell.rest(0.05);
        deepest = deepest.max(cell.deepest());
    }
    let levels = || (0..cubes.len()).map(|level| (cell.cube(level), center(level)));
    let standing = levels().filter(|(pose, place)| {
        let off = pose.translation.vector - place;
        off.amax() < 0.5 * EDGE && pose.rotation.angle() < 0.1
    });
    let lateral = levels().map(|(pose, place)| (pose.translation.vector - place).xy().norm());
    let height_loss = levels()
        .last()
        .map(|(pose, place)| place.z - pose.translation.z);
    Ok(vec![
        standing.count() as f64,
        deepest,
        height_loss.unwrap_or(f64::NAN),
        lateral.fold(0.0, f64::max),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn a_stack_stands_for_a_few_seconds() {
        with_bench(|bench| {
            let numbers = stand(bench, &[MASS; N_CUBES], 3.0).expect("runs");
            assert_eq!(numbers[0], 10.0, "{numbers:?}");
            assert!(numbers[1] > 0.0 && numbers[1] < 0.2e-3, "{numbers:?}");
        });
    }
}
