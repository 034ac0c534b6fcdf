//! Turns `golden.json` into inputs with known outputs: what is deployed must equal what was trained.

use serde::{Deserialize, Serialize};

use crate::inputs::{N_PROPRIO, PolicyInputs};
use crate::manifest::{ActionSpace, Manifest, N_COMMITTED};

/// Outputs that differ by less are the same, m, rad, opening.
const SAME: f32 = 1e-6;
/// Share of a bound from which an action counts as at it.
const AT_BOUND: f64 = 0.999;

/// One observation's tensors and the actions that the trained network gave for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenCase {
    /// `[n_points, 3]` row by row, m.
    pub points: Vec<f32>,
    /// `[n_points, 3]` row by row.
    pub roles: Vec<f32>,
    /// `[12]`.
    pub proprio: [f32; N_PROPRIO],
    /// `[chunk, 7]` row by row.
    pub noise: Vec<f32>,
    /// `[chunk, 8]` row by row, for a graph that takes committed actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<f32>,
    /// `[chunk, 7]` row by row: the expected output, m, rad, opening.
    pub actions: Vec<f32>,
}

impl GoldenCase {
    /// The case's inputs, without its noise.
    #[must_use]
    pub fn inputs(&self) -> PolicyInputs {
        PolicyInputs {
            points: self.points.clone(),
            roles: self.roles.clone(),
            proprio: self.proprio,
            committed: self.committed.clone(),
        }
    }

    /// Largest absolute difference to `actions`; infinite if a number is not finite.
    #[must_use]
    pub fn difference(&self, actions: &[f32]) -> f32 {
        let differences = self.actions.iter().zip(actions).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, |worst, d| {
            if d.is_finite() {
                d.max(worst)
            } else {
                f32::INFINITY
            }
        })
    }
}

/// All golden cases of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenFile {
    /// At least one.
    pub cases: Vec<GoldenCase>,
}

impl GoldenFile {
    /// Parses and checks against the manifest's shapes.
    pub(crate) fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Self, String> {
        let file: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        file.check(manifest)?;
        Ok(file)
    }

    /// What is odd about outputs that are as they should be: the same whatever is seen, or mostly at the bounds.
    pub(crate) fn oddities(&self, action: &ActionSpace) -> Vec<String> {
        let mut odd = Vec::new();
        if let [first, rest @ ..] = self.cases.as_slice()
            && !rest.is_empty()
            && rest
                .iter()
                .all(|case| case.difference(&first.actions) < SAME)
        {
            let n = self.cases.len();
            odd.push(format!("gives the same actions for all {n} golden inputs"));
        }
        let norm = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
        let is_saturated = |row: &[f32]| {
            norm(&row[..3]) >= AT_BOUND * action.max_translation_m
                || norm(&row[3..6]) >= AT_BOUND * action.max_rotation_rad
        };
        let rows = self
            .cases
            .iter()
            .flat_map(|case| case.actions.chunks_exact(7));
        let (n, n_saturated) = rows.fold((0, 0), |(n, saturated), row| {
            (n + 1, saturated + usize::from(is_saturated(row)))
        });
        if 2 * n_saturated > n {
            odd.push(format!(
                "is at its bounds in {n_saturated} of {n} golden actions"
            ));
        }
        odd
    }

    /// Whether there is a case and every array has the length that the manifest says.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), String> {
        if self.cases.is_empty() {
            return Err("has no cases; at least one is needed".into());
        }
        let n_rows = 3 * manifest.observation.n_points;
        let n_out = 7 * manifest.action.chunk;
        let n_committed = match manifest.action.max_committed {
            0 => 0,
            _ => N_COMMITTED * manifest.action.chunk,
        };
        for (index, case) in self.cases.iter().enumerate() {
            for (name, values, expected) in [
                ("points", &case.points, n_rows),
                ("roles", &case.roles, n_rows),
                ("noise", &case.noise, n_out),
                ("committed", &case.committed, n_committed),
                ("actions", &case.actions, n_out),
            ] {
                if values.len() != expected {
                    return Err(format!(
                        "case {index}: `{name}` has {} numbers, expected {expected}",
                        values.len()
                    ));
                }
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(format!("case {index}: `{name}` holds a non-finite number"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oddities(actions: impl Fn(usize) -> f32) -> Vec<String> {
        let case = |index| GoldenCase {
            points: Vec::new(),
            roles: Vec::new(),
            proprio: [0.0; N_PROPRIO],
            noise: Vec::new(),
            committed: Vec::new(),
            actions: vec![actions(index); 56],
        };
        let cases = (0..3).map(case).collect();
        let action = ActionSpace {
            frame: "tool".to_owned(),
            dt_s: 0.05,
            chunk: 8,
            n_action_steps: 4,
            max_translation_m: 0.06,
            max_rotation_rad: 0.4,
            max_committed: 0,
        };
        GoldenFile { cases }.oddities(&action)
    }

    #[test]
    fn outputs_that_never_change_or_are_at_their_bounds_are_odd() {
        assert!(oddities(|index| 0.001 * index as f32).is_empty());
        let constant = oddities(|_| 0.001);
        assert!(
            constant.len() == 1 && constant[0].contains("same actions"),
            "{constant:?}"
        );
        let saturated = oddities(|index| 0.06 + 0.01 * index as f32);
        assert!(
            saturated.len() == 1 && saturated[0].contains("24 of 24"),
            "{saturated:?}"
        );
    }
}
