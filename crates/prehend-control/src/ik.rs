//! Turns a wanted tool twist into joint velocities.

use nalgebra::{SMatrix, SVector, Vector3};
use prehend_types::MAX_JOINTS;

use crate::arm::Jacobian;

/// Damped least squares with a null-space motion:
/// `dq = dq_null + Jᵀ (J Jᵀ + λ² I)⁻¹ (v - J dq_null)` (Nakamura and Hanafusa 1986; Siciliano et al.
/// 2009, section 3.5). Finite for any finite Jacobian, singular ones included. Never allocates.
///
/// Returns `None` if the numbers given are not finite.
pub(crate) fn differential(
    jacobian: &Jacobian,
    linear: &Vector3<f64>,
    angular: &Vector3<f64>,
    dq_null: &SVector<f64, MAX_JOINTS>,
    damping: f64,
) -> Option<SVector<f64, MAX_JOINTS>> {
    let mut twist = SVector::<f64, 6>::zeros();
    twist.fixed_rows_mut::<3>(0).copy_from(linear);
    twist.fixed_rows_mut::<3>(3).copy_from(angular);
    let transposed = jacobian.transpose();
    let square = jacobian * transposed + SMatrix::<f64, 6, 6>::identity() * (damping * damping);
    let weights = square.cholesky()?.solve(&(twist - jacobian * dq_null));
    let dq = dq_null + transposed * weights;
    dq.iter().all(|value| value.is_finite()).then_some(dq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_singular_jacobian_gives_bounded_velocities() {
        let mut jacobian = Jacobian::zeros();
        jacobian[(0, 0)] = 1e-9;
        let dq = differential(
            &jacobian,
            &Vector3::new(1.0, 1.0, 1.0),
            &Vector3::zeros(),
            &SVector::zeros(),
            0.02,
        )
        .expect("finite");
        assert!(dq.norm() < 1.0, "{dq}");
    }

    #[test]
    fn nan_gives_nothing() {
        let jacobian = Jacobian::repeat(f64::NAN);
        let zero = Vector3::zeros();
        assert!(differential(&jacobian, &zero, &zero, &SVector::zeros(), 0.02).is_none());
    }
}
