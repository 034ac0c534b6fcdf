//! Turns episodes and simulators into trained parameters and exported bundles.
//!
//! 1. [`load_windows`] rebuilds the clouds of stored episodes into a [`WindowSet`].
//! 2. [`train_flow`] fits the multi-step teacher to it, [`distill`] the one-step student to the teacher.
//! 3. [`export()`] writes a [`Checkpoint`] as a bundle that `prehend-policy` loads.
//!
//! Equal configurations, windows and thread counts give equal losses, bit for bit, also across a
//! resume: every draw is a function of the seed and the step. Other thread counts may round
//! differently.
//!
//! This crate must not know zenoh or drivers.

#![forbid(unsafe_code)]

mod batch;
mod burn_policy;
mod checkpoint;
mod config;
mod dataset;
mod error;
mod export;
mod graph;
mod metrics;
mod objective;
mod parity;
pub mod pick_place;
mod plot;
mod provenance;
mod steps;
mod trainer;
mod window_cache;
mod windows;

pub use burn_policy::{BurnPolicy, N_ACTION_STEPS, NOISE};
pub use checkpoint::{CHECKPOINT_FILE, Checkpoint, Stage};
pub use config::{
    DataConfig, DistillConfig, FlowConfig, FlowSettings, LogConfig, OptimiserConfig,
    StudentSettings,
};
pub use dataset::{StepChoice, WindowOptions, load_windows};
pub use error::TrainError;
pub use export::{ExportRequest, export, golden_cases, graph_bytes};
pub use metrics::{METRICS_FILE, MetricLine, PLOT_FILE};
pub use parity::parity;
pub use provenance::{Parent, Provenance, Starter};
pub use trainer::{Hooks, RolloutHook, TrainReport, distill, train_flow};
pub use windows::{Window, WindowSet};
