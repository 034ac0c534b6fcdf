//! Limits that change while the controller runs.

use super::Controller;
use crate::{ControlError, JointBounds};

impl Controller {
    /// Other limits from the next tick on, tighter or looser, in any mode.
    ///
    /// A joint that is not inside them, or could not stop inside them, brakes inside the old ones until it
    /// can; one that stands outside may only come back. Never allocates.
    ///
    /// # Errors
    /// [`ControlError`] if a limit is not usable or they are not for this robot; the old ones then hold.
    pub fn set_bounds(&mut self, bounds: &[JointBounds]) -> Result<(), ControlError> {
        self.drive.set_bounds(bounds)
    }
}
