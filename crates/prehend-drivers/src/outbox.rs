//! Everything that a driver says, topic by topic.

use prehend_link::messages::{
    EpisodeEvent, FingerState, JointState, PointCloud2, Report, RobotStatus,
};
use prehend_link::{Link, LinkError, Publisher};
use prehend_robot::Robot;
use prehend_types::{PointCloud, RobotState};

use crate::WireReport;

/// Publishers of one driver.
pub(crate) struct Outbox {
    status: Publisher<RobotStatus>,
    joint_state: Publisher<JointState>,
    cloud: Publisher<PointCloud2>,
    event: Publisher<EpisodeEvent>,
    report: Publisher<Report>,
    joint_names: Vec<String>,
    finger_name: Option<String>,
    last_joint_state: Option<RobotState>,
    failures: u64,
}

impl Outbox {
    pub fn new(link: &Link, robot: &Robot) -> Result<Self, LinkError> {
        Ok(Self {
            status: link.publisher()?,
            joint_state: link.publisher()?,
            cloud: link.publisher()?,
            event: link.publisher()?,
            report: link.publisher()?,
            joint_names: robot.joint_names().to_vec(),
            finger_name: robot.finger_joint().map(str::to_owned),
            last_joint_state: None,
            failures: 0,
        })
    }

    pub fn status(&mut self, status: &RobotStatus) {
        let sent = self.status.send(status);
        self.note(sent);
    }

    /// The finger's speed is the difference since the last of these messages; zero at the first.
    pub fn joint_state(&mut self, state: &RobotState) {
        let speed = self.last_joint_state.map_or(0.0, |last| {
            let dt = state.stamp.seconds_since(last.stamp);
            let moved = 0.5 * (state.gripper.width - last.gripper.width);
            if dt > 0.0 { moved / dt } else { 0.0 }
        });
        self.last_joint_state = Some(*state);
        let finger = self.finger_name.as_deref().map(|name| FingerState {
            name,
            position: 0.5 * state.gripper.width,
            velocity: speed,
        });
        let message = JointState::new(state, &self.joint_names, finger);
        let sent = self.joint_state.send(&message);
        self.note(sent);
    }

    pub fn cloud(&mut self, cloud: &PointCloud) {
        let sent = self.cloud.send(&PointCloud2::new(cloud));
        self.note(sent);
    }

    pub fn event(&mut self, event: &EpisodeEvent) {
        let sent = self.event.send(event);
        self.note(sent);
    }

    pub fn report(&mut self, report: &WireReport) {
        let sent = match serde_json::to_string(report) {
            Ok(data) => self.report.send(&Report { data }),
            Err(error) => {
                tracing::error!(%error, "driver: the report cannot be written as JSON");
                Ok(())
            }
        };
        self.note(sent);
    }

    /// A driver goes on without an audience: its own watchdog stops the arm if the link is gone.
    /// Logged at powers of two only.
    fn note(&mut self, sent: Result<(), LinkError>) {
        if let Err(error) = sent {
            self.failures += 1;
            if self.failures.is_power_of_two() {
                tracing::warn!(failures = self.failures, %error, "driver: cannot send");
            }
        }
    }
}
