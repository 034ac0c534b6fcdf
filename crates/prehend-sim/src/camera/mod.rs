//! Depth cameras: from the state of a world to what a policy may see.

mod noise;
mod rays;
mod shutter;
mod solids;

pub(crate) use rays::{Hit, cast};
pub(crate) use shutter::{looking_at, observe};
pub(crate) use solids::{Label, Solid, solids};
