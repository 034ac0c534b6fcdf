//! The run: passes over the trials in random order. It takes minutes, so that it is not resumed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor, TensorData};
use prehend_cloud::{CloseUp, mirrored};
use prehend_data::{DataError, FolderLock};
use prehend_nets::pick_place::CloseUpScorer;
use prehend_nets::{flatten, unflatten};
use prehend_robot::Jaw;
use prehend_types::{Stream, derive_seed};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::checkpoint::ScorerCheckpoint;
use super::config::ScorerTraining;
use super::export::stack;
use super::metrics::{ScorerLine, rank_auc};
use super::tried::{Trial, Tried};
use crate::TrainError;
use crate::checkpoint::{CHECKPOINT_FILE, check_finite};
use crate::metrics::Metrics;
use crate::provenance::{Provenance, Starter};

/// Noise on every number of a close-up, in its units: 1 mm.
const JITTER: f32 = 0.02;
/// Trials that are judged at once.
const CHUNK: usize = 256;

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub struct ScorerRun<'a> {
    /// Settings.
    pub config: &'a ScorerTraining,
    /// The gripper.
    pub jaw: &'a Jaw,
    /// What was tried.
    pub tried: &'a Tried,
    /// Run folder.
    pub folder: &'a Path,
    /// Who starts it.
    pub starter: &'a Starter,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerReport {
    /// Passes that were completed.
    pub passes: u64,
    /// The last line of the log.
    pub last: ScorerLine,
    /// What it has learned.
    pub checkpoint: PathBuf,
}

impl ScorerRun<'_> {
    /// Trains until all passes are done, or `should_stop` says so after one.
    ///
    /// # Errors
    /// [`TrainError`]; the checkpoint of the last whole pass stays.
    pub fn train(&self, should_stop: &dyn Fn() -> bool) -> Result<ScorerReport, TrainError> {
        let Self { config, folder, .. } = *self;
        std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        let _lock = FolderLock::acquire(folder)?;
        let path = folder.join(CHECKPOINT_FILE);
        if path.exists() {
            let reason = "is there already: choose another run folder".to_owned();
            return Err(TrainError::Checkpoint { path, reason });
        }
        let (mut training, validation) = self.split();
        let n_batches = training.len() / config.batch;
        if n_batches == 0 || validation.is_empty() {
            return Err(TrainError::TooFewWindows {
                n_windows: training.len(),
                n_validation: validation.len(),
                batch: config.batch,
            });
        }
        let provenance = Provenance {
            starter: self.starter.clone(),
            ancestors: Vec::new(),
        };
        provenance.save(folder)?;
        let device = Device::flex().autodiff();
        let seed = derive_seed(config.seed, Stream::Parameters, 1);
        let mut net = CloseUpScorer::new(seed, &device);
        let mut optimiser = AdamWConfig::new()
            .with_weight_decay(config.weight_decay)
            .init();
        let mut log = Metrics::open(folder, 0)?;
        let begun = Instant::now();
        let mut last = ScorerLine::default();
        let n_steps = config.passes * n_batches as u64;
        let mut passes = 0;
        while passes < config.passes && !should_stop() {
            let seed = derive_seed(config.seed, Stream::Training, passes);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            training.shuffle(&mut rng);
            let mut sum = 0.0;
            for batch in training.chunks_exact(config.batch) {
                let (loss, grads) = gradients(&net, batch, &mut rng, last.step)?;
                net = optimiser.step(rate(config, last.step, n_steps), net, grads);
                sum += loss;
                last.step += 1;
            }
            passes += 1;
            last.elapsed_s = begun.elapsed().as_secs_f64();
            last.loss = sum / n_batches as f64;
            (last.validation_loss, last.validation_auc) = judge(&net.valid(), &validation);
            log.push(last)?;
            tracing::info!(
                passes,
                loss = last.loss,
                auc = last.validation_auc,
                "training"
            );
            let parameters = flatten(&net);
            check_finite(last.step, &parameters)?;
            let checkpoint = ScorerCheckpoint::new(
                self.tried.judged,
                self.tried.describe(),
                self.jaw.fingerprint(),
                config.seed,
                last.elapsed_s,
                parameters,
            );
            checkpoint.save(&path)?;
        }
        Ok(ScorerReport {
            passes,
            last,
            checkpoint: path,
        })
    }

    /// Trials to learn from, and those of the scenes that are left out.
    fn split(&self) -> (Vec<&Trial>, Vec<&Trial>) {
        let one_in = self.config.validate_one_in;
        let (mut own, mut left_out) = (Vec::new(), Vec::new());
        for (index, scene) in self.tried.scenes.iter().enumerate() {
            let is_left_out = (index + 1).is_multiple_of(one_in);
            let list = if is_left_out { &mut left_out } else { &mut own };
            list.extend(&scene.trials);
        }
        (own, left_out)
    }
}

/// The mirror images and the other way round are as good as itself; and some noise.
fn augmented(close_up: &CloseUp, rng: &mut ChaCha8Rng) -> CloseUp {
    let sides = [(); 2].map(|()| if rng.random_bool(0.5) { 1.0 } else { -1.0 });
    let mut seen = mirrored(close_up, sides);
    for value in seen.iter_mut().flatten() {
        let noise: f32 = StandardNormal.sample(rng);
        *value += JITTER * noise;
    }
    seen
}

/// Mean loss and gradients of a batch: its two halves on two threads, as their sum does not depend on which
/// is done first.
fn gradients(
    net: &CloseUpScorer,
    batch: &[&Trial],
    rng: &mut ChaCha8Rng,
    step: u64,
) -> Result<(f64, GradientsParams), TrainError> {
    let samples: Vec<(CloseUp, bool)> = batch
        .iter()
        .map(|trial| (augmented(&trial.close_up, rng), trial.is_good))
        .collect();
    let half = |samples: &[(CloseUp, bool)]| {
        let device = Device::flex().autodiff();
        let own = unflatten(net.clone(), &flatten(net));
        let close_ups: Vec<CloseUp> = samples.iter().map(|(seen, _)| seen.clone()).collect();
        let good: Vec<bool> = samples.iter().map(|(_, is_good)| *is_good).collect();
        let share = good.len() as f32 / batch.len() as f32;
        let total = cross_entropy(own.forward(stack(&close_ups, &device)), &good, &device) * share;
        let loss = f64::from(total.clone().into_scalar::<f32>());
        (loss, GradientsParams::from_grads(total.backward(), &own))
    };
    let (first, second) = samples.split_at(samples.len() / 2);
    let ((a, first), (b, second)) = rayon::join(|| half(first), || half(second));
    let loss = a + b;
    if !loss.is_finite() {
        let loss = loss as f32;
        return Err(TrainError::Diverged { step, loss });
    }
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(net, first);
    sum.accumulate(net, second);
    Ok((loss, sum.grads()))
}

/// Mean over logits `[G, 1]`.
fn cross_entropy(logits: Tensor<2>, good: &[bool], device: &Device) -> Tensor<1> {
    let targets: Vec<f32> = good.iter().map(|good| f32::from(u8::from(*good))).collect();
    let targets = Tensor::<2>::from_data(TensorData::new(targets, [good.len(), 1]), device);
    let tail = (logits.clone().abs().neg().exp() + 1.0).log();
    (relu(logits.clone()) + tail - logits * targets).mean()
}

/// Loss and order on trials that are not learned from.
fn judge(net: &CloseUpScorer, trials: &[&Trial]) -> (f64, Option<f64>) {
    let device = Device::flex();
    let good: Vec<bool> = trials.iter().map(|trial| trial.is_good).collect();
    let (mut loss, mut scores) = (0.0, Vec::with_capacity(trials.len()));
    for (chunk, good) in trials.chunks(CHUNK).zip(good.chunks(CHUNK)) {
        let close_ups: Vec<CloseUp> = chunk.iter().map(|trial| trial.close_up.clone()).collect();
        let logits = net.forward(stack(&close_ups, &device));
        let mean = cross_entropy(logits.clone(), good, &device).into_scalar::<f32>();
        loss += f64::from(mean) * chunk.len() as f64;
        scores.extend(sigmoid(logits).into_data().iter::<f32>());
    }
    (loss / trials.len() as f64, rank_auc(&scores, &good))
}

/// Linear to the highest, then a cosine to a hundredth of it.
fn rate(config: &ScorerTraining, step: u64, n_steps: u64) -> f64 {
    let progress = step as f64 / n_steps as f64;
    let warm = config.warm_up_share;
    if progress < warm {
        return config.learning_rate * (progress / warm).max(0.04);
    }
    let fall = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * (progress - warm) / (1.0 - warm)));
    config.learning_rate * (0.01 + 0.99 * fall)
}
