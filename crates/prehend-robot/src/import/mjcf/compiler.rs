//! `<compiler>`: how the rest of the file is to be read.

use super::element::{Attrs, Element};
use super::frame::Angles;
use crate::RobotError;
use crate::intake::{Intake, Weight};

/// Where inertias come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FromGeoms {
    Never,
    Always,
    IfMissing,
}

pub(super) struct Compiler {
    pub angles: Angles,
    /// Folder of meshes below that of the model.
    pub mesh_folder: String,
    pub strips_path: bool,
    pub auto_limits: bool,
    pub from_geoms: FromGeoms,
    /// Groups of geoms that count for inertia.
    pub groups: [f64; 2],
    pub balances_inertia: bool,
}

impl Compiler {
    /// Later sections count more, as the file is read in order.
    pub fn read(root: &Element, intake: &mut Intake) -> Result<Self, RobotError> {
        let mut out = Self {
            angles: Angles {
                unit: std::f64::consts::PI / 180.0,
                sequence: ['x', 'y', 'z'],
            },
            mesh_folder: String::new(),
            strips_path: false,
            auto_limits: true,
            from_geoms: FromGeoms::IfMissing,
            groups: [0.0, 5.0],
            balances_inertia: false,
        };
        for element in root.all("compiler") {
            out.merge(&Attrs::plain(element), intake)?;
        }
        Ok(out)
    }

    fn merge(&mut self, attrs: &Attrs, intake: &mut Intake) -> Result<(), RobotError> {
        match attrs.word("angle", &["degree", "radian"])? {
            Some(1) => self.angles.unit = 1.0,
            Some(_) => self.angles.unit = std::f64::consts::PI / 180.0,
            None => {}
        }
        if let Some(text) = attrs.text("eulerseq") {
            let letters: Vec<char> = text.chars().collect();
            let is_axis = |c: &char| "xyzXYZ".contains(*c);
            self.angles.sequence = match <[char; 3]>::try_from(letters) {
                Ok(three) if three.iter().all(is_axis) => three,
                _ => {
                    let message = format!("`{text}` is not three of x y z X Y Z");
                    return Err(attrs.error("eulerseq", message));
                }
            };
        }
        if attrs.word("coordinate", &["local", "global"])? == Some(1) {
            return Err(attrs.error(
                "coordinate",
                "global is not read; save the model with local",
            ));
        }
        for folder in ["assetdir", "meshdir"] {
            if let Some(text) = attrs.text(folder) {
                text.clone_into(&mut self.mesh_folder);
            }
        }
        self.strips_path = attrs.flag("strippath", self.strips_path)?;
        self.auto_limits = attrs.flag("autolimits", self.auto_limits)?;
        self.balances_inertia = attrs.flag("balanceinertia", self.balances_inertia)?;
        match attrs.word("inertiafromgeom", &["false", "true", "auto"])? {
            Some(0) => self.from_geoms = FromGeoms::Never,
            Some(1) => self.from_geoms = FromGeoms::Always,
            Some(_) => self.from_geoms = FromGeoms::IfMissing,
            None => {}
        }
        if let Some(groups) = attrs.array("inertiagrouprange")? {
            self.groups = groups;
        }
        for scaling in ["settotalmass", "boundmass", "boundinertia"] {
            if attrs.number(scaling, 0.0)? > 0.0 {
                let why = format!("{scaling} is not applied: masses are those of the bodies");
                intake.drop(attrs.element.dropped(Weight::Loss, why))?;
            }
        }
        Ok(())
    }

    /// Whether a range counts: said, or else because there is one.
    pub fn is_limited(&self, attrs: &Attrs, flag: &str, range: &str) -> Result<bool, RobotError> {
        Ok(match attrs.word(flag, &["false", "true", "auto"])? {
            Some(0) => false,
            Some(1) => true,
            _ => {
                if !self.auto_limits && attrs.has(range) && !attrs.has(flag) {
                    let message =
                        format!("must be given beside {range}, because autolimits is false");
                    return Err(attrs.error(flag, message));
                }
                attrs.has(range)
            }
        })
    }
}
