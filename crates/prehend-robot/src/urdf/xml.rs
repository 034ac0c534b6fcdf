//! Strict reading of XML attributes: every number finite, every vector complete.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{Translation3, UnitQuaternion, Vector3};
use prehend_types::Pose;
use roxmltree::{Document, Node, ParsingOptions};

use crate::intake::{Dropped, Weight};
use crate::{RobotError, scan};

/// Far above any real robot; bounds memory for hostile files.
pub(crate) const MAX_NODES: u32 = 200_000;
/// Far above any real robot: 1 km, 1,000 t, 1 MN.
pub(crate) const MAX_ABS: f64 = 1e6;

/// The text of one URDF with the path it came from.
pub(crate) struct Xml<'a> {
    pub path: &'a Path,
    pub document: Document<'a>,
    lines: scan::Lines,
}

impl<'a> Xml<'a> {
    pub fn parse(text: &'a str, path: &'a Path, max_depth: usize) -> Result<Self, RobotError> {
        scan::check(text, max_depth).map_err(|(line, message)| RobotError::Xml {
            path: path.to_owned(),
            line,
            message,
        })?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: MAX_NODES,
            ..ParsingOptions::default()
        };
        let document =
            Document::parse_with_options(text, options).map_err(|error| RobotError::Xml {
                path: path.to_owned(),
                line: error.pos().row,
                message: error.to_string(),
            })?;
        let lines = scan::Lines::new(text);
        Ok(Self {
            path,
            document,
            lines,
        })
    }

    pub fn error(&self, node: Node, field: &str, message: impl Into<String>) -> RobotError {
        RobotError::Urdf {
            path: self.path.to_owned(),
            line: self.line(node),
            element: describe(node),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    pub fn line(&self, node: Node) -> u32 {
        self.lines.line(node.range().start)
    }

    pub fn dropped(&self, node: Node, weight: Weight, why: impl Into<String>) -> Dropped {
        Dropped {
            file: self.path.to_owned(),
            line: self.line(node),
            element: describe(node),
            why: why.into(),
            weight,
        }
    }

    pub fn place(&self, node: Node) -> Place {
        Place {
            path: self.path.into(),
            line: self.line(node),
            element: describe(node),
        }
    }

    /// The only child of this name; a second one is an error, because readers differ on which counts.
    pub fn child<'n>(
        &self,
        node: Node<'n, 'a>,
        name: &str,
    ) -> Result<Option<Node<'n, 'a>>, RobotError> {
        let mut found = node.children().filter(|child| child.has_tag_name(name));
        let first = found.next();
        match found.next() {
            Some(second) => Err(self.error(second, name, "given twice; keep one")),
            None => Ok(first),
        }
    }

    pub fn required_child<'n>(
        &self,
        node: Node<'n, 'a>,
        name: &str,
        remedy: &str,
    ) -> Result<Node<'n, 'a>, RobotError> {
        self.child(node, name)?
            .ok_or_else(|| self.error(node, &format!("<{name}>"), format!("missing; {remedy}")))
    }

    pub fn text(&self, node: Node<'_, 'a>, name: &str) -> Result<String, RobotError> {
        match node.attribute(name).map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            Some(_) => Err(self.error(node, name, "is empty")),
            None => Err(self.error(node, name, "attribute is missing")),
        }
    }

    pub fn number(&self, node: Node<'_, 'a>, name: &str) -> Result<f64, RobotError> {
        let text = self.text(node, name)?;
        self.parse_number(node, name, &text)
    }

    pub fn number_or(
        &self,
        node: Node<'_, 'a>,
        name: &str,
        default: f64,
    ) -> Result<f64, RobotError> {
        if node.has_attribute(name) {
            self.number(node, name)
        } else {
            Ok(default)
        }
    }

    pub fn positive(&self, node: Node<'_, 'a>, name: &str) -> Result<f64, RobotError> {
        let value = self.number(node, name)?;
        if value > 0.0 {
            return Ok(value);
        }
        Err(self.error(node, name, format!("is {value}, must be greater than 0")))
    }

    pub fn vector(&self, node: Node<'_, 'a>, name: &str) -> Result<Vector3<f64>, RobotError> {
        let text = self.text(node, name)?;
        let mut out = Vector3::zeros();
        let mut count = 0;
        for token in text.split_whitespace() {
            let value = self.parse_number(node, name, token)?;
            if let Some(slot) = out.as_mut_slice().get_mut(count) {
                *slot = value;
            }
            count += 1;
        }
        if count == 3 {
            return Ok(out);
        }
        Err(self.error(node, name, format!("has {count} numbers, needs 3")))
    }

    /// The `<origin>` child as a pose; identity if there is none. `rpy` is Rz(yaw) Ry(pitch) Rx(roll).
    pub fn origin(&self, node: Node<'_, 'a>) -> Result<Pose, RobotError> {
        let Some(origin) = self.child(node, "origin")? else {
            return Ok(Pose::identity());
        };
        let part = |name| {
            if origin.has_attribute(name) {
                self.vector(origin, name)
            } else {
                Ok(Vector3::zeros())
            }
        };
        let (xyz, rpy) = (part("xyz")?, part("rpy")?);
        Ok(Pose::from_parts(
            Translation3::from(xyz),
            UnitQuaternion::from_euler_angles(rpy.x, rpy.y, rpy.z),
        ))
    }

    fn parse_number(&self, node: Node, name: &str, token: &str) -> Result<f64, RobotError> {
        number(token).map_err(|message| self.error(node, name, message))
    }
}

/// A finite decimal of at most [`MAX_ABS`], or what is wrong with it.
pub(crate) fn number(token: &str) -> Result<f64, String> {
    let shown: String = token.chars().take(40).collect();
    match token.parse::<f64>() {
        Ok(value) if value.is_finite() && value.abs() <= MAX_ABS => Ok(value),
        Ok(_) => Err(format!(
            "`{shown}` is not a usable number; write a finite decimal of at most {MAX_ABS:e}"
        )),
        Err(_) => Err(format!(
            "`{shown}` is not a number; write a decimal such as 0.25"
        )),
    }
}

/// Where something stood in the file, kept for errors that are found later.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub path: Arc<Path>,
    pub line: u32,
    pub element: String,
}

impl Place {
    pub fn dropped(&self, weight: Weight, why: impl Into<String>) -> Dropped {
        Dropped {
            file: self.path.to_path_buf(),
            line: self.line,
            element: self.element.clone(),
            why: why.into(),
            weight,
        }
    }

    pub fn error(&self, field: &str, message: impl Into<String>) -> RobotError {
        RobotError::Urdf {
            path: self.path.to_path_buf(),
            line: self.line,
            element: self.element.clone(),
            field: field.to_owned(),
            message: message.into(),
        }
    }
}

/// `link "fr3_link1" <inertia>`: the nearest named ancestor, then the element itself.
fn describe(node: Node) -> String {
    const OWNERS: [&str; 6] = ["link", "joint", "robot", "body", "mesh", "key"];
    let tag = node.tag_name().name();
    let named = node
        .ancestors()
        .filter(|n| OWNERS.contains(&n.tag_name().name()))
        .find_map(|n| Some((n, n.attribute("name")?)));
    let own = match node.attribute("name") {
        Some(name) => format!(" \"{name}\""),
        None => String::new(),
    };
    match named {
        Some((owner, name)) if owner == node => format!("{tag} \"{name}\""),
        Some((owner, name)) => format!("{} \"{name}\" <{tag}>{own}", owner.tag_name().name()),
        None => format!("<{tag}>{own}"),
    }
}
