//! The two kinds of training run: what they start from, and how they are resumed.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use prehend_data::{DataError, FolderLock};
use prehend_nets::{FlowPolicyNet, flatten};
use prehend_policy::Ancestor;
use prehend_types::stats::SuccessRate;
use prehend_types::{Stream, derive_seed};

use crate::TrainError;
use crate::batch::{Batch, BatchMaker};
use crate::burn_policy::BurnPolicy;
use crate::checkpoint::{CHECKPOINT_FILE, Checkpoint, Stage};
use crate::config::{DataConfig, DistillConfig, FlowConfig, LogConfig, OptimiserConfig};
use crate::metrics::MetricLine;
use crate::objective::Objective;
use crate::provenance::{Parent, Provenance, Starter};
use crate::steps::State;
use crate::windows::WindowSet;

/// Batches prepared ahead.
const PREFETCH: usize = 2;
/// Most windows that a validation loss is taken over.
const MAX_VALIDATION: usize = 1024;

/// Runs episodes with the policy of the moment and counts successes.
pub type RolloutHook<'a> = dyn FnMut(&BurnPolicy) -> Result<SuccessRate, TrainError> + 'a;

/// What the caller decides while training runs.
pub struct Hooks<'a> {
    /// Asked after every step; `true` ends the run with a checkpoint.
    pub should_stop: &'a dyn Fn() -> bool,
    /// Validation rollouts.
    pub rollouts: Option<&'a mut RolloutHook<'a>>,
    /// Go on from the checkpoint in the run folder, if there is one.
    pub resume: bool,
    /// Draw a progress bar on stderr.
    pub progress: bool,
    /// Who starts the run, for its provenance.
    pub starter: Starter,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Steps done, including those before a resume.
    pub step: u64,
    /// Whether the schedule is complete.
    pub is_finished: bool,
    /// Windows per second of this process, or `None` if it made no step.
    pub samples_per_s: Option<f64>,
    /// The last values logged.
    pub last: MetricLine,
    /// The newest checkpoint.
    pub checkpoint: PathBuf,
}

/// Trains the flow policy (the teacher) in `run_dir`: from fresh parameters, or from the averaged ones
/// and the normaliser of another teacher, for example to go on with more episodes.
///
/// # Errors
/// [`TrainError`], also if `from` has a network of other sizes; the newest checkpoint stays usable
/// whatever happens.
pub fn train_flow(
    config: &FlowConfig,
    from: Option<&Parent>,
    windows: &WindowSet,
    run_dir: &Path,
    hooks: Hooks<'_>,
) -> Result<TrainReport, TrainError> {
    let start = Checkpoint::start(
        Stage::Flow,
        config.network.clone(),
        from.map_or_else(|| windows.action_scale(), |parent| parent.checkpoint.scale),
        config.flow.euler_steps,
        to_toml(config),
        windows.origin.clone(),
        config.optimiser.seed,
    );
    let device = Device::flex().autodiff();
    let net = match from {
        Some(parent) if parent.checkpoint.network == config.network => {
            parent.checkpoint.policy_net(&device)
        }
        Some(parent) => {
            return Err(TrainError::Checkpoint {
                path: parent.path.clone(),
                reason: "has a network of other sizes: give the same [network]".into(),
            });
        }
        None => {
            let seed = derive_seed(config.optimiser.seed, Stream::Parameters, 0);
            FlowPolicyNet::new(&config.network, &start.scale, seed, &device)
        }
    };
    let run = Run {
        optimiser: &config.optimiser,
        data: &config.data,
        log: &config.log,
        sigma_beta: config.flow.sigma_beta,
        shrunk_noise: 0.0,
        objective: Objective::Flow {
            euler_steps: config.flow.euler_steps,
        },
        windows,
        folder: run_dir,
        ancestors: from.map_or_else(Vec::new, |parent| parent.lineage.clone()),
    };
    run.train(start, net, hooks)
}

/// Distils the teacher's Euler steps into one, starting from the teacher's weights, in `run_dir`.
///
/// # Errors
/// [`TrainError`].
pub fn distill(
    config: &DistillConfig,
    parent: &Parent,
    windows: &WindowSet,
    run_dir: &Path,
    hooks: Hooks<'_>,
) -> Result<TrainReport, TrainError> {
    let teacher = &parent.checkpoint;
    let start = Checkpoint::start(
        Stage::Student,
        teacher.network.clone(),
        teacher.scale,
        1,
        to_toml(config),
        windows.origin.clone(),
        config.optimiser.seed,
    );
    let run = Run {
        optimiser: &config.optimiser,
        data: &config.data,
        log: &config.log,
        sigma_beta: 1.0,
        shrunk_noise: config.student.shrunk_noise,
        objective: Objective::Student {
            teacher: Box::new(teacher.policy_net(&Device::flex())),
            euler_steps: teacher.euler_steps,
        },
        windows,
        folder: run_dir,
        ancestors: parent.lineage.clone(),
    };
    run.train(start, teacher.policy_net(&Device::flex().autodiff()), hooks)
}

/// The settings in a canonical form, so that a resume can compare them. Only the time limit may differ
/// between the parts of a run.
fn to_toml(config: &impl serde::Serialize) -> String {
    let mut table = toml::Table::try_from(config).unwrap_or_default();
    if let Some(optimiser) = table
        .get_mut("optimiser")
        .and_then(toml::Value::as_table_mut)
    {
        optimiser.remove("max_minutes");
    }
    table.to_string()
}

/// What one run is made of.
pub(crate) struct Run<'a> {
    pub optimiser: &'a OptimiserConfig,
    pub data: &'a DataConfig,
    pub log: &'a LogConfig,
    pub sigma_beta: f64,
    pub shrunk_noise: f64,
    pub objective: Objective,
    pub windows: &'a WindowSet,
    pub folder: &'a Path,
    pub ancestors: Vec<Ancestor>,
}

impl Run<'_> {
    fn train(
        &self,
        start: Checkpoint,
        net: FlowPolicyNet,
        hooks: Hooks<'_>,
    ) -> Result<TrainReport, TrainError> {
        let (n_windows, n_validation) =
            (self.windows.training.len(), self.windows.validation.len());
        if n_windows < self.optimiser.batch || n_validation == 0 {
            return Err(TrainError::TooFewWindows {
                n_windows,
                n_validation,
                batch: self.optimiser.batch,
            });
        }
        std::fs::create_dir_all(self.folder)
            .map_err(|source| DataError::write(self.folder, source))?;
        let _lock = FolderLock::acquire(self.folder)?;
        let mut state = self.begin(start, net, &hooks)?;
        let scale = state.checkpoint.scale;
        let maker = BatchMaker {
            windows: &self.windows.training,
            scale: &scale,
            optimiser: self.optimiser,
            data: self.data,
            sigma_beta: self.sigma_beta,
            shrunk_noise: self.shrunk_noise,
            max_committed: state.checkpoint.network.max_committed,
        };
        let validation = self.validation_batches(BatchMaker {
            windows: &self.windows.validation,
            ..maker
        });
        let (first, last) = (state.checkpoint.step, self.optimiser.steps);
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Batch>(PREFETCH);
            scope.spawn(move || {
                for step in first..last {
                    // The receiver is gone when training stopped early.
                    if sender.send(maker.draw(step)).is_err() {
                        return;
                    }
                }
            });
            let next = move || receiver.recv().map_err(|_| TrainError::Loader);
            self.steps(&mut state, &next, &validation, hooks)
        })
    }

    fn begin(
        &self,
        start: Checkpoint,
        net: FlowPolicyNet,
        hooks: &Hooks<'_>,
    ) -> Result<State, TrainError> {
        let path = self.folder.join(CHECKPOINT_FILE);
        let optimiser = AdamWConfig::new()
            .with_weight_decay(self.optimiser.weight_decay)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(self.optimiser.clip_norm)))
            .init();
        let refuse = |reason: &str| {
            Err(TrainError::Checkpoint {
                path: path.clone(),
                reason: reason.to_owned(),
            })
        };
        if !path.exists() {
            let provenance = Provenance {
                starter: hooks.starter.clone(),
                ancestors: self.ancestors.clone(),
            };
            provenance.save(self.folder)?;
            let average = flatten(&net);
            return Ok(State {
                net,
                optimiser,
                checkpoint: Checkpoint { average, ..start },
            });
        }
        if !hooks.resume {
            return refuse("is there already: resume it, or choose another run folder");
        }
        let old = Checkpoint::load(&path)?;
        if old.config != start.config || old.stage != start.stage {
            return refuse("was made with other settings: restore them, or choose another folder");
        }
        if old.data != start.data || old.scale != start.scale {
            return refuse("was trained on other episodes: choose another run folder");
        }
        let provenance = Provenance::beside(&path)?;
        if provenance.is_some_and(|provenance| provenance.ancestors != self.ancestors) {
            return refuse("was started from another teacher: choose another run folder");
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

    fn validation_batches(&self, maker: BatchMaker<'_>) -> Vec<Batch> {
        let n = maker.windows.len();
        // Evenly over all episodes: neighbours are almost the same.
        let stride = n.div_ceil(MAX_VALIDATION).max(1);
        let chosen: Vec<usize> = (0..n).step_by(stride).collect();
        let size = 256.min(chosen.len());
        let groups = chosen.chunks_exact(size).enumerate();
        groups
            .map(|(index, group)| maker.fixed(group, index as u64))
            .collect()
    }
}
