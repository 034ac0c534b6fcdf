//! Cholesky factors of a joint-space matrix, of fixed size and without allocation.

use nalgebra::SMatrix;
use prehend_types::MAX_JOINTS;

/// A matrix over the joints; rows and columns beyond the joint count are zero.
pub type JointMatrix = SMatrix<f64, MAX_JOINTS, MAX_JOINTS>;

/// L with A = L Lᵀ, lower triangular, of the first `n` rows and columns.
#[derive(Debug, Clone, Copy)]
pub struct Llt {
    /// Row by row; the diagonal holds reciprocals.
    lower: [[f64; MAX_JOINTS]; MAX_JOINTS],
    n: usize,
}

#[allow(clippy::needless_range_loop, reason = "indices are the formula's own")]
impl Llt {
    /// Factors the first `n` rows and columns; `None` if they are not positive definite or not
    /// finite. Never allocates.
    #[must_use]
    pub fn new(matrix: &JointMatrix, n: usize) -> Option<Self> {
        let n = n.min(MAX_JOINTS);
        let mut lower = [[0.0; MAX_JOINTS]; MAX_JOINTS];
        for row in 0..n {
            for column in 0..=row {
                let mut sum = matrix[(row, column)];
                for (a, b) in lower[row].iter().zip(&lower[column]).take(column) {
                    sum -= a * b;
                }
                if row > column {
                    lower[row][column] = sum * lower[column][column];
                } else if sum > 0.0 && sum.is_finite() {
                    lower[row][row] = 1.0 / sum.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Self { lower, n })
    }

    /// Solves A x = `right` in place; entries beyond `n` are left alone. Never allocates.
    pub fn solve(&self, right: &mut [f64; MAX_JOINTS]) {
        for row in 0..self.n {
            let mut sum = right[row];
            for (k, value) in right.iter().enumerate().take(row) {
                sum -= self.lower[row][k] * value;
            }
            right[row] = sum * self.lower[row][row];
        }
        for row in (0..self.n).rev() {
            let mut sum = right[row];
            for (below, value) in self
                .lower
                .iter()
                .zip(right.iter())
                .take(self.n)
                .skip(row + 1)
            {
                sum -= below[row] * value;
            }
            right[row] = sum * self.lower[row][row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solving_undoes_multiplying() {
        let half = JointMatrix::from_fn(|i, j| ((3 * i + 7 * j) % 5) as f64 - 1.5);
        let matrix = half * half.transpose() + JointMatrix::identity();
        let x: [f64; MAX_JOINTS] = std::array::from_fn(|i| i as f64 - 3.25);
        for n in [1, 5, 7, MAX_JOINTS] {
            let llt = Llt::new(&matrix, n).expect("positive definite");
            let mut right = [9.0; MAX_JOINTS];
            for row in 0..n {
                right[row] = (0..n).map(|k| matrix[(row, k)] * x[k]).sum();
            }
            llt.solve(&mut right);
            for row in 0..MAX_JOINTS {
                let expected = if row < n { x[row] } else { 9.0 };
                assert!((right[row] - expected).abs() < 1e-10, "{n} {row}");
            }
        }
    }

    #[test]
    fn what_has_no_factors_is_refused() {
        assert!(Llt::new(&JointMatrix::zeros(), 7).is_none());
        assert!(Llt::new(&(-JointMatrix::identity()), 7).is_none());
        assert!(Llt::new(&(JointMatrix::identity() * f64::NAN), 7).is_none());
    }
}
