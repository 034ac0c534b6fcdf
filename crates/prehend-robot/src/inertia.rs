//! Inertias that a rigid body can have.

use nalgebra::{Matrix3, SymmetricEigen, Vector3};

/// Rounding that published inertias are allowed, relative to the largest principal moment.
const ROUNDING: f64 = 1e-3;

/// Principal moments, smallest first.
fn moments(inertia: &Matrix3<f64>) -> Vector3<f64> {
    let mut moments = SymmetricEigen::new(*inertia).eigenvalues;
    moments.as_mut_slice().sort_by(f64::total_cmp);
    moments
}

/// No mass distribution has a principal moment above the sum of the other two, or below zero.
///
/// Refused rather than repaired: a wrong digit here becomes a wrong torque on the arm.
pub(crate) fn check(inertia: &Matrix3<f64>) -> Result<(), String> {
    let moments = moments(inertia);
    let slack = ROUNDING * moments[2].abs();
    // Written so that NaN is refused too.
    if moments[0] > 0.0 && moments[2] <= moments[0] + moments[1] + slack {
        return Ok(());
    }
    Err(format!(
        "is not physical: principal moments {:.3e}, {:.3e}, {:.3e} kg m² must be positive and none above the \
         sum of the others ({:.3e}); lower the largest or correct the source",
        moments[0],
        moments[1],
        moments[2],
        moments[0] + moments[1],
    ))
}

/// The same axes with the largest moment lowered to the sum of the others; `None` if a moment is not
/// positive, because then nothing says what was meant.
pub(crate) fn repaired(inertia: &Matrix3<f64>) -> Option<Matrix3<f64>> {
    let eigen = SymmetricEigen::new(*inertia);
    let mut values = eigen.eigenvalues;
    let largest = values.imax();
    let others = values.sum() - values[largest];
    if values.min() <= 0.0 || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    values[largest] = values[largest].min(others);
    let axes = eigen.eigenvectors;
    Some(axes * Matrix3::from_diagonal(&values) * axes.transpose())
}

/// Moments that MuJoCo's `balanceinertia` gives: all equal to their mean.
pub(crate) fn balanced(inertia: &Matrix3<f64>) -> Matrix3<f64> {
    Matrix3::identity() * (inertia.trace() / 3.0)
}
