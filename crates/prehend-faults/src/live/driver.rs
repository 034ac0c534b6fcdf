//! A driver in real time: the shell around an arm that is where it is told to be, under the judge's eyes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_control::{gripper_turns, joint_bounds};
use prehend_drivers::{ShellConfig, WireReport, arm_id};
use prehend_link::Link;
use prehend_link::messages::{CommandMode, JointCommand, RobotStatus, StopReason};
use prehend_robot::Robot;
use prehend_types::{GripperState, JointPositions, JointVelocities, RobotState, Stamp};

use crate::sim::{Account, Arm, Judge, Rules};

/// Time between two ticks.
pub(crate) const DT: Duration = Duration::from_millis(5);
/// Longest time to live that is granted.
const MAX_VALID_FOR: Duration = Duration::from_millis(200);
/// Commands that are remembered.
const MEMORY: usize = 200_000;

/// A command of the controller, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// When it came, ns.
    pub at: u64,
    /// When it was sent, ns.
    pub sent: u64,
    /// The moment that it is meant for, ns.
    pub stamp: u64,
    pub seq: u64,
    pub mode: CommandMode,
}

/// What can be seen of a running driver.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub account: Account,
    pub report: WireReport,
    pub epoch: u64,
    pub stop_reason: StopReason,
    pub is_latched: bool,
    pub is_at_rest: bool,
    pub q: JointPositions,
    /// Highest speed that the arm is told, rad/s.
    pub speed: f64,
    /// When the last tick was, ns.
    pub now: u64,
}

struct Shared {
    ends: AtomicBool,
    rearms: AtomicBool,
    seen: Mutex<Seen>,
    arrivals: Mutex<Vec<Arrival>>,
}

/// A running driver; dropping it ends it.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    pub fn spawn(robot: &Arc<Robot>, link: &Link) -> Result<Self, Box<dyn std::error::Error>> {
        let commands = link.queue::<JointCommand>(1 << 15)?;
        let statuses = link.publisher::<RobotStatus>()?;
        let bounds = joint_bounds(robot)?[..robot.n_joints()].to_vec();
        let shell = ShellConfig {
            dt_s: DT.as_secs_f64(),
            command_dt_s: 0.002,
            max_valid_for: MAX_VALID_FOR,
            max_jump_rad: 0.1,
            max_gripper_turns_per_s: gripper_turns(robot),
        };
        let state = RobotState {
            stamp: Stamp::now(),
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints())?,
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let epoch = Stamp::now().as_nanos();
        let mut arm = Arm::new(shell, arm_id(link.robot(), robot), &bounds, state, epoch)?;
        let mut judge = Judge::new(&Rules {
            robot: link.robot(),
            bounds: &bounds,
            command_dt_s: shell.command_dt_s,
            driver_dt_s: shell.dt_s,
            max_valid_for: MAX_VALID_FOR.as_nanos() as u64,
        });
        judge.session(epoch);
        let shared = Arc::new(Shared {
            ends: AtomicBool::new(false),
            rearms: AtomicBool::new(false),
            seen: Mutex::new(look(&arm, &judge, 0)),
            arrivals: Mutex::new(Vec::new()),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("faults-driver".to_owned())
            .spawn(move || {
                let mut next = std::time::Instant::now();
                let mut owner = None;
                while !own.ends.load(Relaxed) {
                    next += DT;
                    std::thread::sleep(next.saturating_duration_since(std::time::Instant::now()));
                    // Late is late: what was missed is not made up for.
                    next = next.max(std::time::Instant::now() - DT);
                    if own.rearms.swap(false, Relaxed) && arm.shell.is_at_rest() {
                        let epoch = arm.shell.epoch() + 1;
                        if arm.shell.arm_acknowledging(epoch, &arm.state).is_ok() {
                            judge.session(epoch);
                        }
                    }
                    let mut arrived = Vec::new();
                    while let Some(received) = commands.take() {
                        // Only the controller's own are judged: it sends first.
                        if *owner.get_or_insert(received.sender) == received.sender {
                            judge.sent(&received.message);
                            arrived.push(Arrival {
                                at: received.at.as_nanos(),
                                sent: received.message.sent_nanos,
                                stamp: received.message.stamp_nanos,
                                seq: received.message.seq,
                                mode: received.message.mode,
                            });
                        }
                        judge.arrives(received.at.as_nanos(), received.sender, &received.message);
                        arm.inbox.push(received);
                    }
                    let now = Stamp::now().as_nanos();
                    let (told, status) = arm.tick(now);
                    judge.told(now, &told, &status);
                    // A session that is being closed around it: there is nobody to tell.
                    let _ = statuses.send(&status);
                    let mut arrivals = own.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = MEMORY.saturating_sub(arrivals.len());
                    arrivals.extend(arrived.into_iter().take(room));
                    drop(arrivals);
                    *own.seen.lock().unwrap_or_else(PoisonError::into_inner) =
                        look(&arm, &judge, now);
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub fn see(&self) -> Seen {
        let seen = self.shared.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a new session at the next tick, if the arm stands still.
    pub fn rearm(&self) {
        self.shared.rearms.store(true, Relaxed);
    }

    /// The commands that came since the last call.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let mut arrivals = self
            .shared
            .arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *arrivals)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.ends.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic was seen as a driver that fell silent.
            let _ = thread.join();
        }
    }
}

fn look(arm: &Arm, judge: &Judge, now: u64) -> Seen {
    let dq = arm.state.dq.iter();
    Seen {
        account: judge.account(),
        report: arm.shell.report(),
        epoch: arm.shell.epoch(),
        stop_reason: arm.shell.stop_reason(),
        is_latched: arm.shell.is_latched(),
        is_at_rest: arm.shell.is_at_rest(),
        q: arm.state.q,
        speed: dq.fold(0.0, |most: f64, dq| most.max(dq.abs())),
        now,
    }
}
