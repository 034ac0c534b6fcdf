//! The two losses: flow matching, and same-noise regression to a teacher.

use burn::tensor::{Device, Tensor};
use prehend_nets::{ACTION_DIM, ActionScale, FlowPolicyNet};

use crate::batch::Batch;

/// What the network is fitted to.
#[derive(Debug, Clone)]
pub(crate) enum Objective {
    /// Conditional flow matching (Lipman et al. 2023): mean square of v - (noise - action).
    Flow {
        /// Euler steps of validation.
        euler_steps: usize,
    },
    /// Same-noise regression (RL-100, section on distillation; FQL): the student's one step from a
    /// noise is fitted to where the teacher's Euler steps lead from the same noise.
    Student {
        /// Averaged teacher on the plain device.
        teacher: Box<FlowPolicyNet>,
        /// Its Euler steps.
        euler_steps: usize,
    },
}

impl Objective {
    /// Mean square error in normalised units; `device` is that of `net`.
    pub fn loss(&self, net: &FlowPolicyNet, batch: &Batch, device: &Device) -> Tensor<1> {
        let condition = net
            .encode(batch.observation(device))
            .repeat_dim(0, batch.n_draws());
        let noise = batch.noise(device);
        let committed = batch.committed(device);
        let error = match self {
            Self::Flow { .. } => {
                let (actions, sigma) = (batch.actions(device), batch.sigma(device));
                let wanted = noise.clone() - actions.clone();
                let x = actions + wanted.clone() * sigma.clone();
                net.velocity(condition, x, sigma, committed.as_ref()) - wanted
            }
            Self::Student {
                teacher,
                euler_steps,
            } => {
                let plain = Device::flex();
                let seen = teacher.encode(batch.observation(&plain));
                let seen = seen.repeat_dim(0, batch.n_draws());
                let told = batch.committed(&plain);
                let noise_there = batch.noise(&plain);
                let wanted = teacher.integrate(seen, noise_there, told.as_ref(), *euler_steps);
                let wanted = Tensor::from_data(wanted.into_data(), device);
                net.integrate(condition, noise, committed.as_ref(), 1) - wanted
            }
        };
        let square = error.clone() * error;
        match committed {
            // What is decided is not asked for.
            Some(committed) => {
                let open = committed.mask() * -1.0 + 1.0;
                (square * open.clone()).sum() / open.sum()
            }
            None => square.mean(),
        }
    }

    fn euler_steps(&self) -> usize {
        match self {
            Self::Flow { euler_steps } => *euler_steps,
            Self::Student { .. } => 1,
        }
    }

    /// Loss, and root mean square errors of sampled actions against the demonstrated ones.
    pub fn validate(&self, net: &FlowPolicyNet, batch: &Batch, scale: &ActionScale) -> Validation {
        let plain = Device::flex();
        let loss = self.loss(net, batch, &plain).into_scalar::<f32>();
        let condition = net.encode(batch.observation(&plain));
        let committed = batch.committed(&plain);
        let sampled = net.integrate(
            condition,
            batch.noise(&plain),
            committed.as_ref(),
            self.euler_steps(),
        );
        let error = (sampled - batch.actions(&plain)).into_data();
        // What is decided is copied into the sample: no merit of the network.
        let is_decided = committed.map(|committed| committed.is_decided.into_data());
        let is_decided = is_decided.iter().flat_map(|rows| rows.iter::<f32>());
        let is_open = is_decided
            .map(|decided| decided < 0.5)
            .chain(std::iter::repeat(true));
        let mut squares = [0.0f64; ACTION_DIM];
        let mut n_rows = 0.0;
        let values: Vec<f32> = error.iter::<f32>().collect();
        let rows = values.chunks_exact(ACTION_DIM).zip(is_open);
        for (row, _) in rows.filter(|(_, is_open)| *is_open) {
            for (column, value) in row.iter().enumerate() {
                squares[column] += f64::from(value * scale.spread[column]).powi(2);
            }
            n_rows += 1.0;
        }
        let rms = |columns: std::ops::Range<usize>| {
            let sum: f64 = squares[columns].iter().sum();
            (sum / f64::max(n_rows, 1.0)).sqrt()
        };
        Validation {
            loss: f64::from(loss),
            translation_m: rms(0..3),
            rotation_rad: rms(3..6),
            gripper: rms(6..7),
        }
    }
}

/// Errors on validation windows, with averaged weights.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Validation {
    pub loss: f64,
    pub translation_m: f64,
    pub rotation_rad: f64,
    pub gripper: f64,
}

impl Validation {
    /// Mean of several equally large batches.
    pub fn mean(all: &[Self]) -> Self {
        let n = all.len().max(1) as f64;
        let of = |value: fn(&Self) -> f64| all.iter().map(value).sum::<f64>() / n;
        Self {
            loss: of(|v| v.loss),
            translation_m: of(|v| v.translation_m),
            rotation_rad: of(|v| v.rotation_rad),
            gripper: of(|v| v.gripper),
        }
    }
}
