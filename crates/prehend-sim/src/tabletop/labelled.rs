//! A scene with everything that is known of it.

use prehend_robot::Jaw;
use prehend_types::{Stream, derive_seed};

use super::arrange::Arrangement;
use super::placing::{Placing, placings};
use super::see::{Seen, look, solids};
use super::source::ObjectSource;
use super::view::{TableView, label};

/// A scene with its views: all objects lie, or one of them is held.
#[derive(Debug, Clone)]
pub struct LabelledScene {
    /// What lay there.
    pub arrangement: Arrangement,
    /// The hand is empty.
    pub picking: TableView,
    /// One object is held: with what the seed drew, then with a slot that it has to be turned for. Empty if
    /// none could be grasped.
    pub placings: Vec<Placing>,
}

impl LabelledScene {
    /// Everything of one seed; `None` if no arrangement came to rest.
    #[must_use]
    pub fn new(
        seed: u64,
        objects: impl Into<ObjectSource>,
        n_objects: Option<usize>,
        jaw: &Jaw,
    ) -> Option<Self> {
        let arrangement = Arrangement::new(seed, objects, n_objects)?;
        let pieces = arrangement.pieces();
        let camera = derive_seed(seed, Stream::Camera, 1);
        let seen = look(&solids(&arrangement.bodies), camera, 0);
        let picking = label(
            &arrangement,
            &pieces,
            &seen,
            jaw,
            None,
            derive_seed(seed, Stream::Labels, 0),
        );
        let placings = placings(&arrangement, &picking, jaw, seed);
        Some(Self {
            arrangement,
            picking,
            placings,
        })
    }

    /// How much of its objects the cameras see, compared to each alone on the table: the mean over all, 0 to
    /// 1. `None` if nothing of any would be seen.
    #[must_use]
    pub fn visible_share(&self) -> Option<f64> {
        let arrangement = &self.arrangement;
        let seed = derive_seed(arrangement.seed, Stream::Camera, 1);
        let count = |seen: &[Seen], index: usize| {
            seen.iter().filter(|seen| seen.body == Some(index)).count() as f64
        };
        let together = look(&solids(&arrangement.bodies), seed, 0);
        let shares = (0..arrangement.instances.len()).filter_map(|index| {
            let alone = std::slice::from_ref(&arrangement.bodies[index]);
            let alone = count(&look(&solids(alone), seed, 0), 0);
            (alone > 0.0).then(|| (count(&together, index) / alone).min(1.0))
        });
        let shares: Vec<f64> = shares.collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}
