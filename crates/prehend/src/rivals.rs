//! Turns the rivals' scripts into measured values: each runs in a Python environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::exit::{Class, Failure};
use crate::workload::Workload;

/// One measurement of another simulator.
#[derive(Debug, Clone)]
pub struct Rival {
    environment: &'static str,
    script: &'static str,
    arguments: Vec<String>,
    /// Name of its row.
    pub name: String,
    /// The motion it repeats.
    pub workload: Workload,
    /// Threads or processes it runs on.
    pub threads: usize,
    /// Whether its settings are those of equal accuracy, and not its default.
    pub is_equal: bool,
}

/// What a script prints last.
#[derive(Debug, Deserialize)]
struct Printed {
    value: Option<f64>,
    n: Option<u64>,
    notes: Option<String>,
    cpu_share: Option<f64>,
}

/// A measurement that got less than this of its processors measured what else was running.
const LEAST_SHARE: f64 = 0.9;

/// The environments that are made, one for each system.
const ENVIRONMENTS: [&str; 3] = ["mujoco", "robosuite", "maniskill"];
/// MuJoCo's own default; the cheapest settings under which a held cube stays at its own step of 2 ms, from
/// 1 to 5 ms, and at any step.
const MUJOCO_SETTINGS: [&str; 4] = ["default", "equal_2ms", "equal", "equal_coarse"];

/// Everything that is compared on so many threads.
#[must_use]
pub fn all(threads: usize) -> Vec<Rival> {
    let workloads = [Workload::Random, Workload::Grasp];
    let rival = |environment, script, kind: &str, workload: Workload, more: &[&str]| Rival {
        environment,
        script,
        arguments: more.iter().map(|word| (*word).to_owned()).collect(),
        name: format!("{kind}/{}/{threads}_threads", workload.name()),
        workload,
        threads,
        is_equal: kind.contains("equal"),
    };
    let mujoco = MUJOCO_SETTINGS.iter().flat_map(|setting| {
        workloads.map(|workload| {
            let kind = format!("mujoco_batch/{setting}");
            let more = ["--setting", setting];
            rival("mujoco", "mujoco_batch.py", &kind, workload, &more)
        })
    });
    let others = [
        ("robosuite", "robosuite_lift.py", "robosuite"),
        ("maniskill", "maniskill_pickcube.py", "maniskill"),
    ];
    let others = others.iter().flat_map(|(environment, script, kind)| {
        workloads.map(|workload| rival(environment, script, kind, workload, &[]))
    });
    mujoco.chain(others).collect()
}

/// Makes the environments that are not there yet; what cannot be made is told and left out later.
///
/// # Errors
/// The set-up script could not be started.
pub fn set_up(scripts: &Path, folder: &Path) -> Result<(), Failure> {
    for name in ENVIRONMENTS {
        tracing::info!("setting {name} up in {}", folder.display());
        let status = Command::new(scripts.join("setup.sh"))
            .arg(name)
            .arg(folder)
            .stdout(Stdio::null())
            .status()
            .map_err(|error| Failure::new(Class::Runtime, error).context("rivals/setup.sh"))?;
        if !status.success() {
            tracing::warn!("{name} could not be set up: its rows stay empty");
        }
    }
    Ok(())
}

impl Rival {
    /// Measures once: control steps per second, and how many were counted. `None` where it does not run.
    ///
    /// # Errors
    /// Python could not be started although the environment is there.
    pub fn measure(
        &self,
        scripts: &Path,
        folder: &Path,
        seconds: f64,
    ) -> Result<Option<(f64, u64)>, Failure> {
        let python: PathBuf = folder.join(self.environment).join("bin").join("python");
        if !python.exists() {
            return Ok(None);
        }
        let output = Command::new(&python)
            .arg(scripts.join(self.script))
            .args(["--repeats", "1", "--workload", self.workload.name()])
            .arg("--seconds")
            .arg(seconds.to_string())
            .arg("--threads")
            .arg(self.threads.to_string())
            .args(&self.arguments)
            .env("OMP_NUM_THREADS", "1")
            .stderr(Stdio::null())
            .output()
            .map_err(|error| {
                Failure::new(Class::Runtime, error).context(python.display().to_string())
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let Ok(printed) = serde_json::from_str::<Printed>(last) else {
            tracing::warn!("{}: printed no row ({})", self.name, output.status);
            return Ok(None);
        };
        if printed.value.is_none() {
            let why = printed.notes.unwrap_or_default();
            tracing::warn!("{} does not run here: {why}", self.name);
        }
        if let Some(share) = printed.cpu_share.filter(|share| *share < LEAST_SHARE) {
            tracing::warn!(
                "{} got {:.0} % of its processors only: something else is running",
                self.name,
                share * 100.0
            );
        }
        Ok(printed.value.map(|value| (value, printed.n.unwrap_or(0))))
    }
}
