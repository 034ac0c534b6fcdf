//! The log of a run: one JSON object per line, and a page with curves that opens in a browser.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use prehend_data::{DataError, write_atomic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::plot::{self, Chart, Curve};

/// Name of the log in a run folder.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Name of the page with curves in a run folder.
pub const PLOT_FILE: &str = "training.html";

/// One line of the log; what was not measured at this step is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricLine {
    /// Steps done.
    pub step: u64,
    /// Training time, s.
    pub elapsed_s: f64,
    /// Mean training loss since the last line: mean square error in normalised action units.
    pub loss: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
    /// Windows per second since the last line.
    pub samples_per_s: Option<f64>,
    /// The same loss on episodes that are not trained on, with averaged weights.
    pub validation_loss: Option<f64>,
    /// Root mean square distance between sampled and demonstrated translation of one action, m.
    pub validation_translation_m: Option<f64>,
    /// The same for rotation vectors, rad.
    pub validation_rotation_rad: Option<f64>,
    /// The same for the gripper's opening, 0 to 1.
    pub validation_gripper: Option<f64>,
    /// Share of validation rollouts that did the task.
    pub success_rate: Option<f64>,
}

impl MetricLine {
    /// Takes over what `newer` measured.
    pub(crate) fn merge(&mut self, newer: &Self) {
        *self = Self {
            step: newer.step,
            elapsed_s: newer.elapsed_s,
            loss: newer.loss.or(self.loss),
            learning_rate: newer.learning_rate.or(self.learning_rate),
            samples_per_s: newer.samples_per_s.or(self.samples_per_s),
            validation_loss: newer.validation_loss.or(self.validation_loss),
            validation_translation_m: newer
                .validation_translation_m
                .or(self.validation_translation_m),
            validation_rotation_rad: newer
                .validation_rotation_rad
                .or(self.validation_rotation_rad),
            validation_gripper: newer.validation_gripper.or(self.validation_gripper),
            success_rate: newer.success_rate.or(self.success_rate),
        };
    }
}

/// What a log of some kind of run is made of.
pub(crate) trait LogLine: Copy + Serialize + DeserializeOwned {
    /// Steps done.
    fn step(&self) -> u64;
    /// Whether it says more than how training goes: the page is drawn anew after such a line.
    fn is_milestone(&self) -> bool;
    /// What the page shows.
    fn charts() -> Vec<Chart<Self>>;
}

impl LogLine for MetricLine {
    fn step(&self) -> u64 {
        self.step
    }

    fn is_milestone(&self) -> bool {
        self.validation_loss.is_some() || self.success_rate.is_some()
    }

    fn charts() -> Vec<Chart<Self>> {
        let losses = vec![
            Curve {
                name: "training loss",
                colour: "#6b7c93",
                value: |l: &Self| l.loss,
            },
            Curve {
                name: "validation loss",
                colour: "#c2410c",
                value: |l| l.validation_loss,
            },
        ];
        let errors = vec![
            Curve {
                name: "translation, mm per action",
                colour: "#1d4ed8",
                value: |l: &Self| l.validation_translation_m.map(|v| 1e3 * v),
            },
            Curve {
                name: "rotation, mrad per action",
                colour: "#047857",
                value: |l| l.validation_rotation_rad.map(|v| 1e3 * v),
            },
        ];
        let success = vec![Curve {
            name: "success rate",
            colour: "#7e22ce",
            value: |l: &Self| l.success_rate,
        }];
        vec![
            Chart {
                title: "Loss (logarithmic)",
                curves: losses,
                is_logarithmic: true,
            },
            Chart {
                title: "Error of sampled actions on validation episodes",
                curves: errors,
                is_logarithmic: true,
            },
            Chart {
                title: "Success of validation rollouts",
                curves: success,
                is_logarithmic: false,
            },
        ]
    }
}

/// An open log.
pub(crate) struct Metrics<L> {
    folder: PathBuf,
    file: File,
    lines: Vec<L>,
}

impl<L: LogLine> Metrics<L> {
    /// Opens the log of a run; lines after `step` are of a run that was cut off, and dropped.
    pub fn open(folder: &Path, step: u64) -> Result<Self, TrainError> {
        let path = folder.join(METRICS_FILE);
        let fail = |source| DataError::Read {
            path: path.clone(),
            source,
        };
        let mut lines: Vec<L> = Vec::new();
        if step > 0 && path.exists() {
            for line in BufReader::new(File::open(&path).map_err(fail)?).lines() {
                // A line that a crash cut off says nothing.
                if let Ok(line) = serde_json::from_str::<L>(&line.map_err(fail)?) {
                    lines.push(line);
                }
            }
            lines.retain(|line| line.step() <= step);
        }
        let mut text = Vec::new();
        for line in &lines {
            write_line(&mut text, line).map_err(fail)?;
        }
        write_atomic(&path, &text)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(fail)?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
            lines,
        })
    }

    /// Appends a line and draws the page anew.
    pub fn push(&mut self, line: L) -> Result<(), TrainError> {
        let path = self.folder.join(METRICS_FILE);
        write_line(&mut self.file, &line).map_err(|source| DataError::write(&path, source))?;
        self.lines.push(line);
        if line.is_milestone() {
            let page = plot::page(&self.lines);
            write_atomic(&self.folder.join(PLOT_FILE), page.as_bytes())?;
        }
        Ok(())
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    out.write_all(&text)
}
