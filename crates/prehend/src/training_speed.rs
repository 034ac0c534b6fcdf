//! Turns this machine into training samples per second.

use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use prehend_data::{SeedRange, StoreManifest, StoreWriter};
use prehend_sim::{FamilySet, RolloutConfig};
use prehend_train::{
    FlowConfig, Hooks, Starter, StepChoice, WindowOptions, load_windows, train_flow,
};
use prehend_types::config::locate;

use crate::exit::{Class, Failure};
use crate::interrupt::Interrupt;
use crate::meter::{REPEATS, Row};
use crate::policies::Decider;
use crate::recorder::Recorder;
use crate::workcell::Workcell;

/// Episodes that the measured training learns from: enough for a batch, quick to make.
const EPISODES: u64 = 12;

/// Samples per second of the flow policy's training, with real episodes and the shipped settings.
///
/// # Errors
/// An input was refused, or training failed.
pub fn measure(
    cell: &Workcell,
    config: &Path,
    repeat: Duration,
    interrupt: &Interrupt,
) -> Result<Row, Failure> {
    let mut config = FlowConfig::load(&locate(config)?)?;
    config.optimiser.max_minutes = Some(repeat.as_secs_f64() / 60.0);
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(Class::Runtime, error).context("cannot make a temporary folder")
    })?;
    let store = folder.path().join("episodes");
    collect(cell, &store)?;
    let options = WindowOptions {
        n_points: config.network.n_points,
        chunk: config.network.chunk,
        validation_share: config.data.validation_share.max(0.2),
        choice: StepChoice::Expert,
        stride: 1,
        families: FamilySet::Train,
    };
    let bar = ProgressBar::hidden();
    let windows = load_windows(
        &[store],
        &cell.robot,
        &cell.scene,
        cell.scene_hash,
        &options,
        &bar,
    )?;
    let (mut n, mut repeats) = (0, Vec::new());
    for index in 0..REPEATS {
        let hooks = Hooks {
            should_stop: &|| interrupt.is_set(),
            rollouts: None,
            resume: false,
            progress: false,
            starter: Starter::default(),
        };
        let run = folder.path().join(format!("run-{index}"));
        let report = train_flow(&config, None, &windows, &run, hooks)?;
        n += report.step * config.optimiser.batch as u64;
        repeats.extend(report.samples_per_s);
    }
    Ok(Row::new(
        format!("train/flow/batch_{}", config.optimiser.batch),
        "1/s",
        n,
        repeats,
    ))
}

fn collect(cell: &Workcell, folder: &Path) -> Result<(), Failure> {
    let manifest = StoreManifest {
        scene: cell.scene.name.clone(),
        scene_hash: cell.scene_hash,
        robot: cell.robot.content_hash().to_owned(),
        seeds: SeedRange {
            first: 0,
            count: EPISODES,
        },
        config: toml::Table::new(),
    };
    let writer = StoreWriter::open(folder, manifest)?;
    let families = FamilySet::Train;
    let recorder = Recorder {
        cell,
        families,
        config: RolloutConfig::default(),
    };
    for seed in 0..EPISODES {
        if let Some(episode) = recorder.record(&mut Decider::Expert, seed)? {
            writer.write(&episode)?;
        }
    }
    Ok(())
}
