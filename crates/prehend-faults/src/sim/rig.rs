//! A controller alone, in lock step with an arm that is where it is told to be, and a judge on its wire.

use std::sync::Arc;
use std::time::Duration;

use prehend_control::{ControlConfig, Controller, WireChecker, WireReport, joint_bounds};
use prehend_robot::Robot;
use prehend_types::{GripperState, JointPositions, JointVelocities, RobotState, Stamp};

use super::{Offer, START};

/// Faster than [`super::World`], for millions of ticks.
#[derive(Clone)]
pub(crate) struct Rig {
    pub controller: Controller,
    pub wire: WireChecker,
    pub state: RobotState,
    epoch: u64,
    seq: u64,
    dt: Duration,
}

impl Rig {
    /// Armed at home at `start`.
    pub fn armed(
        robot: &Arc<Robot>,
        config: ControlConfig,
        start: u64,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut rig = Self::standing(robot, config, *robot.home(), start)?;
        rig.controller.arm(&rig.state)?;
        Ok(rig)
    }

    /// Not armed yet.
    pub fn standing(
        robot: &Arc<Robot>,
        config: ControlConfig,
        q: JointPositions,
        start: u64,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let bounds = joint_bounds(robot)?;
        let state = RobotState {
            stamp: Stamp::from_nanos(start),
            q,
            dq: JointVelocities::zeros(q.len())?,
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        };
        Ok(Self {
            controller: Controller::new(Arc::clone(robot), config)?,
            wire: WireChecker::new(&bounds[..robot.n_joints()], config.dt_s()),
            state,
            epoch: 0,
            seq: 0,
            dt: Duration::from_secs_f64(config.dt_s()),
        })
    }

    /// Armed at home, at the clock's usual start.
    pub fn new(
        robot: &Arc<Robot>,
        config: ControlConfig,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        Self::armed(robot, config, START)
    }

    pub fn now(&self) -> Stamp {
        self.state.stamp
    }

    /// Hands a plan over; whether it was taken.
    pub fn offer(&mut self, offer: &Offer) -> bool {
        let now = self.now();
        match offer {
            Offer::Tool(chunk) => self.controller.accept(chunk, now).is_ok(),
            Offer::Joints(plan) => self.controller.accept_joints(plan, now).is_ok(),
        }
    }

    /// One period, one command; whether the judge finds it clean.
    pub fn tick(&mut self) -> bool {
        self.state.stamp = self.now().after(self.dt);
        let tick = self.controller.tick(&self.state, self.now());
        self.seq += 1;
        self.state.q = tick.command.q_d;
        self.state.dq = tick.command.dq_d;
        self.state.gripper.commanded = tick.command.gripper.opening;
        self.wire.check(self.epoch, self.seq, &tick.command)
    }

    /// Stops, and counts the ticks until the arm stands; `None` if it does not within `most`.
    pub fn stop(&mut self, most: u64) -> Option<u64> {
        self.controller.soft_stop();
        let ticks = (0..most).find(|_| {
            self.tick();
            self.controller.is_at_rest()
        });
        ticks.filter(|_| !self.controller.mode().commands())
    }

    /// A new session where the arm stands; whatever ended the last one is acknowledged.
    pub fn rearm(&mut self) -> bool {
        self.epoch += 1;
        self.seq = 0;
        self.controller.reset();
        self.controller.arm(&self.state).is_ok()
    }

    /// The universal judge's count.
    pub fn violations(&self) -> u64 {
        let WireReport {
            limit_violations,
            non_finite,
            out_of_order,
            ..
        } = self.wire.report();
        limit_violations + non_finite + out_of_order
    }
}
