//! Starts one process per node, passes the wish to stop on, and leaves none behind.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::launch::{LaunchFile, Listener};
use crate::run::{RunConfig, RunReport};
use crate::{NodeKind, Outcome, RuntimeError, Stop};

/// Environment variable that tells a node's process who watches it: the supervisor's process id.
pub const SUPERVISOR_VARIABLE: &str = "PREHEND_SUPERVISOR";
/// Environment variable that tells a node's process which file its log goes to as well.
pub const LOG_VARIABLE: &str = "PREHEND_RUN_LOG";
const LOOK: Duration = Duration::from_millis(50);
/// From the wish to stop until a process is killed: longer than a control loop takes to bring the arm
/// to rest.
const GRACE: Duration = Duration::from_secs(8);
/// Most bytes of one line that a process may print.
const MAX_LINE: u64 = 4 << 20;
/// A process that ends with this code did its work and reports what fell short, being stopped included.
const FELL_SHORT: i32 = 1;

/// Tells a node's process where a node's session listens, if the supervisor chose the port.
pub(crate) fn listen_variable(node: NodeKind, listener: Listener) -> String {
    let node = node.name().to_ascii_uppercase();
    match listener {
        Listener::Rest => format!("PREHEND_LISTEN_{node}"),
        Listener::Commands => format!("PREHEND_LISTEN_COMMANDS_{node}"),
        Listener::Statistics => format!("PREHEND_LISTEN_STATISTICS_{node}"),
    }
}

struct Process {
    node: NodeKind,
    child: Child,
    /// Collects the last line of its stdout.
    reader: Option<JoinHandle<Option<String>>>,
    status: Option<ExitStatus>,
}

impl Process {
    /// What the run lost with this process, which has ended; `None` if it ended in order.
    fn lost(&self, is_silent: bool, is_cut_short: bool) -> Option<String> {
        let node = self.node;
        let Some(status) = self.status else {
            return Some(format!("{node} could not be waited for"));
        };
        let fell_short = status.code() == Some(FELL_SHORT);
        let without = if is_silent { " without a report" } else { "" };
        let in_order = if is_silent {
            fell_short && is_cut_short
        } else {
            fell_short || status.success()
        };
        (!in_order).then(|| format!("{node} ended with {status}{without}"))
    }
}

/// The processes of one run. Dropping it kills those that are left.
pub(crate) struct Supervisor {
    processes: Vec<Process>,
}

impl Supervisor {
    /// Starts every node. If one cannot be started, those before it are killed.
    pub fn start(
        program: &Path,
        config: &RunConfig,
        launch: &LaunchFile,
    ) -> Result<Self, RuntimeError> {
        let mut this = Self {
            processes: Vec::new(),
        };
        for node in NodeKind::ALL {
            let mut command = Command::new(program);
            command
                .arg("run")
                .arg(&config.file)
                .args(["--only", node.name(), "--json"])
                .args(std::iter::repeat_n("-v", config.verbosity.into()))
                .env(SUPERVISOR_VARIABLE, std::process::id().to_string())
                // A group of its own: Ctrl-C on the terminal reaches it once, through us, in order.
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::piped());
            if let Some(log) = &config.log {
                command.env(LOG_VARIABLE, log);
            }
            for other in NodeKind::ALL {
                for (listener, endpoint) in launch.endpoints(other) {
                    command.env(listen_variable(other, listener), endpoint);
                }
            }
            let mut child = command.spawn().map_err(|source| RuntimeError::Spawn {
                node,
                program: program.to_owned(),
                source,
            })?;
            tracing::info!("{node}: process {}", child.id());
            let reader = child
                .stdout
                .take()
                .map(|stdout| std::thread::spawn(move || last_line(stdout)));
            this.processes.push(Process {
                node,
                child,
                reader,
                status: None,
            });
        }
        Ok(this)
    }

    /// Waits for the operator to finish, for `stop`, or for a process that ends too early; then stops
    /// all. Whatever ended it, every report that a process left is kept.
    pub fn watch(mut self, stop: &Stop) -> Outcome<RunReport> {
        let early = loop {
            if stop.is_set() {
                break None;
            }
            if let Some((node, status)) = self.look() {
                let done = node == NodeKind::Operator && status.success();
                break (!done).then_some((node, status));
            }
            std::thread::sleep(LOOK);
        };
        let is_cut_short = stop.is_set() || early.is_some();
        Outcome {
            report: self.stop_all(is_cut_short),
            error: early.map(|(node, status)| RuntimeError::ChildEnded { node, status }),
        }
    }

    /// The first process that has ended since the last look, after noting all that have.
    fn look(&mut self) -> Option<(NodeKind, ExitStatus)> {
        let mut first = None;
        for process in self
            .processes
            .iter_mut()
            .filter(|process| process.status.is_none())
        {
            if let Ok(Some(status)) = process.child.try_wait() {
                process.status = Some(status);
                // One that failed explains more than one that then finished.
                if first.is_none() || !status.success() {
                    first = Some((process.node, status));
                }
            }
        }
        first
    }

    /// Asks all to stop, the driver last so that the arm is brought to rest by the control loop, and the
    /// policy after that loop, to which one that goes is a reason to stop; kills who does not, and collects
    /// the reports. A run that is cut short may stop a process before it has anything to report.
    fn stop_all(&mut self, is_cut_short: bool) -> RunReport {
        self.stop_those(|node| matches!(node, NodeKind::Operator | NodeKind::Control));
        self.stop_those(|node| node == NodeKind::Policy);
        self.stop_those(|node| node == NodeKind::Driver);
        self.kill_leftovers();
        let mut report = RunReport::default();
        for process in &mut self.processes {
            let line = process
                .reader
                .take()
                .and_then(|reader| reader.join().ok().flatten());
            if let Some(status) = process.status {
                tracing::info!("{}: ended, {status}", process.node);
            }
            let own = report_of(process.node, line.as_deref());
            report
                .lost
                .extend(process.lost(own.is_null(), is_cut_short));
            report.nodes.insert(process.node, own);
        }
        report
    }

    fn stop_those(&mut self, wanted: impl Fn(NodeKind) -> bool) {
        let runs = |process: &&Process| process.status.is_none() && wanted(process.node);
        for process in self.processes.iter().filter(runs) {
            // Gone already is as good as stopped. Not SIGINT: background shells make programs ignore it.
            let _ = kill_process(Pid::from_child(&process.child), Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        while self.processes.iter().any(|process| runs(&process)) && Instant::now() < deadline {
            self.look();
            std::thread::sleep(LOOK);
        }
    }

    fn kill_leftovers(&mut self) {
        for process in self
            .processes
            .iter_mut()
            .filter(|process| process.status.is_none())
        {
            tracing::warn!("{} did not end and is killed", process.node);
            let _ = process.child.kill();
            process.status = process.child.wait().ok();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.kill_leftovers();
    }
}

/// The node's part of the object that its process printed.
fn report_of(node: NodeKind, line: Option<&str>) -> serde_json::Value {
    line.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .and_then(|mut object| Some(object.get_mut("nodes")?.get_mut(node.name())?.take()))
        .unwrap_or(serde_json::Value::Null)
}

/// Reads everything, so that the process never waits for us, and keeps the last line.
fn last_line(stdout: ChildStdout) -> Option<String> {
    let mut lines = BufReader::new(stdout);
    let mut last = None;
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return last,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    last = Some(text.trim().to_owned());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use prehend_types::config::locate;

    use super::*;

    /// Stands in for the program: `run <file> --only <node> --json`.
    fn program(folder: &Path, name: &str, on_start: &str) -> PathBuf {
        let path = folder.join(name);
        let script = format!(
            "#!/bin/sh\nnode=$4\n\
             trap 'echo \"{{\\\"nodes\\\":{{\\\"$node\\\":{{\\\"stopped\\\":true}}}}}}\"; exit 0' TERM\n\
             {on_start}\nwhile :; do sleep 0.05; done\n"
        );
        std::fs::write(&path, script).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        path
    }

    fn start(program: &Path) -> Supervisor {
        let file = locate("launch/fr3_sim.toml").expect("exists");
        let launch = LaunchFile::load(&file).expect("valid");
        Supervisor::start(program, &RunConfig::new(file), &launch).expect("starts")
    }

    // One test: a script that another thread is still writing cannot be started.
    #[test]
    fn all_end_with_the_operator_with_the_first_failure_and_with_the_user() {
        let folder = tempfile::tempdir().expect("writable");
        let done = program(
            folder.path(),
            "done",
            "if [ $node = operator ]; then sleep 0.3; echo noise; \
             echo '{\"nodes\":{\"operator\":{\"episodes\":7}}}'; exit 0; fi",
        );
        let fails = program(
            folder.path(),
            "fails",
            "if [ $node = policy ]; then exit 3; fi",
        );
        let runs = program(folder.path(), "runs", "");
        let crashes = program(
            folder.path(),
            "crashes",
            "if [ $node = operator ]; then sleep 0.3; \
             echo '{\"nodes\":{\"operator\":{\"episodes\":7}}}'; exit 0; fi; \
             if [ $node = policy ]; then \
             trap 'echo \"{\\\"nodes\\\":{\\\"policy\\\":{}}}\"; exit 4' TERM; fi; \
             if [ $node = control ]; then trap 'exit 0' TERM; fi",
        );

        let report = start(&done)
            .watch(&Stop::default())
            .whole()
            .expect("in order");
        assert!(report.lost.is_empty(), "{:?}", report.lost);
        assert_eq!(report.nodes[&NodeKind::Operator]["episodes"], 7);
        assert_eq!(report.nodes[&NodeKind::Driver]["stopped"], true);

        let supervisor = start(&fails);
        let pids: Vec<Pid> = supervisor
            .processes
            .iter()
            .map(|process| Pid::from_child(&process.child))
            .collect();
        let outcome = supervisor.watch(&Stop::default());
        assert_eq!(outcome.report.nodes[&NodeKind::Driver]["stopped"], true);
        let error = outcome.error.expect("the policy failed");
        assert!(
            matches!(error, RuntimeError::ChildEnded { node: NodeKind::Policy, status } if status.code() == Some(3)),
            "{error}"
        );
        for pid in pids {
            assert!(
                rustix::process::test_kill_process(pid).is_err(),
                "left behind"
            );
        }

        let stop = Stop::default();
        let supervisor = start(&runs);
        std::thread::sleep(Duration::from_millis(300));
        stop.set();
        let report = supervisor.watch(&stop).whole().expect("in order");
        assert_eq!(report.nodes[&NodeKind::Control]["stopped"], true);

        let report = start(&crashes)
            .watch(&Stop::default())
            .whole()
            .expect("the operator was done");
        assert_eq!(report.nodes[&NodeKind::Operator]["episodes"], 7);
        assert_eq!(report.lost.len(), 2, "{:?}", report.lost);
        for (lost, words) in report.lost.iter().zip([
            "policy ended with exit status: 4",
            "control ended with exit status: 0 without a report",
        ]) {
            assert!(lost.contains(words), "{lost}");
        }
    }
}
