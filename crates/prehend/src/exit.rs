//! Turns what happened into an exit code.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, and everything required holds |
//! | 1 | done, but something required fell short; or stopped early by Ctrl-C, with all finished work kept |
//! | 2 | the command line makes no sense |
//! | 3 | an input (file, folder, bundle, message) was refused |
//! | 4 | the run failed |
//! | 5 | the run went on or ended, but results could not be saved |

use std::io::ErrorKind;

use prehend_data::DataError;
use prehend_link::{CertsError, LinkError};
use prehend_policy::{BundleError, RuntimeError};
use prehend_robot::RobotError;
use prehend_runtime::RuntimeError as LaunchError;
use prehend_sim::SimError;
use prehend_train::TrainError;
use prehend_types::PolicyError;
use prehend_types::config::ConfigError;

/// What kind of failure ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The command line makes no sense.
    Usage = 2,
    /// An input was refused.
    BadInput = 3,
    /// The run failed.
    Runtime = 4,
    /// Results could not be saved.
    LostData = 5,
}

/// An error with its class; printed as a chain.
#[derive(Debug)]
pub struct Failure {
    /// What decides the exit code.
    pub class: Class,
    /// What happened, outermost first.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure from any error.
    pub fn new(class: Class, error: impl Into<anyhow::Error>) -> Self {
        Self {
            class,
            error: error.into(),
        }
    }

    /// A command line that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, anyhow::Error::msg(message.into()))
    }

    /// An input that was refused.
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Class::BadInput, anyhow::Error::msg(message.into()))
    }

    /// The same failure, with what was being done.
    #[must_use]
    pub fn context(mut self, what: impl std::fmt::Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(what);
        self
    }
}

/// An error and its causes on one line, outermost first; what a message already says is not repeated.
#[must_use]
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Class::BadInput, error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let class = match error {
            DataError::DiskFull { .. } | DataError::Write { .. } => Class::LostData,
            DataError::Encode { .. } => Class::Runtime,
            _ => Class::BadInput,
        };
        Self::new(class, error)
    }
}

impl From<RobotError> for Failure {
    fn from(error: RobotError) -> Self {
        let class = match &error {
            RobotError::Write { source, .. } => match source.kind() {
                ErrorKind::AlreadyExists => Class::BadInput,
                _ => Class::LostData,
            },
            _ => Class::BadInput,
        };
        Self::new(class, error)
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        let class = match error {
            SimError::Config(_)
            | SimError::Robot { .. }
            | SimError::NoScene { .. }
            | SimError::NoExpert { .. }
            | SimError::State { .. } => Class::BadInput,
            _ => Class::Runtime,
        };
        Self::new(class, error)
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        let class = match error {
            BundleError::Runtime(_) | BundleError::Inference { .. } => Class::Runtime,
            _ => Class::BadInput,
        };
        Self::new(class, error)
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        Self::new(Class::Runtime, error)
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        Self::new(Class::Runtime, error)
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let class = match error {
            LaunchError::Bundle(error) => return error.into(),
            LaunchError::Data(error) => return error.into(),
            LaunchError::UnknownNode { .. } => Class::Usage,
            LaunchError::Config(_)
            | LaunchError::Robot(_)
            | LaunchError::Scene { .. }
            | LaunchError::Control(_)
            | LaunchError::Recording { .. }
            | LaunchError::PortNotFixed { .. }
            | LaunchError::PortNotKnown { .. }
            | LaunchError::Link(LinkError::Config { .. } | LinkError::Visitor { .. }) => {
                Class::BadInput
            }
            LaunchError::Link(LinkError::Certificates(ref certs)) => match certs {
                CertsError::Write { .. } => Class::LostData,
                CertsError::Make(_) => Class::Runtime,
                _ => Class::BadInput,
            },
            // The process has said which input it refused, and why.
            LaunchError::ChildEnded { status, .. }
                if status.code() == Some(Class::BadInput as i32) =>
            {
                Class::BadInput
            }
            _ => Class::Runtime,
        };
        Self::new(class, error)
    }
}

impl From<CertsError> for Failure {
    fn from(error: CertsError) -> Self {
        LinkError::from(error).into()
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        LaunchError::from(error).into()
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        let class = match error {
            TrainError::Data(error) => return error.into(),
            TrainError::Bundle(error) => return error.into(),
            TrainError::Config(_)
            | TrainError::Cloud { .. }
            | TrainError::Observation { .. }
            | TrainError::OtherOrigin { .. }
            | TrainError::TooFewWindows { .. }
            | TrainError::Checkpoint { .. }
            | TrainError::Record(_) => Class::BadInput,
            _ => Class::Runtime,
        };
        Self::new(class, error)
    }
}

/// How a command that ran to its end ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything required holds.
    Passed,
    /// What fell short, in one sentence.
    FellShort(String),
}

impl Verdict {
    /// Passed if nothing fell short.
    #[must_use]
    pub fn from_shortfall(shortfall: Option<String>) -> Self {
        shortfall.map_or(Self::Passed, Self::FellShort)
    }
}
