//! Vendors' own controllers as rules: what each would do with the setpoints that a driver streams to it.
//!
//! A driver is right when the vendor's controller never has to interfere. These rules say, point by point,
//! when it would: follow, bridge a gap, drop a point, or end the motion with the vendor's own words. The arm
//! behind them is kinematic and time is an argument, so hours pass in minutes.
//!
//! Where a rule is from stands beside it: *published* is the vendor's documentation or source, *recalled*
//! and *chosen* are what they say. No arm was driven to check one.
//!
//! - [`Rules`]: the one interface; [`Franka`], [`Ur`], [`XArm`], [`So101`] implement it.
//! - [`Identity`]: the arm that a controller says it has, held against a robot's description before arming.
//! - [`Rig`]: a controller under adversarial plans, the driver's shell, and a vendor behind them.

mod franka;
mod identity;
mod kind;
mod motion;
mod plans;
mod rig;
mod so101;
mod ur;
mod xarm;

use std::time::Duration;

pub use franka::{Franka, FrankaTable};
pub use identity::{Identity, Mismatch};
pub use kind::Kind;
pub use motion::Motion;
use prehend_types::{JointPositions, Stamp};
pub use rig::{Fault, Findings, Rig, RigConfig};
pub use so101::So101;
pub use ur::Ur;
pub use xarm::{Axes, ControllerType, XArm};

/// One point of a stream, as it is on the vendor's wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setpoint {
    /// Desired joint positions, rad, base to tip.
    pub q: JointPositions,
    /// How long the vendor may do without another one, where its protocol carries that.
    pub valid_for: Option<Duration>,
}

/// What a vendor's controller does in one of its cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The arm goes to the setpoint.
    Follow,
    /// The arm goes on by itself: a setpoint was due and did not come.
    Extrapolate,
    /// Nothing came and the arm stays at its last setpoint.
    Hold,
    /// A setpoint came and has no effect.
    Ignore(Ignored),
    /// The motion ends now, and nothing moves the arm before [`Rules::recover`].
    Abort(Abort),
}

/// Why a setpoint has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Another one came before the vendor's controller took it.
    Lost,
    /// It could be met at an impossible speed only.
    TooFast,
    /// It is too far away to be given at once.
    Distant,
    /// The motion was ended before.
    Stopped,
}

/// How a vendor ends a motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort {
    /// In the vendor's own words.
    pub reason: &'static str,
    /// The joint that caused it, counted from 0, if one did.
    pub joint_idx: Option<usize>,
}

/// A vendor's controller with its arm.
///
/// Made with the arm standing. [`Self::step`] has to be called every [`Self::tick`]; setpoints may come
/// with every call, though at most one per [`Self::period`] makes sense.
pub trait Rules: std::fmt::Debug + Send {
    /// The arm that the controller says it has.
    fn identity(&self) -> &Identity;

    /// Time between two calls of [`Self::step`].
    fn tick(&self) -> Duration;

    /// Time between two setpoints.
    fn period(&self) -> Duration;

    /// One tick at `now`, a whole number of ticks after the last one; `arrived` is the newest setpoint
    /// since then.
    fn step(&mut self, now: Stamp, arrived: Option<&Setpoint>) -> Decision;

    /// Where the vendor's controller has the arm, and how it moves.
    fn motion(&self) -> &Motion;

    /// Whether the last state that the driver asked for arrived.
    fn is_readable(&self) -> bool {
        true
    }

    /// Whether positions are rounded to the counts of an encoder.
    fn rounds(&self) -> bool {
        false
    }

    /// Why the motion was ended, until [`Self::recover`].
    fn aborted(&self) -> Option<Abort>;

    /// The arm hits something.
    fn collide(&mut self);

    /// What an operator does at the vendor's own panel after an abort. Returns whether the arm can be
    /// moved again: it stands, and the cause is gone.
    fn recover(&mut self) -> bool;
}
