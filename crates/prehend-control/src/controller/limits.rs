//! Limits that change while the controller runs.

use super::Controller;
use crate::{ControlError, JointBounds};

impl Controller {
    /// Other limits, tighter or looser, in any mode.
    ///
    /// They hold as soon as the arm is inside them and can stop inside them, off itself and in its box; until
    /// then it brakes inside the old ones, for no longer than it takes to stop. A joint that stands outside may
    /// only come back. Never allocates.
    ///
    /// # Errors
    /// [`ControlError`] if a limit is not usable or they are not for this robot; the old ones then hold.
    pub fn set_bounds(&mut self, bounds: &[JointBounds]) -> Result<(), ControlError> {
        self.drive.set_bounds(bounds)
    }
}
