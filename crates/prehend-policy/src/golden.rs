//! Turns `golden.json` into inputs with known outputs: what is deployed must equal what was trained.

use serde::{Deserialize, Serialize};

use crate::inputs::{N_PROPRIO, PolicyInputs};
use crate::manifest::Manifest;

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

    /// Whether there is a case and every array has the length that the manifest says.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), String> {
        if self.cases.is_empty() {
            return Err("has no cases; at least one is needed".into());
        }
        let n_rows = 3 * manifest.observation.n_points;
        let n_out = 7 * manifest.action.chunk;
        for (index, case) in self.cases.iter().enumerate() {
            for (name, values, expected) in [
                ("points", &case.points, n_rows),
                ("roles", &case.roles, n_rows),
                ("noise", &case.noise, n_out),
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
