//! Training windows in memory: one observation and the actions that followed.

use prehend_nets::{ACTION_DIM, ActionScale, N_ROLES};
use prehend_policy::PolicyInputs;
use prehend_types::Action;
use serde::{Deserialize, Serialize};

/// Step of the stored coordinates, m: far below any camera's noise, and 16 bits reach 1.6 m.
const QUANTUM_M: f32 = 5e-5;
/// Smallest half-width of an action's column, so that a column without spread does not explode.
const LEAST_SPREAD: f32 = 1e-3;

/// One observation, packed, and the chunk of actions from it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Points sorted by role, in steps of 50 µm, base frame.
    points: Vec<[i16; 3]>,
    /// How many of them are target, receptacle, other.
    counts: [u16; N_ROLES],
    /// `[12]`, as the graph gets it.
    pub proprio: [f32; 12],
    /// `[chunk]` actions: m, rad, opening.
    pub actions: Vec<[f32; ACTION_DIM]>,
}

impl Window {
    /// Packs an observation. Rows without a role are padding and left out.
    #[must_use]
    pub fn new(inputs: &PolicyInputs, actions: &[Action]) -> Self {
        let mut points = Vec::new();
        let mut counts = [0; N_ROLES];
        let rows = || {
            inputs
                .points
                .chunks_exact(3)
                .zip(inputs.roles.chunks_exact(N_ROLES))
        };
        for (role, count) in counts.iter_mut().enumerate() {
            for (point, _) in rows().filter(|(_, roles)| roles[role] > 0.5) {
                let steps = |axis: usize| (point[axis] / QUANTUM_M).round() as i16;
                points.push([steps(0), steps(1), steps(2)]);
                *count += 1;
            }
        }
        Self {
            points,
            counts,
            proprio: inputs.proprio,
            actions: actions.iter().map(to_row).collect(),
        }
    }

    /// The points of one role, m.
    pub(crate) fn points_of(&self, role: usize) -> impl ExactSizeIterator<Item = [f32; 3]> + '_ {
        let start: usize = self.counts[..role].iter().map(|n| usize::from(*n)).sum();
        let end = (start + usize::from(self.counts[role])).min(self.points.len());
        self.points[start.min(end)..end]
            .iter()
            .map(|p| p.map(|v| f32::from(v) * QUANTUM_M))
    }
}

/// An action as a row of the graph's output.
pub(crate) fn to_row(action: &Action) -> [f32; ACTION_DIM] {
    let (t, r) = (action.translation, action.rotation);
    [t.x, t.y, t.z, r.x, r.y, r.z, action.gripper].map(|v| v as f32)
}

/// Everything one training run learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSet {
    /// Name and digest of the episodes, for provenance.
    pub origin: String,
    /// Windows for training.
    pub training: Vec<Window>,
    /// Windows of other episodes, for validation.
    pub validation: Vec<Window>,
}

impl WindowSet {
    /// Middle and spread of each action column: the 1 % and 99 % quantiles become -1 and 1.
    #[must_use]
    pub fn action_scale(&self) -> ActionScale {
        let mut scale = ActionScale::default();
        for column in 0..ACTION_DIM {
            let mut values: Vec<f64> = self
                .training
                .iter()
                .flat_map(|window| window.actions.iter().map(|row| f64::from(row[column])))
                .collect();
            values.sort_unstable_by(f64::total_cmp);
            let at = |q| prehend_types::stats::quantile(&values, q).unwrap_or(0.0) as f32;
            let (low, high) = (at(0.01), at(0.99));
            scale.centre[column] = 0.5 * (low + high);
            scale.spread[column] = (0.5 * (high - low)).max(LEAST_SPREAD);
        }
        scale
    }
}
