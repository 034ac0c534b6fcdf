//! Turns windows into batches, in a background thread, as a function of seed and step alone.

use burn::tensor::{Device, Tensor, TensorData};
use prehend_nets::{ActionScale, Committed, N_ROLES, PROPRIO_DIM, PolicyBatch};
use prehend_types::{Stream, derive_seed};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::config::{DataConfig, OptimiserConfig};
use crate::windows::Window;

/// Share of the chunks of which something is decided already.
const DECIDED_SHARE: f64 = 0.5;

/// Plain numbers of one batch, ready to become tensors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    n_batch: usize,
    n_points: usize,
    points: Vec<f32>,
    roles: Vec<f32>,
    proprio: Vec<f32>,
    /// Normalised, `[B, chunk 7]`.
    actions: Vec<f32>,
    /// `[draws B, chunk 7]`
    noise: Vec<f32>,
    /// `[draws B]`
    sigma: Vec<f32>,
    /// `[draws B, chunk]`, 1 where an action is decided already; empty for a network that is never told.
    is_decided: Vec<f32>,
}

/// What batches are made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchMaker<'a> {
    pub windows: &'a [Window],
    pub scale: &'a ActionScale,
    pub optimiser: &'a OptimiserConfig,
    pub data: &'a DataConfig,
    pub sigma_beta: f64,
    /// Share of the noise draws that are shortened by a uniform factor.
    pub shrunk_noise: f64,
    /// Most actions of a chunk that are decided already.
    pub max_committed: usize,
}

impl BatchMaker<'_> {
    /// The batch of one step: windows drawn with replacement.
    pub fn draw(&self, step: u64) -> Batch {
        let mut rng = self.rng(step);
        let n = self.windows.len();
        let chosen: Vec<usize> = (0..self.optimiser.batch)
            .map(|_| rng.random_range(0..n))
            .collect();
        self.make(&chosen, self.optimiser.noise_draws, &mut rng)
    }

    /// One fixed batch with these windows and one noise draw each, for validation.
    pub fn fixed(&self, chosen: &[usize], index: u64) -> Batch {
        self.make(chosen, 1, &mut self.rng(u64::MAX - index))
    }

    /// For each of `n` chunks how many of its actions are decided: in every other one none, in the rest any
    /// number alike.
    fn draw_decided(&self, n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let chunk = self.windows.first().map_or(0, |w| w.actions.len());
        let mut flags = Vec::new();
        if self.max_committed > 0 {
            for _ in 0..n {
                let is_any = rng.random_bool(DECIDED_SHARE);
                let n_decided = rng.random_range(1..=self.max_committed) * usize::from(is_any);
                flags.extend((0..chunk).map(|i| f32::from(u8::from(i < n_decided))));
            }
        }
        flags
    }

    fn rng(&self, step: u64) -> ChaCha8Rng {
        let seed = derive_seed(self.optimiser.seed, Stream::Training, step);
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn make(&self, chosen: &[usize], draws: usize, rng: &mut ChaCha8Rng) -> Batch {
        let quotas = self.data.points_per_role;
        let n_batch = chosen.len();
        let n_points: usize = quotas.iter().sum();
        let d_chunk = self
            .windows
            .first()
            .map_or(0, |w| w.actions.len() * w.actions[0].len());
        let mut batch = Batch {
            n_batch,
            n_points,
            points: Vec::with_capacity(n_batch * n_points * 3),
            roles: Vec::with_capacity(n_batch * n_points * N_ROLES),
            proprio: Vec::with_capacity(n_batch * PROPRIO_DIM),
            actions: Vec::with_capacity(n_batch * d_chunk),
            noise: Vec::with_capacity(draws * n_batch * d_chunk),
            sigma: Vec::with_capacity(draws * n_batch),
            is_decided: Vec::new(),
        };
        for &index in chosen {
            let window = &self.windows[index];
            for (role, &quota) in quotas.iter().enumerate() {
                batch.push_points(window, role, quota, rng);
            }
            batch.proprio.extend(window.proprio);
            batch.actions.extend(
                window
                    .actions
                    .iter()
                    .flat_map(|row| self.scale.normalise(row)),
            );
        }
        for _ in 0..draws * n_batch {
            let length = if rng.random_bool(self.shrunk_noise) {
                rng.random::<f32>()
            } else {
                1.0
            };
            let draw = |_| length * rng.sample::<f32, _>(StandardNormal);
            batch.noise.extend((0..d_chunk).map(draw));
        }
        for _ in 0..draws * n_batch {
            // Beta(b, 1) by inversion: its distribution function is x^b.
            let uniform = 1.0 - rng.random::<f64>();
            batch
                .sigma
                .push(libm::pow(uniform, 1.0 / self.sigma_beta) as f32);
        }
        batch.is_decided = self.draw_decided(draws * n_batch, rng);
        batch
    }
}

impl Batch {
    /// A random subset of one role's points, then padding up to `quota` rows.
    fn push_points(&mut self, window: &Window, role: usize, quota: usize, rng: &mut ChaCha8Rng) {
        let mut own: Vec<[f32; 3]> = window.points_of(role).collect();
        let n_taken = own.len().min(quota);
        let (taken, _) = own.partial_shuffle(rng, n_taken);
        self.points.extend(taken.iter().flatten());
        for _ in 0..n_taken {
            self.roles
                .extend((0..N_ROLES).map(|r| f32::from(u8::from(r == role))));
        }
        let n_padding = quota - n_taken;
        self.points.extend(std::iter::repeat_n(0.0, 3 * n_padding));
        self.roles
            .extend(std::iter::repeat_n(0.0, N_ROLES * n_padding));
    }

    pub fn observation(&self, device: &Device) -> PolicyBatch {
        let data = |values: &[f32], width: usize| {
            TensorData::new(values.to_vec(), [self.n_batch, self.n_points, width])
        };
        PolicyBatch {
            points: Tensor::from_data(data(&self.points, 3), device),
            roles: Tensor::from_data(data(&self.roles, N_ROLES), device),
            proprio: rows(&self.proprio, self.n_batch, device),
        }
    }

    /// Normalised actions, once for each noise draw.
    pub fn actions(&self, device: &Device) -> Tensor<2> {
        let draws = self.sigma.len() / self.n_batch.max(1);
        rows(&self.actions, self.n_batch, device).repeat_dim(0, draws)
    }

    /// What is decided of each draw's chunk: the window's own actions; `None` for a network that is never told.
    pub fn committed(&self, device: &Device) -> Option<Committed> {
        let is_told = !self.is_decided.is_empty();
        is_told.then(|| Committed {
            actions: self.actions(device),
            is_decided: rows(&self.is_decided, self.sigma.len(), device),
        })
    }

    pub fn noise(&self, device: &Device) -> Tensor<2> {
        rows(&self.noise, self.sigma.len(), device)
    }

    /// `[draws B, 1]`
    pub fn sigma(&self, device: &Device) -> Tensor<2> {
        rows(&self.sigma, self.sigma.len(), device)
    }

    pub fn n_draws(&self) -> usize {
        self.sigma.len() / self.n_batch.max(1)
    }

    pub fn len(&self) -> usize {
        self.n_batch
    }
}

fn rows(values: &[f32], n_rows: usize, device: &Device) -> Tensor<2> {
    let width = values.len() / n_rows.max(1);
    Tensor::from_data(TensorData::new(values.to_vec(), [n_rows, width]), device)
}
