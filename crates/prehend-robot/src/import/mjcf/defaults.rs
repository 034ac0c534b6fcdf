//! Default classes: values of attributes that elements leave out.

use super::element::{Attrs, Element};
use crate::RobotError;

/// Tags of actuators; their defaults share one set, as in MuJoCo.
pub(super) const ACTUATORS: [&str; 9] = [
    "general",
    "position",
    "velocity",
    "motor",
    "intvelocity",
    "damper",
    "cylinder",
    "muscle",
    "adhesion",
];

struct Class<'e> {
    name: String,
    parent: Option<usize>,
    elements: Vec<&'e Element>,
}

/// All classes of a model; the first holds what applies without a class.
pub(super) struct Defaults<'e> {
    classes: Vec<Class<'e>>,
}

impl<'e> Defaults<'e> {
    pub fn read(root: &'e Element) -> Result<Self, RobotError> {
        let mut defaults = Self {
            classes: vec![Class {
                name: "main".to_owned(),
                parent: None,
                elements: Vec::new(),
            }],
        };
        for top in root.all("default") {
            defaults.add(top, None)?;
        }
        Ok(defaults)
    }

    fn add(&mut self, element: &'e Element, parent: Option<usize>) -> Result<(), RobotError> {
        let idx = match (parent, element.get("class")) {
            // Several top-level sections, from included files, are one.
            (None, None | Some("main")) => 0,
            (Some(_), None) => {
                return Err(element.error("class", "attribute is missing; name the class"));
            }
            (_, Some(name)) => {
                if self.classes.iter().any(|class| class.name == name) {
                    return Err(element.error("class", format!("\"{name}\" is given twice")));
                }
                self.classes.push(Class {
                    name: name.to_owned(),
                    parent: parent.or(Some(0)),
                    elements: Vec::new(),
                });
                self.classes.len() - 1
            }
        };
        for child in &element.children {
            if child.tag == "default" {
                self.add(child, Some(idx))?;
            } else {
                self.classes[idx].elements.push(child);
            }
        }
        Ok(())
    }

    /// The element with its class, or else the class that its body hands down.
    pub fn of(
        &self,
        element: &'e Element,
        childclass: Option<&'e str>,
    ) -> Result<Attrs<'e>, RobotError> {
        let class = element.get("class").or(childclass);
        let mut at = match class {
            None => Some(0),
            Some(name) => {
                let found = self.classes.iter().position(|class| class.name == name);
                let message = || format!("there is no default class \"{name}\"");
                Some(found.ok_or_else(|| element.error("class", message()))?)
            }
        };
        let is_actuator = ACTUATORS.contains(&element.tag.as_str());
        let applies = |other: &Element| {
            other.tag == element.tag || is_actuator && ACTUATORS.contains(&other.tag.as_str())
        };
        let mut layers = Vec::new();
        while let Some(class) = at.and_then(|idx| self.classes.get(idx)) {
            // Later elements of a class count more.
            layers.extend(
                class
                    .elements
                    .iter()
                    .rev()
                    .copied()
                    .filter(|other| applies(other)),
            );
            at = class.parent;
        }
        Ok(Attrs { element, layers })
    }
}
