//! Objects on a table without an arm: what the pick-and-place network is trained and tested on.
//!
//! - [`Instance`]: one of an endless, numbered set of objects, split into training and test.
//! - [`ObjectSource`]: a part of that set, or a [`Collection`] that a user brought.
//! - [`Arrangement`]: some of them at rest, packed, piled or on two heights.
//! - [`LabelledScene`]: what depth cameras see of it, with the grasps at every point and, if one object
//!   is held, where it may be put down at which turn.
//! - [`try_grasp`]: what really happens when a free-flying gripper does it.
//! - [`LabelAudit`]: how often labels and trials say the same.
//! - [`ObjectTrials`]: one object grasped all over, and how often it was held.
//!
//! Labels are geometry: antipodal contacts, boxes of the gripper against convex pieces, and height maps.
//! Physics judges them from outside.

mod antipodal;
mod arrange;
mod audit;
mod bench;
mod labelled;
mod library;
mod picture;
mod pieces;
mod place;
mod placing;
mod resting;
mod see;
mod showing;
mod source;
mod surface;
mod trial;
mod tried;
mod view;

pub(crate) use arrange::middle;
pub use arrange::{Arrangement, ArrangementKind};
pub use audit::LabelAudit;
pub use labelled::LabelledScene;
pub use library::{Instance, Split};
pub use picture::Picture;
pub use place::Turns;
pub use placing::{Carried, InHand, Placing, Slot};
pub use resting::Resting;
pub use see::Measured;
pub use source::{CollectedObject, Collection, ObjectSource, SceneObjects};
pub use trial::{Attempt, PlaceOutcome, TrialOutcome, attempt_grasp, try_grasp, try_place};
pub use tried::{GraspOutcome, GraspTrial, ObjectTrials, TableObject, widest_grasp};
pub use view::{HeldView, PointGrasp, PointLabel, TableView};
