//! Settings of training runs, read from TOML.

use std::path::Path;

use prehend_nets::FlowPolicyConfig;
use prehend_types::config::{self, ConfigError, require};
use serde::{Deserialize, Serialize};

/// Longest training time that can be asked for: a year.
const MAX_MINUTES: f64 = 366.0 * 24.0 * 60.0;

/// Settings of `train flow`: the teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Sizes of the network.
    pub network: FlowPolicyConfig,
    /// The flow.
    pub flow: FlowSettings,
    /// Steps and rates.
    pub optimiser: OptimiserConfig,
    /// What a batch is made of.
    pub data: DataConfig,
    /// What is logged and saved when.
    pub log: LogConfig,
}

/// Settings of `distill`: the one-step student. Its network is the teacher's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillConfig {
    /// What the student learns from the teacher.
    pub student: StudentSettings,
    /// Steps and rates.
    pub optimiser: OptimiserConfig,
    /// What a batch is made of.
    pub data: DataConfig,
    /// What is logged and saved when.
    pub log: LogConfig,
}

/// The flow between noise and actions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// Euler steps from noise to action.
    pub euler_steps: usize,
    /// Noise levels are drawn from Beta(this, 1): 1 is uniform, more prefers noisy chunks.
    pub sigma_beta: f64,
}

/// What the student learns from the teacher.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentSettings {
    /// Share of the noise draws that are shortened by a uniform factor, so that the student also knows
    /// where the teacher leads from little noise or none.
    pub shrunk_noise: f64,
}

/// Steps and rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Seed of initial parameters, order and noise.
    pub seed: u64,
    /// Steps of the whole schedule.
    pub steps: u64,
    /// Windows per step.
    pub batch: usize,
    /// Noise draws per window; the encoder runs once for all of them.
    pub noise_draws: usize,
    /// Highest learning rate (AdamW).
    pub learning_rate: f64,
    /// Steps until it is reached, linearly; afterwards it falls to zero along a cosine.
    pub warm_up_steps: u64,
    /// Weight decay.
    pub weight_decay: f32,
    /// Largest norm of one parameter tensor's gradient; larger ones are shortened.
    pub clip_norm: f32,
    /// Decay of the averaged weights that are validated and exported.
    pub ema_decay: f32,
    /// Stops after this long, keeping a checkpoint to resume from. The schedule follows steps.
    #[serde(default)]
    pub max_minutes: Option<f64>,
}

/// What a batch is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Points drawn of target, receptacle and everything else for each training sample.
    pub points_per_role: [usize; 3],
    /// Share of episodes that is kept for validation.
    pub validation_share: f64,
}

/// What is logged and saved when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Steps between lines of the log.
    pub every_steps: u64,
    /// Steps between validation losses.
    pub validate_every_steps: u64,
    /// Steps between validation rollouts, if the caller gives any.
    pub rollout_every_steps: u64,
    /// Steps between checkpoints.
    pub checkpoint_every_steps: u64,
}

impl FlowConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let own: Self = config::load(path)?;
        let need = |holds, field: &str, message: &str| require(holds, path, field, message);
        if let Some((field, message)) = own.network.find_fault() {
            require(false, path, &format!("network.{field}"), message)?;
        }
        need(
            (1..=100).contains(&own.flow.euler_steps),
            "flow.euler_steps",
            "must be 1 to 100",
        )?;
        need(
            own.flow.sigma_beta.is_finite() && own.flow.sigma_beta > 0.0,
            "flow.sigma_beta",
            "must be above 0",
        )?;
        check(path, &own.optimiser, &own.data, &own.log)?;
        Ok(own)
    }
}

impl DistillConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let own: Self = config::load(path)?;
        require(
            (0.0..=1.0).contains(&own.student.shrunk_noise),
            path,
            "student.shrunk_noise",
            "must be 0 to 1",
        )?;
        check(path, &own.optimiser, &own.data, &own.log)?;
        Ok(own)
    }
}

fn check(
    path: &Path,
    optimiser: &OptimiserConfig,
    data: &DataConfig,
    log: &LogConfig,
) -> Result<(), ConfigError> {
    let need = |holds, field: &str, message: &str| require(holds, path, field, message);
    let rate = optimiser.learning_rate;
    need(optimiser.steps > 0, "optimiser.steps", "must be above 0")?;
    need(
        (1..=65_536).contains(&optimiser.batch),
        "optimiser.batch",
        "must be 1 to 65536",
    )?;
    need(
        (1..=64).contains(&optimiser.noise_draws),
        "optimiser.noise_draws",
        "must be 1 to 64",
    )?;
    need(
        rate > 0.0 && rate <= 1.0,
        "optimiser.learning_rate",
        "must be above 0, at most 1",
    )?;
    need(
        (0.0..=1.0).contains(&optimiser.weight_decay),
        "optimiser.weight_decay",
        "must be 0 to 1",
    )?;
    need(
        optimiser.clip_norm > 0.0 && optimiser.clip_norm.is_finite(),
        "optimiser.clip_norm",
        "must be above 0 and finite",
    )?;
    need(
        (0.0..1.0).contains(&optimiser.ema_decay),
        "optimiser.ema_decay",
        "must be 0 to below 1",
    )?;
    need(
        optimiser
            .max_minutes
            .is_none_or(|minutes| minutes > 0.0 && minutes <= MAX_MINUTES),
        "optimiser.max_minutes",
        "must be above 0 and at most a year, or left out",
    )?;
    need(
        data.points_per_role.iter().all(|n| (1..=4096).contains(n)),
        "data.points_per_role",
        "must be 1 to 4096 each",
    )?;
    need(
        data.validation_share > 0.0 && data.validation_share < 1.0,
        "data.validation_share",
        "must be between 0 and 1",
    )?;
    for (field, value) in [
        ("log.every_steps", log.every_steps),
        ("log.validate_every_steps", log.validate_every_steps),
        ("log.rollout_every_steps", log.rollout_every_steps),
        ("log.checkpoint_every_steps", log.checkpoint_every_steps),
    ] {
        need(value > 0, field, "must be above 0")?;
    }
    Ok(())
}
