//! A scene with everything that is known of it.

use prehend_robot::Jaw;
use prehend_types::{Stream, derive_seed};

use super::arrange::Arrangement;
use super::library::Split;
use super::placing::{Placing, placing};
use super::see::{look, solids};
use super::view::{TableView, label};

/// A scene with its two views: all objects lie, or one of them is held.
#[derive(Debug, Clone)]
pub struct LabelledScene {
    /// What lay there.
    pub arrangement: Arrangement,
    /// The hand is empty.
    pub picking: TableView,
    /// One object is held, if any could be grasped.
    pub placing: Option<Placing>,
}

impl LabelledScene {
    /// Everything of one seed; `None` if no arrangement came to rest.
    #[must_use]
    pub fn new(seed: u64, split: Split, n_objects: Option<usize>, jaw: &Jaw) -> Option<Self> {
        let arrangement = Arrangement::new(seed, split, n_objects)?;
        let pieces = arrangement.pieces();
        let seen = look(
            &solids(&arrangement.bodies),
            derive_seed(seed, Stream::Camera, 1),
        );
        let picking = label(
            &arrangement,
            &pieces,
            &seen,
            jaw,
            None,
            derive_seed(seed, Stream::Labels, 0),
        );
        let placing = placing(&arrangement, &picking, jaw, seed);
        Some(Self {
            arrangement,
            picking,
            placing,
        })
    }
}
