//! Where the objects of scenes come from: the numbered library, or a user's own collection.

use std::fmt;
use std::sync::Arc;

use nalgebra::Vector3;
use prehend_types::Pose;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::library::Split;
use super::place::center_of_mass;
use super::resting::Resting;
use super::tried::TableObject;
use crate::geometry;
use crate::objects::Part;

/// What the objects of a scene are drawn from. A clone shares the objects.
#[derive(Debug, Clone)]
pub enum ObjectSource {
    /// A part of the numbered library.
    Split(Split),
    /// Objects that were brought.
    Collection(Arc<Collection>),
}

/// Objects that were brought: each is drawn as often as every other one.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    objects: Vec<CollectedObject>,
    digest: String,
    split: Option<Split>,
}

/// One object of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectedObject {
    name: String,
    stances: Vec<Stance>,
}

/// A way in which an object stands. In its frame z is up, and the origin is on the table under the
/// centre of mass: what rests has its support there, so that the origin is in no pose below the table.
#[derive(Debug, Clone, PartialEq)]
struct Stance {
    n_drops: usize,
    object: TableObject,
}

/// Which objects scenes were made of, as files remember it.
///
/// The splits come first and under their own names, so that files from before there were folders read the
/// same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SceneObjects {
    /// [`Split::Train`].
    Train,
    /// [`Split::Validation`].
    Validation,
    /// [`Split::Test`].
    Test,
    /// [`Split::TestFamilies`].
    TestFamilies,
    /// A collection.
    Folder {
        /// What its files held.
        digest: String,
        /// Which part of the library its objects are; `None` if they are none of it.
        split: Option<Split>,
    },
    /// [`Split::ValidationFamilies`]; last, because files number these.
    ValidationFamilies,
}

impl ObjectSource {
    /// What files remember of it.
    #[must_use]
    pub fn describe(&self) -> SceneObjects {
        match self {
            Self::Split(Split::Train) => SceneObjects::Train,
            Self::Split(Split::Validation) => SceneObjects::Validation,
            Self::Split(Split::Test) => SceneObjects::Test,
            Self::Split(Split::TestFamilies) => SceneObjects::TestFamilies,
            Self::Split(Split::ValidationFamilies) => SceneObjects::ValidationFamilies,
            Self::Collection(collection) => SceneObjects::Folder {
                digest: collection.digest.clone(),
                split: collection.split,
            },
        }
    }

    /// Any object, with its name; it stands on z = 0.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> (String, TableObject) {
        match self {
            Self::Split(split) => {
                let instance = split.instance(rng.random_range(0..split.len()));
                (instance.name(), instance.model().into())
            }
            Self::Collection(collection) => {
                let objects = &collection.objects;
                let object = &objects[rng.random_range(0..objects.len())];
                (object.name.clone(), object.stance(rng).object.clone())
            }
        }
    }
}

impl From<Split> for ObjectSource {
    fn from(split: Split) -> Self {
        Self::Split(split)
    }
}

impl From<&Self> for ObjectSource {
    fn from(source: &Self) -> Self {
        source.clone()
    }
}

impl Collection {
    /// Objects with the digest of the files that they are from; `split` if they are of the library. `None`
    /// if there are none.
    #[must_use]
    pub fn new(
        objects: Vec<CollectedObject>,
        digest: String,
        split: Option<Split>,
    ) -> Option<Self> {
        (!objects.is_empty()).then_some(Self {
            objects,
            digest,
            split,
        })
    }

    /// Names of its objects.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(|object| object.name.as_str())
    }
}

impl CollectedObject {
    /// An object that comes to rest in these ways; `None` if there are none. It is put down in each as often
    /// as it was seen to end like that. Its mass is spread evenly through its pieces.
    #[must_use]
    pub fn new(name: String, object: &TableObject, resting: &[Resting]) -> Option<Self> {
        let resting = resting.iter().filter(|resting| resting.n_drops > 0);
        let stances: Vec<Stance> = resting
            .map(|resting| Stance {
                n_drops: resting.n_drops,
                object: stood(object, &resting.base_from_object),
            })
            .collect();
        (!stances.is_empty()).then_some(Self { name, stances })
    }

    fn stance(&self, rng: &mut ChaCha8Rng) -> &Stance {
        let n_drops: usize = self.stances.iter().map(|stance| stance.n_drops).sum();
        let mut left = rng.random_range(0..n_drops);
        let chosen = self.stances.iter().find(|stance| {
            let is_it = left < stance.n_drops;
            left = left.saturating_sub(stance.n_drops);
            is_it
        });
        chosen.unwrap_or(&self.stances[0])
    }
}

/// The object in the frame of a stance.
fn stood(object: &TableObject, base_from_object: &Pose) -> TableObject {
    let moved = |motion: &Pose, parts: &[Part]| -> Vec<Part> {
        let parts = parts.iter();
        let moved = parts.map(|part| Part {
            shape: part.shape.clone(),
            body_from_part: motion * part.body_from_part,
        });
        moved.collect()
    };
    let parts = moved(base_from_object, &object.parts);
    let center = center_of_mass(&parts);
    let lows = parts
        .iter()
        .map(|part| geometry::extent(part, &Vector3::z())[0]);
    let low = lows.fold(f64::INFINITY, f64::min);
    TableObject {
        parts: moved(&Pose::translation(-center.x, -center.y, -low), &parts),
        ..*object
    }
}

impl SceneObjects {
    /// The part of the library that the objects are of; `None` if they are none of it.
    #[must_use]
    pub fn split(&self) -> Option<Split> {
        match self {
            Self::Train => Some(Split::Train),
            Self::Validation => Some(Split::Validation),
            Self::Test => Some(Split::Test),
            Self::TestFamilies => Some(Split::TestFamilies),
            Self::ValidationFamilies => Some(Split::ValidationFamilies),
            Self::Folder { split, .. } => *split,
        }
    }
}

impl fmt::Display for SceneObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.split()) {
            (Self::Folder { digest, .. }, Some(split)) => write!(
                f,
                "a folder of {split:?} objects of the library with digest {digest}"
            ),
            (Self::Folder { digest, .. }, None) => {
                write!(f, "a folder of objects with digest {digest}")
            }
            (_, Some(split)) => write!(f, "the {split:?} objects of the library"),
            (_, None) => f.write_str("unknown objects"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{Translation3, UnitQuaternion};
    use rand::SeedableRng;

    use super::*;
    use crate::objects::build::block;
    use crate::tabletop::Arrangement;

    /// A plank whose frame is far away from it, lying and on its edge.
    fn plank(name: &str) -> CollectedObject {
        let object = TableObject {
            parts: vec![block([0.09, 0.05, 0.02], [0.3, -0.2, 0.5])],
            mass: 0.1,
            friction: 0.6,
        };
        let on_edge =
            UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
        let ways = [(UnitQuaternion::identity(), 6), (on_edge, 2)];
        let resting = ways.map(|(turn, n_drops)| Resting {
            base_from_object: Pose::from_parts(Translation3::new(0.4, 0.1, 0.2), turn),
            n_drops,
        });
        CollectedObject::new(name.to_owned(), &object, &resting).expect("two ways")
    }

    fn source(names: &[&str]) -> ObjectSource {
        let objects = names.iter().map(|name| plank(name)).collect();
        let collection = Collection::new(objects, "0123".to_owned(), None);
        ObjectSource::Collection(Arc::new(collection.expect("not empty")))
    }

    #[test]
    fn what_is_drawn_stands_on_the_table_under_its_middle_as_often_as_it_was_seen_to() {
        let (mut n_flat, mut n_second) = (0, 0);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let source = source(&["first", "second"]);
        for _ in 0..400 {
            let (name, object) = source.draw(&mut rng);
            let range = |axis: usize| geometry::extent(&object.parts[0], &Vector3::ith(axis, 1.0));
            for axis in [0, 1] {
                let [low, high] = range(axis);
                assert!((low + high).abs() < 1e-9, "{axis}: {low} to {high}");
            }
            let [low, height] = range(2);
            assert!(low.abs() < 1e-9, "{low}");
            n_flat += usize::from((height - 0.02).abs() < 1e-9);
            n_second += usize::from(name == "second");
        }
        // Three of four, and half; four standard deviations about them.
        assert!((265..335).contains(&n_flat), "{n_flat}");
        assert!((160..240).contains(&n_second), "{n_second}");
    }

    #[test]
    fn arrangements_of_a_collection_repeat_and_say_what_they_are_of() {
        let source = source(&["first", "second"]);
        let arrange = || Arrangement::new(3, &source, Some(3)).expect("comes to rest");
        let first = arrange();
        assert_eq!(first, arrange());
        assert_eq!(first.instances.len(), 3);
        let known = ["first", "second"];
        assert!(
            first
                .instances
                .iter()
                .all(|name| known.contains(&name.as_str()))
        );
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        assert!(Collection::new(Vec::new(), String::new(), None).is_none());
        let object = TableObject {
            parts: vec![block([0.05; 3], [0.0; 3])],
            mass: 0.1,
            friction: 0.6,
        };
        assert!(CollectedObject::new("restless".to_owned(), &object, &[]).is_none());
    }
}
