//! The run: batches from a background thread, steps, log, validation, checkpoints.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{
    AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer, OptimizerRecord,
};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use prehend_data::{DataError, FolderLock};
use prehend_nets::pick_place::PickPlaceNet;
use prehend_nets::{flatten, unflatten};
use prehend_robot::Jaw;
use prehend_sim::tabletop::TableView;
use prehend_types::{Stream, derive_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::checkpoint::PickPlaceCheckpoint;
use super::config::{PickPlaceTraining, Tasks};
use super::loss::{Emphasis, Parts, loss};
use super::metrics::{PickPlaceLine, PickPlaceValidation};
use super::sample::{Sample, tensors};
use super::store::{StoredScene, describe};
use super::touch::control;
use crate::TrainError;
use crate::checkpoint::{CHECKPOINT_FILE, check_finite};
use crate::metrics::Metrics;
use crate::provenance::{Provenance, Starter};

/// Views in a batch of validation, and the most batches.
const VALIDATION_BATCH: usize = 16;
const VALIDATION_BATCHES: usize = 24;
/// Share of the run after which wrong grasps may be answered by less confidence.
const MASKS_FIRST: f64 = 0.15;
/// Batches prepared ahead.
const PREFETCH: usize = 4;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PickPlaceReport {
    /// Steps done, including those before a resume.
    pub step: u64,
    /// Whether the schedule is complete.
    pub is_finished: bool,
    /// Views per second of this process.
    pub samples_per_s: Option<f64>,
    /// The last line of the log with a validation.
    pub last: PickPlaceLine,
    /// The newest checkpoint.
    pub checkpoint: PathBuf,
}

struct State {
    net: PickPlaceNet,
    optimiser: ModuleOptimizer,
    checkpoint: PickPlaceCheckpoint,
}

/// What one run is made of.
#[derive(Debug, Clone, Copy)]
pub struct PickPlaceRun<'a> {
    /// Settings.
    pub config: &'a PickPlaceTraining,
    /// The gripper that the scenes are labelled for.
    pub jaw: &'a Jaw,
    /// Scenes to learn from.
    pub training: &'a [StoredScene],
    /// Scenes of other objects.
    pub validation: &'a [StoredScene],
    /// Run folder.
    pub folder: &'a Path,
    /// Go on from the checkpoint there.
    pub resume: bool,
    /// Who starts it.
    pub starter: &'a Starter,
}

impl PickPlaceRun<'_> {
    /// Trains until the schedule is complete, or `should_stop` says so after a step.
    ///
    /// # Errors
    /// [`TrainError`]; the newest checkpoint stays usable whatever happens.
    pub fn train(&self, should_stop: &dyn Fn() -> bool) -> Result<PickPlaceReport, TrainError> {
        let Self { config, folder, .. } = *self;
        let path = folder.join(CHECKPOINT_FILE);
        if self.resume && !path.exists() {
            // Before a folder of that name is made.
            let reason = "is not there, so there is nothing to resume: give the folder of the run that was \
                          stopped, or start one without `--resume`";
            return Err(TrainError::Checkpoint {
                path,
                reason: reason.to_owned(),
            });
        }
        std::fs::create_dir_all(folder).map_err(|source| DataError::write(folder, source))?;
        let _lock = FolderLock::acquire(folder)?;
        let mut views = views(self.training);
        if !config.tasks.grasp() {
            views.retain(|view| view.held.is_some());
        }
        let fixed = validation_samples(config, self.validation);
        if views.len() < config.batch || fixed.is_empty() {
            return Err(TrainError::TooFewWindows {
                n_windows: views.len(),
                n_validation: fixed.len(),
                batch: config.batch,
            });
        }
        let mut state = self.begin(&path)?;
        let first = state.checkpoint.step;
        if first == 0 {
            let provenance = Provenance {
                starter: self.starter.clone(),
                ancestors: Vec::new(),
            };
            provenance.save(folder)?;
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Vec<Sample>>(PREFETCH);
            scope.spawn(move || {
                for step in first..config.steps {
                    // The receiver is gone when training stopped early.
                    if sender.send(draw(config, &views, step)).is_err() {
                        return;
                    }
                }
            });
            let next = move || receiver.recv().map_err(|_| TrainError::Loader);
            self.steps(&mut state, &next, &fixed, should_stop)
        })
    }

    fn begin(&self, path: &Path) -> Result<State, TrainError> {
        let Self { config, jaw, .. } = *self;
        let refuse = |reason: String| {
            Err(TrainError::Checkpoint {
                path: path.to_owned(),
                reason,
            })
        };
        let text = toml::to_string(config).unwrap_or_default();
        let data = describe(self.training)?;
        let device = Device::flex().autodiff();
        let seed = derive_seed(config.seed, Stream::Parameters, 0);
        let net = PickPlaceNet::new(&config.network, seed, &device);
        let optimiser = AdamWConfig::new()
            .with_weight_decay(config.weight_decay)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(config.clip_norm)))
            .init();
        if !path.exists() {
            let network = config.network.clone();
            let mut checkpoint = PickPlaceCheckpoint::start(network, text, jaw, data, config.seed);
            checkpoint.average = flatten(&net);
            return Ok(State {
                net,
                optimiser,
                checkpoint,
            });
        }
        if !self.resume {
            return refuse("is there already: resume it, or choose another run folder".into());
        }
        let old = PickPlaceCheckpoint::load(path)?;
        if old.config != text {
            let reason = "was made with other settings: restore them, or choose another folder";
            return refuse(reason.into());
        }
        if old.gripper_fingerprint != jaw.fingerprint() {
            return refuse(format!(
                "was made for another gripper, {:?} as it was then: give that one, or choose another \
                 folder",
                old.gripper
            ));
        }
        if old.data != data {
            return refuse(format!(
                "was trained on other scenes ({}) than these ({data}): give those, or choose another \
                 folder",
                old.data
            ));
        }
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(old.parameters.clone()))?;
        let net = net.try_load_record(record)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(old.optimiser.clone()))?;
        Ok(State {
            net,
            optimiser: optimiser.load_record(record),
            checkpoint: old,
        })
    }

    fn steps(
        &self,
        state: &mut State,
        next: &dyn Fn() -> Result<Vec<Sample>, TrainError>,
        validation: &[Vec<Sample>],
        should_stop: &dyn Fn() -> bool,
    ) -> Result<PickPlaceReport, TrainError> {
        let Self { config, folder, .. } = *self;
        let control = control(self.jaw);
        let mut log = Metrics::open(folder, state.checkpoint.step)?;
        let path = folder.join(CHECKPOINT_FILE);
        let begun = Instant::now();
        let (before, samples_before) = (state.checkpoint.elapsed_s, state.checkpoint.samples);
        let (mut sum, mut since, mut n_logged) = (Parts::default(), Instant::now(), 0);
        let mut last = PickPlaceLine::default();
        if state.checkpoint.step == 0 {
            // Orientations start at chance: the first line shows it.
            last.validation = Some(validate(state, validation, &control));
            log.push(last)?;
        }
        while state.checkpoint.step < config.steps {
            let step = state.checkpoint.step;
            let samples = next()?;
            let (parts, grads) = gradients(config, &state.net, &samples, &control, step)?;
            state.net = state
                .optimiser
                .step(rate(config, step), state.net.clone(), grads);
            state.average(config.ema_decay);
            sum.add(&parts);
            n_logged += 1;
            state.checkpoint.step += 1;
            state.checkpoint.samples += samples.len() as u64;
            state.checkpoint.elapsed_s = before + begun.elapsed().as_secs_f64();
            let step = state.checkpoint.step;
            let stops = should_stop();
            let is_due = |every: u64| step.is_multiple_of(every) || step == config.steps || stops;
            let paused = Instant::now();
            let mut line = PickPlaceLine {
                step,
                elapsed_s: state.checkpoint.elapsed_s,
                learning_rate: rate(config, step),
                ..PickPlaceLine::default()
            };
            if is_due(config.log_every_steps) {
                let seconds = since.elapsed().as_secs_f64();
                line.loss = Some(sum.loss[0] / sum.loss[1].max(1.0));
                line.samples_per_s = Some((n_logged * config.batch) as f64 / seconds);
                tracing::info!(step, loss = line.loss, "training");
                (sum, n_logged) = (Parts::default(), 0);
            }
            if is_due(config.validate_every_steps) {
                line.validation = Some(validate(state, validation, &control));
                last = line;
            }
            if line.loss.is_some() || line.validation.is_some() {
                log.push(line)?;
            }
            if is_due(config.checkpoint_every_steps) {
                state.save(&path)?;
            }
            // Only steps count as training time.
            since = if n_logged == 0 {
                Instant::now()
            } else {
                since + paused.elapsed()
            };
            if stops {
                break;
            }
        }
        let samples = state.checkpoint.samples - samples_before;
        Ok(PickPlaceReport {
            step: state.checkpoint.step,
            is_finished: state.checkpoint.step == config.steps,
            samples_per_s: (samples > 0).then(|| samples as f64 / begun.elapsed().as_secs_f64()),
            last,
            checkpoint: path,
        })
    }
}

fn views(scenes: &[StoredScene]) -> Vec<&TableView> {
    let views = scenes
        .iter()
        .flat_map(|scene| std::iter::once(&scene.picking).chain(&scene.placings));
    views.filter(|view| view.points.len() >= 64).collect()
}

/// The batch of one step: a function of seed and step alone.
fn draw(config: &PickPlaceTraining, views: &[&TableView], step: u64) -> Vec<Sample> {
    let mut rng = ChaCha8Rng::seed_from_u64(derive_seed(config.seed, Stream::Training, step));
    (0..config.batch)
        .map(|_| {
            let view = views[rng.random_range(0..views.len())];
            Sample::new(view, &config.network, true, &mut rng)
        })
        .collect()
}

fn validation_samples(config: &PickPlaceTraining, scenes: &[StoredScene]) -> Vec<Vec<Sample>> {
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let views = views(scenes);
    let stride = views
        .len()
        .div_ceil(VALIDATION_BATCH * VALIDATION_BATCHES)
        .max(1);
    let chosen: Vec<&TableView> = views.into_iter().step_by(stride).collect();
    let batches = chosen.chunks(VALIDATION_BATCH);
    batches
        .filter(|batch| batch.len() > 1)
        .map(|batch| {
            let samples = batch.iter();
            samples
                .map(|view| Sample::new(view, &config.network, false, &mut rng))
                .collect()
        })
        .collect()
}

/// Loss and gradients of a batch: its two halves on two threads, each with leaves of its own, since one
/// autodiff graph is one lock. The sum does not depend on which is done first.
fn gradients(
    config: &PickPlaceTraining,
    net: &PickPlaceNet,
    samples: &[Sample],
    control: &[[f32; 2]],
    step: u64,
) -> Result<(Parts, GradientsParams), TrainError> {
    let half = |samples: &[Sample], index: u64| {
        let device = Device::flex().autodiff();
        let own = unflatten(net.clone(), &flatten(net));
        let said = own.forward(&config.network, tensors(samples, &config.network, &device));
        let seed = derive_seed(config.seed, Stream::Sampling, 2 * step + index);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let emphasis = emphasis(config, step);
        let found = loss(&said, samples, control, emphasis, &mut rng, &device);
        let value = found.parts.loss[0];
        if !value.is_finite() {
            let loss = value as f32;
            return Err(TrainError::Diverged { step, loss });
        }
        let grads = GradientsParams::from_grads((found.total * 0.5).backward(), &own);
        Ok((found.parts, grads))
    };
    let (first, second) = samples.split_at(samples.len().div_ceil(2));
    if second.is_empty() {
        return half(first, 0);
    }
    let (first, second) = rayon::join(|| half(first, 0), || half(second, 1));
    let ((mut parts, first), (more, second)) = (first?, second?);
    parts.add(&more);
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(net, first);
    sum.accumulate(net, second);
    Ok((parts, sum.grads()))
}

fn emphasis(config: &PickPlaceTraining, step: u64) -> Emphasis {
    let progress = step as f64 / config.steps as f64;
    let left = 1.0 - progress / config.angle_share.max(1e-9);
    Emphasis {
        tasks: config.tasks,
        angles: left.max(0.0) as f32,
        by_confidence: progress > MASKS_FIRST,
    }
}

/// Linear warm-up, then a cosine to a hundredth (Loshchilov and Hutter 2017).
fn rate(config: &PickPlaceTraining, step: u64) -> f64 {
    if step < config.warm_up_steps {
        return config.learning_rate * (step + 1) as f64 / config.warm_up_steps as f64;
    }
    let span = config.steps.saturating_sub(config.warm_up_steps).max(1);
    let progress = (step - config.warm_up_steps) as f64 / span as f64;
    let fall = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * progress));
    config.learning_rate * (0.01 + 0.99 * fall)
}

fn validate(state: &State, batches: &[Vec<Sample>], control: &[[f32; 2]]) -> PickPlaceValidation {
    let device = Device::flex();
    let network = &state.checkpoint.network;
    let net = state.checkpoint.net(&device);
    let emphasis = Emphasis {
        tasks: Tasks::Both,
        angles: 0.0,
        by_confidence: false,
    };
    let mut sum = Parts::default();
    for (index, samples) in batches.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
        let said = net.forward(network, tensors(samples, network, &device));
        sum.add(&loss(&said, samples, control, emphasis, &mut rng, &device).parts);
    }
    PickPlaceValidation::new(&sum)
}

impl State {
    /// Exponential moving average whose decay grows with the steps.
    fn average(&mut self, decay: f32) {
        let n = self.checkpoint.step as f32;
        let keep = decay.min((1.0 + n) / (10.0 + n));
        let now = flatten(&self.net);
        for (average, value) in self.checkpoint.average.iter_mut().zip(now) {
            *average = keep * *average + (1.0 - keep) * value;
        }
    }

    fn save(&mut self, path: &Path) -> Result<(), TrainError> {
        check_finite(self.checkpoint.step, &self.checkpoint.average)?;
        self.checkpoint.parameters = self.net.clone().into_record().into_bytes()?.to_vec();
        self.checkpoint.optimiser = self.optimiser.to_record().into_bytes()?.to_vec();
        self.checkpoint.save(path)
    }
}
