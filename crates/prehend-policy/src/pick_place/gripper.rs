//! Which grippers a network can be for, and which one it is for.

use std::path::Path;

use prehend_robot::Jaw;
use prehend_types::config::{ConfigError, require};
use prehend_types::{N_WIDTHS, WIDTH_CLASS_M};

use super::bundle::SceneManifest;
use crate::error::BundleError;

/// Refuses a gripper that opens wider than the network's classes of width reach: it would grasp wide things
/// as if they were narrower. `file` is named in errors.
///
/// # Errors
/// [`ConfigError::Value`].
pub fn check_jaw_width(jaw: &Jaw, file: &Path) -> Result<(), ConfigError> {
    let most = N_WIDTHS as f64 * WIDTH_CLASS_M;
    require(
        jaw.max_width_m <= most + 1e-9,
        file,
        "max_width_m",
        format!(
            "is {}, the network tells widths up to {most:.3} m apart: give a gripper that opens less, or \
             one limited to that",
            jaw.max_width_m
        ),
    )
}

impl SceneManifest {
    /// Refuses another gripper than the one that the network was trained for. `file` is where it was read
    /// from.
    ///
    /// # Errors
    /// [`BundleError::WrongGripper`], or [`BundleError::Manifest`] if it opens too wide for any network.
    pub fn check_jaw(&self, jaw: &Jaw, file: &Path) -> Result<(), BundleError> {
        check_jaw_width(jaw, file)?;
        let refuse = |what: &'static str| {
            Err(BundleError::WrongGripper {
                bundle: self.name.clone(),
                expected: self.gripper.clone(),
                file: file.to_owned(),
                name: jaw.name.clone(),
                what,
            })
        };
        if self.gripper != jaw.name {
            return refuse("another gripper");
        }
        let fingerprint = self.gripper_fingerprint.as_ref();
        if fingerprint.is_some_and(|expected| *expected != jaw.fingerprint()) {
            return refuse("one of other sizes or force");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prehend_types::config::locate;

    use super::super::SceneBundle;
    use super::*;

    #[test]
    fn only_the_gripper_that_a_network_is_for_is_taken() {
        let bundle = SceneBundle::load(&locate("models/pick-place").expect("shipped"));
        let mut manifest = bundle.expect("sound").manifest;
        let file = locate("robots/grippers/franka_hand.toml").expect("shipped");
        let jaw = Jaw::load(&file).expect("sound");
        let said = |manifest: &SceneManifest, jaw: &Jaw| {
            let refused = manifest.check_jaw(jaw, &file);
            refused.map_or_else(|error| error.to_string(), |()| "fine".to_owned())
        };
        // It only names its gripper, as all did before.
        assert_eq!(said(&manifest, &jaw), "fine");
        manifest.gripper_fingerprint = Some(jaw.fingerprint());
        assert_eq!(said(&manifest, &jaw), "fine");
        let mut other = jaw.clone();
        other.pad.size_m[0] += 0.002;
        assert!(said(&manifest, &other).contains("other sizes"));
        other = jaw.clone();
        other.name = "another".to_owned();
        assert!(said(&manifest, &other).contains("\"another\""));
        other = jaw.clone();
        other.max_width_m = 0.1;
        assert!(said(&manifest, &other).contains("max_width_m"));
    }
}
