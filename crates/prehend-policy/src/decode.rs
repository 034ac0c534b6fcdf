//! Turns the numbers that a graph computed into a checked chunk of actions, and seeds into its noise.

use std::time::Duration;

use nalgebra::Vector3;
use prehend_types::{Action, ActionChunk, MAX_CHUNK, PolicyError, Stamp, Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::manifest::{ActionSpace, NoiseKind};

/// Numbers per action: translation, rotation vector, gripper opening.
pub(crate) const N_ACTION: usize = 7;

/// An output this many times over the bundle's bound means a broken network, not a bold one.
const ABSURD: f64 = 10.0;

impl NoiseKind {
    /// Draws the noise of the episode with this seed.
    ///
    /// One draw serves the whole episode: the noise picks one of several good ways to do the task,
    /// and drawing it anew for each chunk would let the arm change its mind several times a second.
    pub fn draw(self, seed: u64, noise: &mut [f32]) {
        match self {
            Self::Zero => noise.fill(0.0),
            Self::Normal => {
                let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(seed, Stream::Policy, 0));
                for value in noise {
                    *value = StandardNormal.sample(&mut rng);
                }
            }
        }
    }
}

impl ActionSpace {
    /// The chunk that `output` (`[chunk, 7]`: m, rad, opening) means, and how many of its actions were
    /// shortened to the bounds.
    ///
    /// # Errors
    /// [`PolicyError::NonFinite`]; [`PolicyError::Inference`] if an action is absurdly long or rows are
    /// missing.
    pub fn decode(&self, output: &[f32], start: Stamp) -> Result<(ActionChunk, u64), PolicyError> {
        let refuse = |reason: String| PolicyError::Inference { reason };
        let mut actions = [Action::hold(0.0); MAX_CHUNK];
        let mut n_clamped = 0;
        if output.len() != N_ACTION * self.chunk || self.chunk > MAX_CHUNK {
            return Err(refuse(format!(
                "{} numbers are no {} actions",
                output.len(),
                self.chunk
            )));
        }
        for (index, row) in output.chunks_exact(N_ACTION).enumerate() {
            let (action, is_clamped) = self.action(row, index)?;
            actions[index] = action;
            n_clamped += u64::from(is_clamped);
        }
        let dt = Duration::from_secs_f64(self.dt_s);
        ActionChunk::new(start, dt, self.n_action_steps, &actions[..self.chunk])
            .map(|chunk| (chunk, n_clamped))
            .map_err(|error| refuse(error.to_string()))
    }

    fn action(&self, row: &[f32], index: usize) -> Result<(Action, bool), PolicyError> {
        if !row.iter().all(|value| value.is_finite()) {
            return Err(PolicyError::NonFinite { index });
        }
        let at = |i: usize| f64::from(row[i]);
        let bound = |first: usize, most: f64, what: &str, unit: &str| {
            let vector = Vector3::new(at(first), at(first + 1), at(first + 2));
            let norm = vector.norm();
            if norm > ABSURD * most {
                return Err(PolicyError::Inference {
                    reason: format!(
                        "action {index} has a {what} of {norm:.3} {unit}, the bundle's bound is \
                         {most} {unit}"
                    ),
                });
            }
            let is_over = norm > most;
            let kept = if is_over {
                vector * (most / norm)
            } else {
                vector
            };
            Ok((kept, is_over))
        };
        let (translation, cut_a) = bound(0, self.max_translation_m, "translation", "m")?;
        let (rotation, cut_b) = bound(3, self.max_rotation_rad, "rotation", "rad")?;
        let action = Action {
            translation,
            rotation,
            gripper: at(6).clamp(0.0, 1.0),
        };
        Ok((action, cut_a || cut_b))
    }
}
