//! The objects that grasps are learned and tested on: a numbered, endless set.

use prehend_types::{Stream, derive_seed};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::objects::{Family, ObjectModel, ObjectRanges};

/// Which objects a scene draws from. No instance is in two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// 400 instances of fifteen families.
    Train,
    /// 60 other instances of the same families, for choosing between networks.
    Validation,
    /// 120 further instances of the same families, for reports.
    Test,
    /// 120 instances of six families that no training sees.
    TestFamilies,
    /// 60 instances of a family that neither training nor reports see, to choose between networks; last,
    /// because files number these.
    ValidationFamilies,
}

/// One object of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance {
    /// Its family.
    pub family: Family,
    /// Its number: the seed of its shape.
    pub number: u32,
}

/// Seed of all shapes.
const LIBRARY: u64 = 2311_00926;

impl Split {
    /// How many instances it has.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Train => 400,
            Self::Validation | Self::ValidationFamilies => 60,
            Self::Test | Self::TestFamilies => 120,
        }
    }

    /// Never.
    #[must_use]
    pub fn is_empty(self) -> bool {
        false
    }

    /// One of its instances; numbers wrap round.
    #[must_use]
    pub fn instance(self, index: usize) -> Instance {
        let (first, families): (u32, Vec<Family>) = match self {
            Self::Train => (0, seen()),
            Self::Validation => (10_000, seen()),
            Self::Test => (20_000, seen()),
            Self::TestFamilies => (30_000, unseen()),
            Self::ValidationFamilies => (40_000, Family::FOR_CHOICES.to_vec()),
        };
        let index = index % self.len();
        Instance {
            family: families[index % families.len()],
            number: first + index as u32,
        }
    }
}

fn seen() -> Vec<Family> {
    [&Family::TRAIN[..], &Family::MORE_TRAIN].concat()
}

fn unseen() -> Vec<Family> {
    [&Family::HELD_OUT[..], &Family::MORE_HELD_OUT].concat()
}

impl Instance {
    /// Its name, unique in the library.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}_{:05}", self.family.name(), self.number)
    }

    /// Its shape, mass and friction: the same every time.
    #[must_use]
    pub fn model(&self) -> ObjectModel {
        let ranges = ObjectRanges {
            mass_kg: [0.02, 0.5],
            friction: [0.4, 1.0],
            scale: [0.8, 1.2],
        };
        let seed = derive_seed(LIBRARY, Stream::Scene, u64::from(self.number));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.family.generate(&ranges, &mut rng)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_instance_is_in_two_splits_and_every_one_has_a_body() {
        let splits = [
            Split::Train,
            Split::Validation,
            Split::Test,
            Split::TestFamilies,
            Split::ValidationFamilies,
        ];
        let unseen = [Split::TestFamilies, Split::ValidationFamilies];
        let mut numbers = BTreeSet::new();
        for split in splits {
            for index in 0..split.len() {
                let instance = split.instance(index);
                assert!(numbers.insert(instance.number), "{instance:?}");
                assert_eq!(instance.family.is_held_out(), unseen.contains(&split));
                let model = instance.model();
                assert!(!model.parts.is_empty(), "{instance:?}");
                assert!(model.height > 0.008 && model.height < 0.20, "{instance:?}");
            }
        }
        assert_eq!(numbers.len(), 760);
    }
}
