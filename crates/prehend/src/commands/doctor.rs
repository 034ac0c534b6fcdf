//! Turns a machine into a list of what it has and lacks, each with its remedy.

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use prehend_control::rt::{RealtimeConfig, measure_floor};
use prehend_policy::{EngineChoice, Runtime, RuntimeOptions};
use prehend_runtime::{LaunchFile, NodeKind};
use serde::Serialize;

use crate::exit::{Failure, Verdict};
use crate::session::{Session, cores};

const EXAMPLES: &str = "Examples:
  prehend doctor
  prehend doctor --launch launch/demo.toml
  prehend doctor --json | tail -n 1 | python3 -m json.tool";

/// Smallest free space that a day of collecting needs, bytes.
const DISK_BYTES: u64 = 5 << 30;
/// Rate of the control loop in launch files, unless they say otherwise.
const CONTROL_RATE_HZ: f64 = 500.0;

/// Arguments of `prehend doctor`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    /// Launch file whose ports and policy are looked at.
    #[arg(long, default_value = "launch/fr3_sim.toml", value_name = "FILE")]
    launch: PathBuf,
    /// This port on 127.0.0.1 instead of the launch file's.
    #[arg(long)]
    port: Option<u16>,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    found: String,
    /// What to do if it is not fine; empty if it is.
    remedy: &'static str,
    /// Whether `prehend demo` cannot run without it.
    required: bool,
}

#[derive(Debug, Serialize)]
struct Checks {
    checks: Vec<Check>,
}

impl Doctor {
    /// Checks everything.
    ///
    /// # Errors
    /// The report could not be printed.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let mut checks = vec![project(), onnx_runtime(), python()];
        checks.extend(realtime());
        checks.extend([core_count(), disk()]);
        checks.extend(self.launch_checks());
        for check in &mut checks {
            check.forget_needless_remedy();
        }
        let checks = Checks { checks };
        session.report(None, &checks, &checks)?;
        let lacking: Vec<&str> = checks
            .checks
            .iter()
            .filter(|c| c.required && !c.ok)
            .map(|c| c.name)
            .collect();
        let shortfall = (!lacking.is_empty()).then(|| format!("missing: {}", lacking.join(", ")));
        Ok(Verdict::from_shortfall(shortfall))
    }

    /// What only a launch file tells: which policy runs, and on which ports.
    fn launch_checks(&self) -> Vec<Check> {
        let launch = LaunchFile::load(&self.launch);
        let mut checks = vec![match &launch {
            Ok(launch) => policy(launch),
            Err(error) => Check {
                name: "launch file",
                ok: false,
                found: error.to_string(),
                remedy: "correct it, or name another with --launch",
                required: false,
            },
        }];
        match (self.port, &launch) {
            (Some(number), _) => checks.push(port(&format!("127.0.0.1:{number}"))),
            (None, Ok(launch)) => checks.extend(
                NodeKind::ALL
                    .into_iter()
                    .map(|node| launch.wires(node))
                    .flat_map(|wires| {
                        [
                            wires.listen.as_deref(),
                            wires.listen_commands.as_deref(),
                            wires.listen_statistics.as_deref(),
                        ]
                    })
                    .flatten()
                    .map(|endpoint| port(endpoint.trim_start_matches("tcp/"))),
            ),
            (None, Err(_)) => {}
        }
        checks
    }
}

impl Check {
    fn forget_needless_remedy(&mut self) {
        if self.ok {
            self.remedy = "";
        }
    }
}

fn project() -> Check {
    let found = ["robots/fr3", "scenes/tabletop.toml", "models"].map(prehend_types::config::locate);
    let missing: Vec<String> = found
        .iter()
        .filter_map(|place| place.as_ref().err())
        .map(ToString::to_string)
        .collect();
    Check {
        name: "project files",
        ok: missing.is_empty(),
        found: if missing.is_empty() {
            "found".to_owned()
        } else {
            missing.join("; ")
        },
        remedy: "run from the project's folder, or set PREHEND_HOME to it",
        required: true,
    }
}

fn python() -> Check {
    let output = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    let (ok, found) = match output {
        Ok(output) if output.status.success() => (
            true,
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        ),
        Ok(_) => (false, "python3 without pip".to_owned()),
        Err(error) => (false, format!("no python3: {error}")),
    };
    Check {
        name: "python3 with pip",
        ok,
        found,
        remedy: "apt install python3-pip; needed once, to fetch ONNX Runtime",
        required: false,
    }
}

/// ONNX Runtime as a policy would find it, without fetching anything.
fn onnx_runtime() -> Check {
    let options = RuntimeOptions {
        engine: EngineChoice::OnnxRuntime,
        ..RuntimeOptions::default()
    };
    let (ok, found) = match Runtime::open(&options) {
        Ok(runtime) => (runtime.library().is_some(), runtime.describe()),
        Err(error) => (false, error.to_string()),
    };
    Check {
        name: "ONNX Runtime",
        ok,
        found,
        remedy: "run `prehend bench` or `prehend demo` once with a network: they fetch it; until then \
                 the embedded engine runs policies, about twenty times slower",
        required: false,
    }
}

/// Loads the launch file's policy as a demo would, without fetching anything, and says what computes it.
fn policy(launch: &LaunchFile) -> Check {
    let mut launch = launch.clone();
    launch.policy.allow_install = false;
    launch.policy.warm_up_runs = 0;
    let loaded = launch
        .load_robot()
        .and_then(|robot| launch.load_policy(&robot));
    Check {
        name: "policy",
        ok: loaded.is_ok(),
        found: match loaded {
            Ok(named) => format!("{} through {}", named.policy.name(), named.provider),
            Err(error) => error.to_string(),
        },
        remedy: "give the launch file's `policy.model` a bundle for its robot; `prehend export` writes one",
        required: false,
    }
}

/// Asks for what the control loop asks for, and measures the bare timer with what was granted.
fn realtime() -> Vec<Check> {
    let config = RealtimeConfig::default();
    let floor = match measure_floor(CONTROL_RATE_HZ, Duration::from_secs(1), &config) {
        Ok(floor) => floor,
        Err(error) => {
            return vec![Check {
                name: "timer floor",
                ok: false,
                found: error.to_string(),
                remedy: "raise `ulimit -u`, the number of threads",
                required: false,
            }];
        }
    };
    let late = &floor.latency_us;
    let number = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |us| format!("{us:.0}"));
    vec![
        Check {
            name: "real-time priority",
            ok: floor.realtime.scheduler.starts_with("SCHED_FIFO"),
            found: floor.realtime.scheduler,
            remedy: "add `@realtime - rtprio 99` to /etc/security/limits.conf, join that group, log in \
                     again; in a container add the capability SYS_NICE",
            required: false,
        },
        Check {
            name: "locked memory",
            ok: floor.realtime.memory_locked,
            found: if floor.realtime.memory_locked {
                "granted"
            } else {
                "refused"
            }
            .to_owned(),
            remedy: "add `@realtime - memlock unlimited` to /etc/security/limits.conf, log in again",
            required: false,
        },
        Check {
            name: "timer floor",
            ok: late.p99.is_some_and(|us| us < 0.5e6 / CONTROL_RATE_HZ),
            found: format!(
                "wakes p50 {} us, p99 {} us, worst {} us late at {CONTROL_RATE_HZ} Hz",
                number(late.p50),
                number(late.p99),
                number(late.max)
            ),
            remedy: "close other programs; grant real-time priority; leave power saving and virtual \
                     machines",
            required: false,
        },
    ]
}

fn core_count() -> Check {
    Check {
        name: "cores",
        ok: cores() >= 2,
        found: cores().to_string(),
        remedy: "one core must do control, simulation and policy: expect missed deadlines",
        required: false,
    }
}

fn disk() -> Check {
    let (ok, found) = match rustix::fs::statvfs(Path::new(".")) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            (
                free >= DISK_BYTES,
                format!("{:.1} GB free here", free as f64 / 1e9),
            )
        }
        Err(error) => (false, format!("cannot tell: {error}")),
    };
    Check {
        name: "disk",
        ok,
        found,
        remedy: "free 5 GB, or give `collect --out` a folder on another disk",
        required: false,
    }
}

fn port(address: &str) -> Check {
    let result = TcpListener::bind(address);
    Check {
        name: "port",
        ok: result.is_ok(),
        found: match result {
            Ok(_) => format!("{address} is free"),
            Err(error) => format!("{address}: {error}"),
        },
        remedy: "end the process that uses it (ss -ltnp), or change the port in the launch file",
        required: false,
    }
}

impl fmt::Display for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, check) in self.checks.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let mark = match (check.ok, check.required) {
                (true, _) => "ok  ",
                (false, true) => "FAIL",
                (false, false) => "warn",
            };
            write!(f, "{mark}  {:20} {}", check.name, check.found)?;
            if !check.ok {
                write!(f, "\n      -> {}", check.remedy)?;
            }
        }
        Ok(())
    }
}
