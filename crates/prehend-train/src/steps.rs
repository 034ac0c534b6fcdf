//! The training loop that both kinds of run share.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use prehend_nets::{FlowPolicyNet, flatten};

use crate::TrainError;
use crate::batch::Batch;
use crate::burn_policy::BurnPolicy;
use crate::checkpoint::{CHECKPOINT_FILE, Checkpoint, check_finite};
use crate::config::OptimiserConfig;
use crate::metrics::{MetricLine, Metrics};
use crate::objective::Validation;
use crate::trainer::{Hooks, Run, TrainReport};

/// What a step changes.
pub(crate) struct State {
    pub net: FlowPolicyNet,
    pub optimiser: ModuleOptimizer,
    pub checkpoint: Checkpoint,
}

impl Run<'_> {
    /// Steps until the schedule is complete, the caller or the clock stops it.
    pub fn steps(
        &self,
        state: &mut State,
        next: &dyn Fn() -> Result<Batch, TrainError>,
        validation: &[Batch],
        mut hooks: Hooks<'_>,
    ) -> Result<TrainReport, TrainError> {
        let device = Device::flex().autodiff();
        let mut metrics = Metrics::open(self.folder, state.checkpoint.step)?;
        let bar = self.bar(state.checkpoint.step, hooks.progress);
        let begun = Instant::now();
        let (elapsed_before, samples_before) =
            (state.checkpoint.elapsed_s, state.checkpoint.samples);
        let limit = self
            .optimiser
            .max_minutes
            .map(|m| Duration::from_secs_f64(60.0 * m));
        let mut report = MetricLine::default();
        let mut window = LossWindow::new(begun);
        let mut resting = Duration::ZERO;
        let path = self.folder.join(CHECKPOINT_FILE);
        while state.checkpoint.step < self.optimiser.steps {
            let batch = next()?;
            let rate = self.rate(state.checkpoint.step);
            let loss = self.objective.loss(&state.net, &batch, &device);
            let value = loss.clone().into_scalar::<f32>();
            if !value.is_finite() {
                let step = state.checkpoint.step;
                return Err(TrainError::Diverged { step, loss: value });
            }
            let grads = GradientsParams::from_grads(loss.backward(), &state.net);
            state.net = state.optimiser.step(rate, state.net.clone(), grads);
            state.average(self.optimiser.ema_decay);
            let checkpoint = &mut state.checkpoint;
            checkpoint.step += 1;
            checkpoint.samples += batch.len() as u64;
            checkpoint.elapsed_s = elapsed_before + begun.elapsed().as_secs_f64();
            window.add(value, batch.len());
            bar.set_position(checkpoint.step);

            let step = checkpoint.step;
            let is_last = step == self.optimiser.steps;
            let is_out_of_time = limit.is_some_and(|limit| begun.elapsed() >= limit);
            let stops = (hooks.should_stop)() || is_out_of_time;
            let is_due = |every: u64| step.is_multiple_of(every) || is_last;
            let mut line = MetricLine {
                step,
                elapsed_s: checkpoint.elapsed_s,
                ..MetricLine::default()
            };
            let paused = Instant::now();
            if is_due(self.log.every_steps) || stops {
                line.loss = Some(window.loss());
                line.learning_rate = Some(rate);
                line.samples_per_s = Some(window.samples_per_s());
                window = LossWindow::new(Instant::now());
                bar.set_message(format!("loss {:.4}", line.loss.unwrap_or_default()));
            }
            if is_due(self.log.validate_every_steps) {
                self.validate(state, validation, &mut line);
            }
            if let Some(rollouts) = hooks.rollouts.as_mut()
                && is_due(self.log.rollout_every_steps)
            {
                let rate = rollouts(&BurnPolicy::new(&state.checkpoint))?;
                // Rollouts that the user cut short say little.
                if !(hooks.should_stop)() {
                    line.success_rate = rate.success_rate;
                    tracing::info!(step, %rate, "validation rollouts");
                }
            }
            if line
                != (MetricLine {
                    step,
                    elapsed_s: line.elapsed_s,
                    ..Default::default()
                })
            {
                metrics.push(line)?;
                report.merge(&line);
            }
            if is_due(self.log.checkpoint_every_steps) || stops {
                state.save(&path)?;
            }
            let pause = paused.elapsed();
            resting += pause;
            window.skip(pause);
            if stops {
                break;
            }
        }
        bar.finish_and_clear();
        let samples = state.checkpoint.samples - samples_before;
        let busy = begun.elapsed().saturating_sub(resting).as_secs_f64();
        Ok(TrainReport {
            step: state.checkpoint.step,
            is_finished: state.checkpoint.step == self.optimiser.steps,
            samples_per_s: (samples > 0).then(|| samples as f64 / busy),
            last: report,
            checkpoint: path,
        })
    }

    fn validate(&self, state: &State, batches: &[Batch], line: &mut MetricLine) {
        let net = state.checkpoint.policy_net(&Device::flex());
        let scale = &state.checkpoint.scale;
        let all: Vec<Validation> = batches
            .iter()
            .map(|batch| self.objective.validate(&net, batch, scale))
            .collect();
        let mean = Validation::mean(&all);
        line.validation_loss = Some(mean.loss);
        line.validation_translation_m = Some(mean.translation_m);
        line.validation_rotation_rad = Some(mean.rotation_rad);
        line.validation_gripper = Some(mean.gripper);
    }

    /// Linear warm-up, then a cosine to zero (Loshchilov and Hutter 2017).
    fn rate(&self, step: u64) -> f64 {
        let OptimiserConfig {
            learning_rate,
            warm_up_steps,
            steps,
            ..
        } = *self.optimiser;
        if step < warm_up_steps {
            return learning_rate * (step + 1) as f64 / warm_up_steps as f64;
        }
        let span = steps.saturating_sub(warm_up_steps).max(1);
        let progress = (step - warm_up_steps) as f64 / span as f64;
        0.5 * learning_rate * (1.0 + libm::cos(std::f64::consts::PI * progress))
    }

    fn bar(&self, step: u64, is_shown: bool) -> ProgressBar {
        if !is_shown {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(self.optimiser.steps).with_position(step);
        let template = "{wide_bar} {pos}/{len} steps, {per_sec}, {eta} left, {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.reset_eta();
        bar
    }
}

impl State {
    /// Exponential moving average whose decay grows with the steps, so that the first, bad weights are
    /// soon forgotten: min(decay, (1 + n) / (10 + n)).
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

/// Mean loss and speed since the last line of the log.
struct LossWindow {
    since: Instant,
    skipped: Duration,
    sum: f64,
    steps: f64,
    samples: f64,
}

impl LossWindow {
    fn new(since: Instant) -> Self {
        Self {
            since,
            skipped: Duration::ZERO,
            sum: 0.0,
            steps: 0.0,
            samples: 0.0,
        }
    }

    fn add(&mut self, loss: f32, n_samples: usize) {
        self.sum += f64::from(loss);
        self.steps += 1.0;
        self.samples += n_samples as f64;
    }

    /// Leaves out time that was spent on something else than steps.
    fn skip(&mut self, time: Duration) {
        if self.steps > 0.0 {
            self.skipped += time;
        } else {
            self.since = Instant::now();
        }
    }

    fn loss(&self) -> f64 {
        self.sum / self.steps.max(1.0)
    }

    fn samples_per_s(&self) -> f64 {
        let busy = self.since.elapsed().saturating_sub(self.skipped);
        self.samples / busy.as_secs_f64().max(1e-9)
    }
}
