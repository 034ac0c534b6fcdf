//! A parallel gripper alone, as grasp planning needs it: how wide it opens and where its boxes are.

use std::path::Path;

use nalgebra::{Translation3, Vector3};
use prehend_types::Pose;
use prehend_types::config::{self, ConfigError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{LinkShape, Shape};

/// A parallel gripper. Frame `tool`: origin between the centres of the pads, y the direction in which
/// they close, z out of the hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jaw {
    /// Its name.
    pub name: String,
    /// Distance between the pads when fully open, m.
    pub max_width_m: f64,
    /// Grasping force, N.
    pub force_n: f64,
    /// Points whose mean distance tells two grasps apart, tool frame, m.
    pub control_points_m: [[f64; 3]; 5],
    /// Boxes that do not move.
    pub palm: Vec<JawBox>,
    /// The part of the finger at +y that touches objects, with the gripper shut.
    pub pad: JawBox,
    /// The rest of the finger at +y, with the gripper shut.
    pub finger: Vec<JawBox>,
}

/// A box along the axes of the tool frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JawBox {
    /// Its centre, m.
    pub center_m: [f64; 3],
    /// Its whole size, m.
    pub size_m: [f64; 3],
}

impl JawBox {
    /// The box moved by `y` along the closing direction, mirrored first if `is_mirrored`.
    #[must_use]
    pub fn placed(&self, y: f64, is_mirrored: bool) -> LinkShape {
        let [x, own_y, z] = self.center_m;
        let sign = if is_mirrored { -1.0 } else { 1.0 };
        LinkShape {
            link_from_shape: Pose::from_parts(
                Translation3::new(x, sign * (own_y + y), z),
                nalgebra::UnitQuaternion::identity(),
            ),
            shape: Shape::Cuboid {
                half_extents: Vector3::from(self.size_m) * 0.5,
            },
        }
    }
}

impl Jaw {
    /// Reads and checks a gripper's file.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, line or field.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let jaw: Self = config::load(path)?;
        jaw.check(path)?;
        Ok(jaw)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let need = |holds: bool, field: &str, message: String| {
            config::require(holds, path, field, message)
        };
        need(
            config::is_plain_name(&self.name),
            "name",
            format!(
                "is {:?}, must be 1 to 64 of a-z, A-Z, 0-9, _ or -",
                self.name
            ),
        )?;
        need(
            (0.005..=0.5).contains(&self.max_width_m),
            "max_width_m",
            format!(
                "is {}, needs 0.005 to 0.5: a gripper that opens less grasps nothing",
                self.max_width_m
            ),
        )?;
        need(
            (0.1..=1000.0).contains(&self.force_n),
            "force_n",
            format!("is {}, needs 0.1 to 1000", self.force_n),
        )?;
        need(
            self.control_points_m
                .iter()
                .flatten()
                .all(|v| v.abs() < 1.0),
            "control_points_m",
            "needs finite coordinates under 1 m".to_owned(),
        )?;
        need(
            !self.palm.is_empty(),
            "palm",
            "needs at least one `[[palm]]`".to_owned(),
        )?;
        let boxes = self.palm.iter().chain(&self.finger).chain([&self.pad]);
        for part in boxes {
            need(
                part.center_m.iter().all(|v| v.abs() < 1.0)
                    && part.size_m.iter().all(|v| *v > 0.0 && *v < 1.0),
                "palm, pad, finger",
                format!("a box {part:?} needs a finite centre and a size above 0, both under 1 m"),
            )?;
        }
        let [_, y, _] = self.pad.center_m;
        let inner = y - 0.5 * self.pad.size_m[1];
        need(
            inner.abs() < 2e-3,
            "pad.center_m",
            format!("a shut gripper's pads meet at y = 0, this one's face is at {inner:.4} m"),
        )
    }

    /// Every box in the tool frame with the pads `width` apart: palm, then both fingers with their pads.
    #[must_use]
    pub fn boxes(&self, width: f64) -> Vec<LinkShape> {
        let palm = self.palm.iter().map(|part| part.placed(0.0, false));
        let fingers = [false, true].into_iter().flat_map(|is_mirrored| {
            let parts = std::iter::once(&self.pad).chain(&self.finger);
            parts.map(move |part| part.placed(0.5 * width, is_mirrored))
        });
        palm.chain(fingers).collect()
    }

    /// Digest of everything here, 64 hexadecimal digits: labels and networks made for one gripper are for
    /// no other of the same name.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Self {
            name,
            max_width_m,
            force_n,
            control_points_m,
            palm,
            pad,
            finger,
        } = self;
        let mut digest = Sha256::new();
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        let mut add = |values: &[f64]| {
            digest.update((values.len() as u64).to_le_bytes());
            for value in values {
                digest.update(value.to_le_bytes());
            }
        };
        add(&[*max_width_m, *force_n]);
        add(control_points_m.as_flattened());
        for boxes in [palm.as_slice(), std::slice::from_ref(pad), finger] {
            let sides = |part: &JawBox| [part.center_m, part.size_m];
            let numbers: Vec<[f64; 3]> = boxes.iter().flat_map(sides).collect();
            add(numbers.as_flattened());
        }
        format!("{:x}", digest.finalize())
    }

    /// How far the pads reach beyond the tool's origin, m.
    #[must_use]
    pub fn tip(&self) -> f64 {
        self.pad.center_m[2] + 0.5 * self.pad.size_m[2]
    }

    /// How far the tool may stand back from what the pads touch, nearest first, m: at the last one they
    /// touch with the outer half of their tips.
    #[must_use]
    pub fn retreats(&self) -> [f64; 3] {
        [0.0, 0.3, 0.55].map(|share| share * self.tip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_grippers_load_and_open() {
        for name in ["franka_hand", "so101_jaw"] {
            let path = config::locate(format!("robots/grippers/{name}.toml")).expect("shipped");
            let jaw = Jaw::load(&path).expect("sound");
            assert_eq!(jaw.name, name);
            let inner = |width: f64| {
                let boxes = jaw.boxes(width);
                let pad = &boxes[jaw.palm.len()];
                pad.extent(&Pose::identity(), &Vector3::y())[0]
            };
            assert!(inner(0.0).abs() < 1e-3);
            assert!((inner(0.04) - inner(0.0) - 0.02).abs() < 1e-12);
        }
    }

    #[test]
    fn any_change_shows_in_the_fingerprint() {
        let path = config::locate("robots/grippers/franka_hand.toml").expect("shipped");
        let jaw = Jaw::load(&path).expect("sound");
        assert_eq!(jaw.fingerprint(), jaw.clone().fingerprint());
        let changes: [fn(&mut Jaw); 6] = [
            |jaw| jaw.name.push('2'),
            |jaw| jaw.max_width_m = 0.07,
            |jaw| jaw.control_points_m[4][2] += 0.001,
            |jaw| jaw.palm[0].size_m[0] += 0.001,
            |jaw| jaw.pad.center_m[2] += 0.001,
            // The same boxes, one of them counted as another part.
            |jaw| jaw.finger.insert(0, jaw.pad),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = jaw.clone();
            change(&mut other);
            assert_ne!(jaw.fingerprint(), other.fingerprint(), "change {index}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let path = config::locate("robots/grippers/franka_hand.toml").expect("shipped");
        let mut jaw = Jaw::load(&path).expect("sound");
        jaw.name = "../fr3".to_owned();
        let error = jaw.check(&path).expect_err("no plain name").to_string();
        assert!(error.contains("`name`"), "{error}");
    }

    #[test]
    fn a_gripper_that_cannot_open_is_refused() {
        let path = config::locate("robots/grippers/franka_hand.toml").expect("shipped");
        let mut jaw = Jaw::load(&path).expect("sound");
        jaw.max_width_m = 0.001;
        let error = jaw.check(&path).expect_err("opens 1 mm").to_string();
        assert!(error.contains("max_width_m"), "{error}");
    }
}
