//! The gripper on a cube: what cannot be lifted is not, and what is held weighs what it weighs.

use super::hand::{Cell, EDGE, FRICTION, MASS};
use super::pinch::GRAVITY;
use super::runner::{Test, value};
use super::{Bench, Requirement, VerifyRow};
use crate::SimError;
use crate::physics::DT;

pub(super) fn frictionless(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || Ok(vec![highest_rise(bench, 0.0)?]),
        |numbers| {
            let rise = value(numbers, 0) * 1e3;
            let name = "frictionless: rise of the cube";
            vec![VerifyRow::new(name, rise, Requirement::Below(1.0), "mm")]
        },
    )
}

/// How far the cube's centre rises at most while the hand grasps and lifts by 20 cm, m.
fn highest_rise(bench: Bench<'_>, friction: f64) -> Result<f64, SimError> {
    let mut cell = Cell::around_cube(bench, friction)?;
    cell.rest(0.2);
    cell.grasp();
    let mut highest = cell.cube(0).translation.z;
    // `max` would pass over a NaN.
    let mut is_lost = false;
    cell.lift(0.2, |cell, _| {
        let z = cell.cube(0).translation.z;
        is_lost |= z.is_nan();
        highest = highest.max(z);
    })?;
    Ok(if is_lost {
        f64::NAN
    } else {
        highest - 0.5 * EDGE
    })
}

pub(super) fn balance(bench: Bench<'_>) -> Test<'_> {
    Test::single(
        move || weigh(bench),
        |numbers| {
            let percent = |index| value(numbers, index) * 100.0;
            vec![
                VerifyRow::new(
                    "balance: |Fz - mg| / mg",
                    percent(0),
                    Requirement::Below(1.0),
                    "%",
                ),
                VerifyRow::new(
                    "balance: std(Fz) / mg",
                    percent(1),
                    Requirement::Below(0.1),
                    "%",
                ),
            ]
        },
    )
}

/// Error and standard deviation of the vertical force on a cube that is held still for 2 s, as
/// shares of its weight.
fn weigh(bench: Bench<'_>) -> Result<Vec<f64>, SimError> {
    let mut cell = Cell::around_cube(bench, FRICTION)?;
    cell.rest(0.2);
    cell.grasp();
    cell.lift(0.1, |_, _| {})?;
    cell.rest(1.0);
    let q = cell.q;
    let n_samples = (2.0 / DT).round() as usize;
    let forces: Vec<f64> = (0..n_samples)
        .map(|_| {
            cell.step(&q);
            cell.force_on_cube().z
        })
        .collect();
    let weight = MASS * GRAVITY;
    let mean = forces.iter().sum::<f64>() / forces.len() as f64;
    let spread = forces.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / forces.len() as f64;
    Ok(vec![(mean - weight).abs() / weight, spread.sqrt() / weight])
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_bench;
    use super::*;

    #[test]
    fn friction_lifts_and_its_absence_does_not() {
        with_bench(|bench| {
            assert!(highest_rise(bench, 0.0).expect("runs") < 1e-3);
            assert!(highest_rise(bench, FRICTION).expect("runs") > 0.19);
        });
    }

    #[test]
    fn a_held_cube_weighs_what_it_weighs() {
        with_bench(|bench| {
            let shares = weigh(bench).expect("runs");
            assert!(shares[0] < 0.01, "{shares:?}");
        });
    }
}
