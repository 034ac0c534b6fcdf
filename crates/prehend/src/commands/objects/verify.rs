//! Tries grasps on many objects and stores what happened, on several threads.

use std::borrow::Borrow;
use std::time::Instant;

use prehend_robot::Jaw;
use prehend_sim::tabletop::{ObjectTrials, TableObject, widest_grasp};
use prehend_types::{Pose, Stream, derive_seed};

use super::record::{Origin, Record};
use super::store::{Settings, Store};
use crate::exit::Failure;
use crate::progress::Progress;
use crate::session::Session;
use crate::workers::for_each_seed;

/// An object that may be tried.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name, unique in its folder.
    pub name: String,
    /// The row of the table that it counts in.
    pub group: String,
    pub origin: Origin,
    /// What its trials are seeded with, beside the settings' seed.
    pub key: u64,
    pub object: TableObject,
    /// From the frame that physics uses to the one that users know.
    pub object_from_body: Pose,
}

/// One object and what is stored of it.
#[derive(Debug)]
pub struct Verified {
    pub group: String,
    pub record: Record,
    /// Whether it was stored before this run.
    pub was_stored: bool,
}

/// All objects of one run.
#[derive(Debug)]
pub struct Outcome {
    pub verified: Vec<Verified>,
    /// Trials of this run per second; `None` if nothing was tried.
    pub trials_per_s: Option<f64>,
}

/// Refuses a gripper that opens wide enough for none of the objects, before anything is tried.
///
/// # Errors
/// [`crate::exit::Class::BadInput`].
pub fn check_gripper(
    jaw: &Jaw,
    file: &str,
    candidates: impl IntoIterator<Item: Borrow<Candidate>>,
) -> Result<(), Failure> {
    let widest = widest_grasp(jaw);
    let mut narrowest: Option<(f64, String)> = None;
    let mut n = 0;
    for candidate in candidates {
        let candidate = candidate.borrow();
        n += 1;
        let Some(own) = candidate.object.narrowest() else {
            continue;
        };
        if own <= widest {
            return Ok(());
        }
        if narrowest.as_ref().is_none_or(|(least, _)| own < *least) {
            narrowest = Some((own, candidate.name.clone()));
        }
    }
    let Some((least, name)) = narrowest else {
        // No object has two sides; each is listed with that reason.
        return Ok(());
    };
    let most = jaw.max_width_m;
    Err(Failure::bad_input(format!(
        "{file}: field `max_width_m`: is {most}, which grasps things of at most {widest:.4} m; the \
         thinnest place of all {n} objects is {least:.4} m ({name}): give a gripper that opens to \
         {:.4} m or more",
        least + most - widest
    )))
}

/// Tries what is not stored yet and stores it.
///
/// # Errors
/// A stored file was refused, or one could not be written.
pub fn verify(
    candidates: &[Candidate],
    store: &Store,
    settings: &Settings,
    threads: usize,
    session: &Session,
) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let progress = Progress::new("objects", candidates.len() as u64);
    let indices: Vec<u64> = (0..candidates.len() as u64).collect();
    let work = |(): &mut (), index: u64| {
        let candidate = &candidates[index as usize];
        let stored = store.read(&candidate.name, &candidate.origin)?;
        let was_stored = stored.is_some();
        let record = match stored {
            Some(record) => record,
            None => try_and_store(candidate, store, settings)?,
        };
        progress.step(String::new());
        Ok(Verified {
            group: candidate.group.clone(),
            record,
            was_stored,
        })
    };
    let result = for_each_seed(threads, &indices, &session.interrupt, || Ok(()), work);
    progress.finish();
    let verified = result?;
    let new = verified.iter().filter(|one| !one.was_stored);
    let n_tried: usize = new.map(|one| one.record.trials.len()).sum();
    let elapsed = started.elapsed().as_secs_f64();
    Ok(Outcome {
        verified,
        trials_per_s: (n_tried > 0).then(|| n_tried as f64 / elapsed),
    })
}

fn try_and_store(
    candidate: &Candidate,
    store: &Store,
    settings: &Settings,
) -> Result<Record, Failure> {
    let seed = derive_seed(settings.seed, Stream::Labels, candidate.key);
    let most = settings.trials as usize;
    let tried = ObjectTrials::new(&candidate.object, &settings.gripper, seed, most);
    let record = Record::new(
        store.fingerprint().to_owned(),
        candidate.name.clone(),
        candidate.origin.clone(),
        &candidate.object,
        &tried,
        &candidate.object_from_body,
    );
    store.write(&record)?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use nalgebra::Vector3;
    use prehend_robot::Shape;
    use prehend_sim::Part;
    use prehend_types::config::locate;

    use super::*;

    #[test]
    fn a_gripper_that_opens_too_little_is_refused_with_the_width_it_needs() {
        let path = locate("robots/grippers/franka_hand.toml").expect("shipped");
        let mut jaw = Jaw::load(&path).expect("sound");
        let block = |name: &str, side: f64| Candidate {
            name: name.to_owned(),
            group: name.to_owned(),
            origin: Origin::Library {
                family: name.to_owned(),
                number: 0,
            },
            key: 0,
            object: TableObject {
                parts: vec![Part {
                    shape: Shape::Cuboid {
                        half_extents: Vector3::repeat(0.5 * side),
                    },
                    body_from_part: Pose::identity(),
                }],
                mass: 0.1,
                friction: 0.6,
            },
            object_from_body: Pose::identity(),
        };
        let blocks = [block("large", 0.07), block("small", 0.03)];
        check_gripper(&jaw, "hand.toml", &blocks).expect("opens to 80 mm");
        jaw.max_width_m = 0.03;
        let failure = check_gripper(&jaw, "hand.toml", &blocks).expect_err("opens to 30 mm");
        let said = failure.error.to_string();
        for word in ["hand.toml", "max_width_m", "(small)", "0.0360 m or more"] {
            assert!(said.contains(word), "{said}");
        }
    }
}
