//! Depth cameras: from the state of a world to what a policy may see.
//!
//! An exposure picks pixels first and casts rays for those alone ([`expose`]); [`images`] and [`cast`]
//! cast every pixel, for tests and pictures. Rays go in packets of eight against the solids that their
//! block of pixels can show; what a sensor gets wrong is [`crate::NoiseConfig`].

mod eye;
mod film;
mod fit;
mod grid;
mod lanes;
mod mesh;
mod noise;
mod pick;
mod rays;
mod shutter;
mod solids;
mod target;
mod tree;

pub use fit::{
    Fit, FitError, PlaneFrames, RECORDING_FILE, Recording, RecordingError, Residual, StepFrames,
    fit,
};
pub use mesh::{MeshError, TriangleMesh};
pub use rays::{Hit, cast};
pub use shutter::{LabelledCloud, expose, image, images, labelled_image};
pub(crate) use shutter::{look, looking_at, observe};
pub use solids::{Label, Solid, SolidShape};
pub(crate) use solids::{solids, table};
