//! Grasps and placements from a raw cloud: what the pick-and-place network sees, what it says, and what of
//! that a gripper can do.

mod antipodal;
mod bundle;
mod centroid;
mod decode;
mod filter;
mod footprint;
mod gripper;
mod grounding;
mod inputs;
mod intake;
mod lumps;
mod marks;
mod network;
mod outline;
mod picker;
mod rank;
mod scorer;

pub use antipodal::antipodal_grasps;
pub use bundle::{FORMAT_VERSION, GoldenScene, SceneBundle, SceneManifest};
pub use centroid::centroid_grasps;
pub use decode::{ProposedGrasp, ProposedPlace, RawScene, grasps, places};
pub use filter::{HandFilter, Refusal};
pub use footprint::{FreePlace, free_place};
pub use gripper::check_jaw_width;
pub use grounding::Grounded;
pub use inputs::SceneInputs;
pub use intake::check_cloud;
pub use network::SceneNetwork;
pub use picker::{Area, Astray, Cell, Picker, put_down};
pub use rank::{LEAST_PLACE, MOST_TRIED, Ranked, RankedPlaces, surest_apart};
pub use scorer::{GoldenScores, Judged, MOST_SCORED};
