//! Turns a robot's description into what its driver says of itself.

use prehend_link::messages::ArmId;
use prehend_robot::Robot;

/// Who the arm of `robot` is, that drivers of this description drive: a controller with another one must not
/// take it over.
#[must_use]
pub fn arm_id(robot: &str, description: &Robot) -> ArmId {
    ArmId {
        robot: robot.to_owned(),
        model: description.name().to_owned(),
        model_hash: description.content_hash().to_owned(),
    }
}
