//! Joint-space vectors as types of their own, so that a position cannot be sent as a torque.

use serde::{Deserialize, Serialize};

/// Most joints an arm may have. Fixed, so that joint vectors are `Copy` and never allocate.
pub const MAX_JOINTS: usize = 8;

/// A joint vector was given more than [`MAX_JOINTS`] values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{got} joint values given, at most {MAX_JOINTS} are supported")]
pub struct TooManyJoints {
    /// How many values were given.
    pub got: usize,
}

macro_rules! joint_vector {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
        pub struct $name {
            len: usize,
            values: [f64; MAX_JOINTS],
        }

        impl $name {
            /// `n_joints` zeros.
            ///
            /// # Errors
            /// [`TooManyJoints`] above [`MAX_JOINTS`].
            pub fn zeros(n_joints: usize) -> Result<Self, TooManyJoints> {
                if n_joints > MAX_JOINTS {
                    return Err(TooManyJoints { got: n_joints });
                }
                Ok(Self { len: n_joints, values: [0.0; MAX_JOINTS] })
            }

            /// Copies a slice, one value per joint, base to tip.
            ///
            /// # Errors
            /// [`TooManyJoints`] above [`MAX_JOINTS`].
            pub fn from_slice(values: &[f64]) -> Result<Self, TooManyJoints> {
                let mut out = Self::zeros(values.len())?;
                out.values[..values.len()].copy_from_slice(values);
                Ok(out)
            }

            /// A vector of the same length, every value made from the old one. Never allocates.
            #[must_use]
            pub fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
                for value in &mut self.values[..self.len] {
                    *value = f(*value);
                }
                self
            }

            /// Whether every value is finite.
            #[must_use]
            pub fn is_finite(&self) -> bool {
                self.iter().all(|value| value.is_finite())
            }
        }

        impl std::ops::Deref for $name {
            type Target = [f64];
            fn deref(&self) -> &[f64] {
                &self.values[..self.len]
            }
        }

        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut [f64] {
                &mut self.values[..self.len]
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "{:?}"), &**self)
            }
        }

        impl TryFrom<Vec<f64>> for $name {
            type Error = TooManyJoints;
            fn try_from(values: Vec<f64>) -> Result<Self, TooManyJoints> {
                Self::from_slice(&values)
            }
        }

        impl From<$name> for Vec<f64> {
            fn from(vector: $name) -> Self {
                vector.to_vec()
            }
        }
    };
}

joint_vector!(
    /// q: joint positions, rad (m if prismatic), base to tip.
    JointPositions
);
joint_vector!(
    /// dq: joint velocities, rad/s (m/s if prismatic), base to tip.
    JointVelocities
);
joint_vector!(
    /// ddq: joint accelerations, rad/s² (m/s² if prismatic), base to tip.
    JointAccelerations
);
joint_vector!(
    /// tau: joint torques, N·m (N if prismatic), base to tip.
    JointTorques
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_kept_and_bounded() {
        let q = JointPositions::from_slice(&[0.1; 7]).expect("seven fit");
        assert_eq!(q.len(), 7);
        assert_eq!(
            JointPositions::from_slice(&[0.0; 9]),
            Err(TooManyJoints { got: 9 })
        );
    }

    #[test]
    fn non_finite_is_seen() {
        let q = JointPositions::from_slice(&[0.0, f64::NAN]).expect("two fit");
        assert!(!q.is_finite());
        assert!(q.map(|_| 1.0).is_finite());
    }
}
