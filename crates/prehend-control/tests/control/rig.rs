//! An arm that does exactly what it is told, with a recorder on its wire.

use std::sync::Arc;
use std::time::Duration;

use nalgebra::Vector3;
use prehend_control::{ControlConfig, Controller, Tick, WireChecker, joint_bounds};
use prehend_robot::Robot;
use prehend_types::{
    Action, ActionChunk, GripperState, JointPositions, JointVelocities, RobotState, Stamp,
};

pub fn fr3() -> Arc<Robot> {
    let folder = prehend_types::config::locate("robots/fr3").expect("robots/fr3 is in the project");
    Arc::new(Robot::load(&folder).expect("robots/fr3 loads"))
}

pub fn state_at(q: JointPositions, stamp: Stamp) -> RobotState {
    RobotState {
        stamp,
        q,
        dq: JointVelocities::zeros(q.len()).expect("fits"),
        gripper: GripperState {
            width: 0.08,
            commanded: 1.0,
            is_grasping: false,
        },
    }
}

pub struct Rig {
    pub controller: Controller,
    pub wire: WireChecker,
    pub state: RobotState,
    pub epoch: u64,
    seq: u64,
    dt: Duration,
}

impl Rig {
    /// Armed at home, 100 s after the clock's zero.
    pub fn armed(config: ControlConfig) -> Self {
        let robot = fr3();
        let home = *robot.home();
        Self::armed_at(robot, home, config)
    }

    pub fn armed_at(robot: Arc<Robot>, q: JointPositions, config: ControlConfig) -> Self {
        let mut controller = Controller::new(Arc::clone(&robot), config).expect("valid");
        let state = state_at(q, Stamp::from_nanos(100_000_000_000));
        controller.arm(&state).expect("at rest inside the limits");
        let bounds = joint_bounds(&robot).expect("valid limits");
        Self {
            wire: WireChecker::new(&bounds[..robot.n_joints()], config.dt_s()),
            dt: Duration::from_secs_f64(config.dt_s()),

            controller,
            state,
            epoch: 0,
            seq: 0,
        }
    }

    pub fn now(&self) -> Stamp {
        self.state.stamp
    }

    /// One period later, one tick.
    pub fn tick(&mut self) -> Tick {
        self.state.stamp = self.now().after(self.dt);
        let state = self.state;
        self.tick_with(&state)
    }

    /// A tick that is shown another state; the arm follows the command all the same.
    pub fn tick_with(&mut self, state: &RobotState) -> Tick {
        let tick = self.controller.tick(state, self.now());
        self.seq += 1;
        self.wire.check(self.epoch, self.seq, &tick.command);
        self.state.q = tick.command.q_d;
        self.state.dq = tick.command.dq_d;
        tick
    }

    pub fn skip(&mut self, duration: Duration) {
        self.state.stamp = self.now().after(duration);
    }

    pub fn chunk(&self, actions: &[Action]) -> ActionChunk {
        chunk(self.now(), actions)
    }

    pub fn assert_clean(&self) {
        let report = self.wire.report();
        assert_eq!(report.limit_violations, 0, "{report:?}");
        assert_eq!(report.non_finite, 0, "{report:?}");
    }
}

pub fn chunk(start: Stamp, actions: &[Action]) -> ActionChunk {
    ActionChunk::new(start, Duration::from_millis(50), 4, actions).expect("fits")
}

pub fn action(x: f64, y: f64, z: f64) -> Action {
    Action {
        translation: Vector3::new(x, y, z),
        rotation: Vector3::zeros(),
        gripper: 1.0,
    }
}
