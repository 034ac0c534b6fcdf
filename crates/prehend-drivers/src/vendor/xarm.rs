//! UFACTORY's controller in servo mode.
//!
//! Published (ufactory_doc_usermanual 50e61ab, xArm-Python-SDK d911319): `servoj` takes the newest point
//! only, at most 250 a second, and loses what comes faster; its speed and acceleration arguments do nothing,
//! so that a point is gone to at once; a distant one must not be given at once; joints turn at most at
//! 180 deg/s; ranges depend on the controller's type. Chosen: a point is distant if it cannot be reached at
//! 180 deg/s within one cycle; such a point is refused; the words of the reason.

use std::time::Duration;

use prehend_types::{JointPositions, Stamp};

use super::{Abort, Decision, Identity, Ignored, Mismatch, Motion, Rules, Setpoint};

/// How often points may come in.
const TICK: Duration = Duration::from_millis(1);
/// How often one is taken.
const PERIOD: Duration = Duration::from_millis(4);
/// Speed of the joints, rad/s.
const MAX_SPEED: f64 = std::f64::consts::PI;
/// Tolerance for rounding, relative.
const RELATIVE: f64 = 1e-9;
/// How joints stop after a collision, rad/s².
const DECELERATION: f64 = 20.0;

const PI: f64 = std::f64::consts::PI;
const TAU: f64 = std::f64::consts::TAU;
const FREE: [f64; 2] = [-TAU, TAU];

/// Number of joints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// xArm 6.
    Six,
    /// xArm 7.
    Seven,
}

/// Type of the controller, on which ranges depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControllerType {
    /// The one that `robots/` describes.
    X4,
    /// Joint 4 of the xArm 7 is mirrored.
    X3,
}

const XARM6: Identity = Identity {
    model: "xArm 6, type X4",
    robot: "xarm6",
    ranges: &[
        FREE,
        [-2.059_488, 2.094_395],
        [-3.926_991, 0.191_986],
        FREE,
        [-1.692_969, PI],
        FREE,
    ],
};
const XARM7_X4: Identity = Identity {
    model: "xArm 7, type X4",
    robot: "xarm7",
    ranges: &[
        FREE,
        [-2.059_488, 2.094_395],
        FREE,
        [-0.191_986, 3.926_991],
        FREE,
        [-1.692_969, PI],
        FREE,
    ],
};
const XARM7_X3: Identity = Identity {
    model: "xArm 7, type X3",
    robot: "xarm7",
    ranges: &[
        FREE,
        [-2.059_488, 2.094_395],
        FREE,
        [-3.926_991, 0.191_986],
        FREE,
        [-1.692_969, PI],
        FREE,
    ],
};

/// A controller of UFACTORY's.
#[derive(Debug, Clone)]
pub struct XArm {
    identity: &'static Identity,
    motion: Motion,
    /// The newest point that was not taken yet.
    newest: Option<Setpoint>,
    /// When the next point is taken; the first is taken at once.
    due: Stamp,
    aborted: Option<Abort>,
}

impl XArm {
    /// With its arm standing at `q`. The type makes a difference for seven axes only.
    ///
    /// # Errors
    /// [`Mismatch::JointCount`].
    pub fn new(
        axes: Axes,
        controller: ControllerType,
        q: &JointPositions,
    ) -> Result<Self, Mismatch> {
        let identity = match (axes, controller) {
            (Axes::Six, _) => &XARM6,
            (Axes::Seven, ControllerType::X4) => &XARM7_X4,
            (Axes::Seven, ControllerType::X3) => &XARM7_X3,
        };
        Ok(Self {
            identity,
            motion: identity.standing(q)?,
            newest: None,
            due: Stamp::ZERO,
            aborted: None,
        })
    }

    fn take(&mut self, now: Stamp) -> Decision {
        self.due = now.after(PERIOD);
        let Some(setpoint) = self.newest.take() else {
            self.motion = self.motion.held();
            return Decision::Hold;
        };
        if setpoint.q.len() == self.motion.q.len() {
            let next = self.motion.moved_to(&setpoint.q, PERIOD.as_secs_f64());
            // Written so that NaN is refused too.
            if (next.dq.iter()).all(|dq| dq.abs() <= MAX_SPEED * (1.0 + RELATIVE)) {
                self.motion = next;
                return Decision::Follow;
            }
        }
        self.motion = self.motion.held();
        Decision::Ignore(Ignored::Distant)
    }
}

impl Rules for XArm {
    fn identity(&self) -> &Identity {
        self.identity
    }

    fn tick(&self) -> Duration {
        TICK
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn step(&mut self, now: Stamp, arrived: Option<&Setpoint>) -> Decision {
        if self.aborted.is_some() {
            self.motion = self.motion.braked(DECELERATION, TICK.as_secs_f64());
            return arrived.map_or(Decision::Hold, |_| Decision::Ignore(Ignored::Stopped));
        }
        let mut lost = false;
        if let Some(setpoint) = arrived {
            lost = self.newest.replace(*setpoint).is_some();
        }
        let decision = if now >= self.due {
            self.take(now)
        } else {
            Decision::Hold
        };
        if lost {
            Decision::Ignore(Ignored::Lost)
        } else {
            decision
        }
    }

    fn motion(&self) -> &Motion {
        &self.motion
    }

    fn aborted(&self) -> Option<Abort> {
        self.aborted
    }

    fn collide(&mut self) {
        self.newest = None;
        self.aborted = Some(Abort {
            reason: "collision: abnormal current",
            joint_idx: None,
        });
    }

    fn recover(&mut self) -> bool {
        if self.motion.is_at_rest() {
            self.motion = self.motion.held();
            self.aborted = None;
        }
        self.aborted.is_none()
    }
}
