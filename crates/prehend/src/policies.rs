//! Turns a name on the command line into policies, one for each thread.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use prehend_policy::{Bundle, EngineChoice, OnnxPolicy, Runtime, RuntimeOptions};
use prehend_robot::Robot;
use prehend_runtime::LaunchFile;
use prehend_sim::{DepthHeuristic, Pilot};
use prehend_types::{Policy, Tally, config::locate};

use crate::exit::Failure;
use crate::workcell::Workcell;

/// Simulated time waits for a policy, so that slow first inferences do no harm.
const WARM_UP_RUNS: usize = 0;

/// What decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyName {
    /// The scripted expert, which looks at the simulator's state.
    Expert,
    /// The heuristic that grasps the middle of the target's cloud.
    DepthHeuristic,
    /// The bundle in this folder.
    Bundle(PathBuf),
    /// What the policy section of this launch file says: the pick-and-place network in its cell.
    Launch(PathBuf),
}

impl FromStr for PolicyName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "expert" => Self::Expert,
            "depth_heuristic" => Self::DepthHeuristic,
            file if file.ends_with(".toml") => Self::Launch(file.into()),
            folder => Self::Bundle(folder.into()),
        })
    }
}

/// Which inference engine runs a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Engine {
    /// ONNX Runtime if there is one or it can be fetched, else the embedded engine.
    Auto,
    /// ONNX Runtime or an error.
    OnnxRuntime,
    /// The engine inside this program, about twenty times slower.
    Embedded,
}

/// How bundles are run.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// Which engine runs the bundle.
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,
}

impl EngineArgs {
    /// The engine on this machine, fetched if it is missing and that is allowed.
    ///
    /// # Errors
    /// What is missing, and how to get it.
    pub fn open(&self) -> Result<Runtime, Failure> {
        let engine = match self.engine {
            Engine::Auto => EngineChoice::Auto,
            Engine::OnnxRuntime => EngineChoice::OnnxRuntime,
            Engine::Embedded => EngineChoice::Embedded,
        };
        Ok(Runtime::open(&RuntimeOptions {
            engine,
            allow_install: true,
            ..RuntimeOptions::default()
        })?)
    }
}

/// Makes equal policies, one for each thread.
pub struct PolicySource {
    name: String,
    kind: Kind,
}

enum Kind {
    Expert,
    DepthHeuristic,
    Bundle {
        bundle: Box<Bundle>,
        runtime: Runtime,
    },
    Launch {
        launch: Box<LaunchFile>,
        robot: Arc<Robot>,
    },
}

impl PolicySource {
    /// Reads and checks what `name` stands for. The engine is only looked for if a bundle needs it.
    ///
    /// # Errors
    /// The bundle is damaged, or made for another robot; or no engine runs it.
    pub fn open(name: &PolicyName, engine: &EngineArgs, cell: &Workcell) -> Result<Self, Failure> {
        let (name, kind) = match name {
            PolicyName::Expert => ("expert".to_owned(), Kind::Expert),
            PolicyName::DepthHeuristic => ("depth_heuristic".to_owned(), Kind::DepthHeuristic),
            PolicyName::Launch(file) => {
                let launch = LaunchFile::load(file)?;
                launch.check_files()?;
                let kind = Kind::Launch {
                    launch: Box::new(launch),
                    robot: Arc::clone(&cell.robot),
                };
                (file.display().to_string(), kind)
            }
            PolicyName::Bundle(folder) => {
                let folder = locate(folder).map_err(|error| {
                    Failure::from(error)
                        .context("the policy is neither `expert`, `depth_heuristic`, a bundle nor a launch file")
                })?;
                let bundle = Bundle::load(&folder)?;
                bundle.check_robot(cell.robot.name(), cell.robot.content_hash())?;
                let name = bundle.manifest().name.clone();
                (
                    name,
                    Kind::Bundle {
                        bundle: Box::new(bundle),
                        runtime: engine.open()?,
                    },
                )
            }
        };
        Ok(Self { name, kind })
    }

    /// The policy's name, for reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of a bundle's graph; the others have none.
    #[must_use]
    pub fn graph_sha256(&self) -> Option<&str> {
        let Kind::Bundle { bundle, .. } = &self.kind else {
            return None;
        };
        let manifest = bundle.manifest();
        let graph = manifest
            .files
            .iter()
            .find(|entry| entry.path == manifest.graph.file);
        graph.map(|entry| entry.sha256.as_str())
    }

    /// What decides a bundle's actions besides its graph: how it is sampled and run, and by what.
    #[must_use]
    pub fn settings(&self) -> Option<String> {
        let Kind::Bundle { bundle, runtime } = &self.kind else {
            return None;
        };
        let manifest = bundle.manifest();
        let (action, sampling) = (&manifest.action, &manifest.sampling);
        Some(format!("{action:?} {sampling:?} {}", runtime.describe()))
    }

    /// One of one's own.
    ///
    /// # Errors
    /// The engine refuses the bundle, or does not reproduce its golden outputs.
    pub fn make(&self) -> Result<Decider, Failure> {
        Ok(match &self.kind {
            Kind::Expert => Decider::Expert,
            Kind::DepthHeuristic => Decider::Policy(Box::new(DepthHeuristic::default())),
            Kind::Launch { launch, robot } => Decider::Policy(launch.load_policy(robot)?.policy),
            Kind::Bundle { bundle, runtime } => Decider::Policy(Box::new(OnnxPolicy::from_bundle(
                bundle,
                runtime,
                WARM_UP_RUNS,
            )?)),
        })
    }
}

/// What decides in one thread: the expert has no observations, so it is no [`Policy`].
pub enum Decider {
    /// The scripted expert.
    Expert,
    /// Any policy.
    Policy(Box<dyn Policy>),
}

impl Decider {
    /// What a rollout takes.
    pub fn pilot(&mut self) -> Pilot<'_> {
        match self {
            Self::Expert => Pilot::Expert,
            Self::Policy(policy) => Pilot::Policy(policy.as_mut()),
        }
    }

    /// What a policy counted in its last episode.
    #[must_use]
    pub fn tally(&self) -> Tally {
        match self {
            Self::Expert => Tally::new(),
            Self::Policy(policy) => policy.tally(),
        }
    }
}
