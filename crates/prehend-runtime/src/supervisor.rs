//! Starts one process per node, passes the wish to stop on, and leaves none behind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::launch::LaunchFile;
use crate::run::RunReport;
use crate::{NodeKind, RuntimeError, Stop};

/// Tells a node's process who watches it.
pub(crate) const SUPERVISOR_VARIABLE: &str = "PREHEND_SUPERVISOR";
const LOOK: Duration = Duration::from_millis(50);
/// From the wish to stop until a process is killed: longer than a control loop takes to bring the arm
/// to rest.
const GRACE: Duration = Duration::from_secs(8);
/// Most bytes of one line that a process may print.
const MAX_LINE: u64 = 4 << 20;

/// Tells a node's process where a node listens, if the supervisor chose the port.
pub(crate) fn listen_variable(node: NodeKind) -> String {
    format!("PREHEND_LISTEN_{}", node.name().to_ascii_uppercase())
}

struct Process {
    node: NodeKind,
    child: Child,
    /// Collects the last line of its stdout.
    reader: Option<JoinHandle<Option<String>>>,
    status: Option<ExitStatus>,
}

/// The processes of one run. Dropping it kills those that are left.
pub(crate) struct Supervisor {
    processes: Vec<Process>,
}

impl Supervisor {
    /// Starts every node. If one cannot be started, those before it are killed.
    pub fn start(program: &Path, file: &Path, launch: &LaunchFile) -> Result<Self, RuntimeError> {
        let mut this = Self {
            processes: Vec::new(),
        };
        for node in NodeKind::ALL {
            let mut command = Command::new(program);
            command
                .arg("run")
                .arg(file)
                .args(["--only", node.name(), "--json"])
                .env(SUPERVISOR_VARIABLE, std::process::id().to_string())
                // A group of its own: Ctrl-C on the terminal reaches it once, through us, in order.
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(Stdio::piped());
            for other in NodeKind::ALL {
                if let Some(endpoint) = &launch.wires(other).listen {
                    command.env(listen_variable(other), endpoint);
                }
            }
            let mut child = command.spawn().map_err(|source| RuntimeError::Spawn {
                node,
                program: program.to_owned(),
                source,
            })?;
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
    /// all.
    pub fn watch(mut self, stop: &Stop) -> Result<RunReport, RuntimeError> {
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
        let report = self.stop_all();
        match early {
            Some((node, status)) => Err(RuntimeError::ChildEnded { node, status }),
            None => Ok(report),
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

    /// Asks all to stop, the driver last so that the arm is brought to rest by the control loop; kills
    /// who does not, and collects the reports.
    fn stop_all(&mut self) -> RunReport {
        self.stop_those(|node| node != NodeKind::Driver);
        self.stop_those(|node| node == NodeKind::Driver);
        self.kill_leftovers();
        let mut nodes = BTreeMap::new();
        for process in &mut self.processes {
            let line = process
                .reader
                .take()
                .and_then(|reader| reader.join().ok().flatten());
            nodes.insert(process.node, report_of(process.node, line.as_deref()));
        }
        RunReport { nodes }
    }

    fn stop_those(&mut self, wanted: impl Fn(NodeKind) -> bool) {
        let runs = |process: &&Process| process.status.is_none() && wanted(process.node);
        for process in self.processes.iter().filter(runs) {
            // Gone already is as good as stopped.
            let _ = kill_process(Pid::from_child(&process.child), Signal::INT);
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
             trap 'echo \"{{\\\"nodes\\\":{{\\\"$node\\\":{{\\\"stopped\\\":true}}}}}}\"; exit 0' INT\n\
             {on_start}\nwhile :; do sleep 0.05; done\n"
        );
        std::fs::write(&path, script).expect("writable");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        path
    }

    fn start(program: &Path) -> Supervisor {
        let file = locate("launch/fr3_sim.toml").expect("exists");
        let launch = LaunchFile::load(&file).expect("valid");
        Supervisor::start(program, &file, &launch).expect("starts")
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

        let report = start(&done).watch(&Stop::default()).expect("in order");
        assert_eq!(report.nodes[&NodeKind::Operator]["episodes"], 7);
        assert_eq!(report.nodes[&NodeKind::Driver]["stopped"], true);

        let supervisor = start(&fails);
        let pids: Vec<Pid> = supervisor
            .processes
            .iter()
            .map(|process| Pid::from_child(&process.child))
            .collect();
        let error = supervisor
            .watch(&Stop::default())
            .expect_err("the policy failed");
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
        let report = supervisor.watch(&stop).expect("in order");
        assert_eq!(report.nodes[&NodeKind::Control]["stopped"], true);
    }
}
