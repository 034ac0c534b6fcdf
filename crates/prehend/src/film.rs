//! Turns what a simulated driver's cameras saw into an animation of one episode.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use prehend_data::write_atomic;
use prehend_sim::render::{Viewpoint, gif};
use prehend_sim::{FamilySet, View, World};
use prehend_types::Stamp;

use crate::exit::Failure;
use crate::workcell::Workcell;

/// Recordings kept, so that a long run does not fill the memory.
const MAX_TAKES: usize = 16;
/// Most pictures of the animation, so that drawing them takes seconds.
const MAX_PICTURES: usize = 60;
const WIDTH: usize = 240;

/// One world from its start on.
#[derive(Debug, Default)]
struct Take {
    seed: u64,
    held_out: bool,
    last: Stamp,
    states: Vec<Vec<f32>>,
}

/// Records the states of the first episodes; drawing them waits until the run is over, because it
/// would disturb the timing.
#[derive(Debug, Clone, Default)]
pub struct Recording(Arc<Mutex<Vec<Take>>>);

impl Recording {
    /// What a driver calls whenever its cameras look.
    pub fn observer(&self) -> Box<dyn FnMut(&World) + Send> {
        let takes = Arc::clone(&self.0);
        Box::new(move |world| {
            let mut takes = takes.lock().unwrap_or_else(PoisonError::into_inner);
            let (seed, now) = (world.scene().seed, world.now());
            let goes_on = takes
                .last()
                .is_some_and(|take| take.seed == seed && take.last <= now);
            if !goes_on {
                if takes.len() >= MAX_TAKES {
                    return;
                }
                let held_out = world.episode().variant().is_held_out;
                takes.push(Take {
                    seed,
                    held_out,
                    ..Take::default()
                });
            }
            if let Some(take) = takes.last_mut() {
                take.last = now;
                take.states.push(world.state_vector());
            }
        })
    }

    /// Draws the last recording of a seed. Returns whether there was one.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn draw(
        &self,
        cell: &Workcell,
        seed: u64,
        frame_s: f64,
        path: &Path,
    ) -> Result<bool, Failure> {
        let takes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(take) = takes.iter().rfind(|take| take.seed == seed) else {
            return Ok(false);
        };
        let families = if take.held_out {
            FamilySet::HeldOut
        } else {
            FamilySet::Train
        };
        let first = take.states.first().map_or(&[][..], Vec::as_slice);
        let view = View::new(&cell.robot, &cell.scene, seed, families, first)?;
        let stride = take.states.len().div_ceil(MAX_PICTURES).max(1);
        let shown = take.states.iter().step_by(stride);
        let pictures = shown
            .map(|state| view.picture(state, Viewpoint::Cell, WIDTH))
            .collect::<Result<Vec<_>, _>>()?;
        write_atomic(path, &gif(&pictures, frame_s * stride as f64)?)?;
        Ok(true)
    }
}
