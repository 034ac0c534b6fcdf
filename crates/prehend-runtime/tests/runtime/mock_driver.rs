//! An arm without physics behind the real driver's shell: it is where it is told to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use prehend_control::{gripper_turns, joint_bounds};
use prehend_drivers::{Shell, ShellConfig, WireReport, arm_id};
use prehend_link::Link;
use prehend_link::messages::{JointCommand, RobotStatus};
use prehend_robot::Robot;
use prehend_types::{GripperState, JointVelocities, RobotState, Stamp};

const DT: Duration = Duration::from_millis(5);

/// A running driver; dropping it ends it.
pub struct MockDriver {
    stop: Arc<AtomicBool>,
    next_epoch: Arc<AtomicBool>,
    mute: Arc<AtomicBool>,
    thread: Option<JoinHandle<WireReport>>,
}

impl MockDriver {
    pub fn spawn(robot: &Arc<Robot>, link: &Link) -> Self {
        let (stop, next_epoch, mute) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicBool>::default(),
            Arc::<AtomicBool>::default(),
        );
        let id = arm_id(link.robot(), robot);
        let commands = link.queue::<JointCommand>(4096).expect("declares");
        let statuses = link.publisher::<RobotStatus>().expect("declares");
        let config = ShellConfig {
            dt_s: DT.as_secs_f64(),
            command_dt_s: 0.002,
            max_valid_for: Duration::from_millis(200),
            max_jump_rad: 0.1,
            max_gripper_turns_per_s: gripper_turns(robot),
        };
        let bounds = joint_bounds(robot).expect("valid");
        let home = RobotState {
            stamp: Stamp::now(),
            q: *robot.home(),
            dq: JointVelocities::zeros(robot.n_joints()).expect("fits"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        let mut shell =
            Shell::new(config, &id.robot, &bounds[..robot.n_joints()], &home, 0).expect("valid");
        shell.arm(1, &home).expect("the first session");
        let (ends, renews, is_mute) = (stop.clone(), next_epoch.clone(), mute.clone());
        let thread = std::thread::spawn(move || {
            let mut seq = 0;
            let mut state = home;
            while !ends.load(Ordering::Relaxed) {
                std::thread::sleep(DT);
                if renews.swap(false, Ordering::Relaxed) {
                    // As a simulated arm does: home in no time.
                    state = RobotState {
                        stamp: Stamp::now(),
                        ..home
                    };
                    let next = shell.epoch() + 1;
                    shell.arm_acknowledging(next, &state).expect("this arm");
                }
                while let Some(received) = commands.take() {
                    shell.receive(&received);
                }
                let (told, expires) = shell.next(Stamp::now());
                if let Some(expires) = expires {
                    shell.executed(expires, Stamp::now());
                }
                state.stamp = Stamp::now();
                (state.q, state.dq) = (told.q_d, told.dq_d);
                if is_mute.load(Ordering::Relaxed) {
                    continue;
                }
                let newest = shell.newest(state.stamp);
                let mut status =
                    RobotStatus::new(&id, shell.epoch(), seq, &state, newest, shell.stop_reason());
                status.acknowledged = shell.is_acknowledged();
                seq += 1;
                statuses.send(&status).expect("open");
            }
            shell.report()
        });
        Self {
            stop,
            next_epoch,
            mute,
            thread: Some(thread),
        }
    }

    /// Puts the arm home and announces a new session.
    pub fn reset(&self) {
        self.next_epoch.store(true, Ordering::Relaxed);
    }

    /// Stops to tell its state.
    pub fn mute(&self) {
        self.mute.store(true, Ordering::Relaxed);
    }

    pub fn finish(mut self) -> WireReport {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("runs").join().expect("no panic")
    }
}

impl Drop for MockDriver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
