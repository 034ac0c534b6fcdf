//! The driver's side: the real shell around an arm that is where it is told to be, and sensors that may lie.

use prehend_control::{ControlError, JointBounds};
use prehend_drivers::{Shell, ShellConfig};
use prehend_link::Received;
use prehend_link::messages::{ArmId, JointCommand, RobotStatus};
use prehend_types::{JointCommand as Setpoint, RobotState, Stamp};

/// Changes what the sensors say; told the time since the clock's zero, ns.
pub(crate) type Sensors = Box<dyn FnMut(&mut RobotState, u64) + Send>;

/// An arm behind its shell.
pub(crate) struct Arm {
    /// Whose arm it is, and which.
    pub id: ArmId,
    pub shell: Shell,
    /// Where it is.
    pub state: RobotState,
    /// Commands that arrived since the last tick.
    pub inbox: Vec<Received<JointCommand>>,
    /// What is said of the state.
    pub sensors: Sensors,
    statuses: u64,
}

impl Arm {
    /// In its first session, which an operator has asked for.
    pub fn new(
        config: ShellConfig,
        id: ArmId,
        bounds: &[JointBounds],
        state: RobotState,
        epoch: u64,
    ) -> Result<Self, ControlError> {
        let mut arm = Self::standing(config, id, bounds, state, 0)?;
        arm.shell.arm(epoch, &state)?;
        Ok(arm)
    }

    /// In no session yet; `epoch` is what its status shows.
    pub fn standing(
        config: ShellConfig,
        id: ArmId,
        bounds: &[JointBounds],
        state: RobotState,
        epoch: u64,
    ) -> Result<Self, ControlError> {
        Ok(Self {
            shell: Shell::new(config, &id.robot, bounds, &state, epoch)?,
            id,
            state,
            inbox: Vec::new(),
            sensors: Box::new(|_, _| {}),
            statuses: 0,
        })
    }

    /// As the drivers' own loop: commands in, arm on, status out.
    pub fn tick(&mut self, now: u64) -> (Setpoint, RobotStatus) {
        let stamp = Stamp::from_nanos(now);
        for received in self.inbox.drain(..) {
            self.shell.receive(&received);
        }
        let (told, expires) = self.shell.next(stamp);
        if let Some(expires) = expires {
            self.shell.executed(expires, stamp);
        }
        (self.state.q, self.state.dq) = (told.q_d, told.dq_d);
        self.state.gripper.commanded = told.gripper.opening;
        self.state.stamp = stamp;
        let mut seen = self.state;
        (self.sensors)(&mut seen, now);
        self.shell.observe(&seen);
        let mut status = RobotStatus::new(
            &self.id,
            self.shell.epoch(),
            self.statuses,
            &seen,
            self.shell.newest(stamp),
            self.shell.stop_reason(),
        );
        status.acknowledged = self.shell.is_acknowledged();
        status.refusal.extend(self.shell.refusal());
        self.statuses += 1;
        (told, status)
    }
}
