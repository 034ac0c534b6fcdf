//! Turns depth images into cropped, sampled point clouds. Pure functions.
//!
//! This crate knows nothing of simulation, robots, networks or files: the same functions serve a
//! simulated camera and a real one.

#![forbid(unsafe_code)]

mod bottom;
mod clearance;
mod close_up;
mod crop;
mod depth;
mod group;
mod held;
mod normals;
mod place_close_up;
mod pyramid;
mod sample;
mod surface;

pub use bottom::bottom_centre;
pub use clearance::{CLEARANCE_DIM, N_TURNS, clearances};
pub use close_up::{CLOSE_UP_DIM, CLOSE_UP_POINTS, CloseUp, close_up, mirrored};
pub use crop::Crop;
pub use depth::{DepthImage, Intrinsics, back_project, deproject};
pub use group::{ball_query, farthest_points, three_nearest};
pub use held::is_in_hand;
pub use normals::Neighbourhood;
pub use place_close_up::PlaceSight;
pub use pyramid::{Grouped, Grouping, Level, Span};
pub use sample::{Quotas, sample_by_role};
pub use surface::{NORMAL_RADIUS, SURFACE};
