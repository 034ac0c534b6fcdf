//! Elements of an MJCF file with its includes spliced in, and strict reading of their attributes.

use std::path::PathBuf;

use nalgebra::Vector3;
use roxmltree::Node;

use crate::intake::{Dropped, Intake, Weight};
use crate::robot::MAX_URDF_BYTES;
use crate::scan::MAX_DEPTH;
use crate::urdf::xml::{MAX_NODES, Place, Xml, number};
use crate::{RobotError, files};

/// Files that one model may consist of.
const MAX_FILES: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Element {
    pub tag: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Element>,
    pub place: Place,
}

/// Reads a document and everything that it includes.
pub(super) struct Loader<'a> {
    intake: &'a Intake,
    files: Vec<PathBuf>,
    n_elements: u32,
    /// Elements that are open, in all files that are.
    depth: usize,
}

impl<'a> Loader<'a> {
    pub fn new(intake: &'a Intake, main: &std::path::Path) -> Self {
        Self {
            intake,
            files: std::fs::canonicalize(main).into_iter().collect(),
            n_elements: 0,
            depth: 0,
        }
    }

    /// The element with all below it. Recursion is bounded: included files are as deep as where they
    /// stand and what they hold together.
    pub fn element(&mut self, xml: &Xml, node: Node) -> Result<Element, RobotError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!(
                "elements are nested deeper than {MAX_DEPTH} through includes; no robot is"
            );
            return Err(xml.error(node, "depth", message));
        }
        self.n_elements += 1;
        if self.n_elements > MAX_NODES {
            return Err(xml.error(node, "size", format!("more than {MAX_NODES} elements")));
        }
        let mut children = Vec::new();
        for child in node.children().filter(Node::is_element) {
            if child.has_tag_name("include") {
                self.include(xml, child, &mut children)?;
            } else {
                children.push(self.element(xml, child)?);
            }
        }
        self.depth -= 1;
        let attributes = node.attributes();
        Ok(Element {
            tag: node.tag_name().name().to_owned(),
            attributes: attributes
                .map(|a| (a.name().to_owned(), a.value().trim().to_owned()))
                .collect(),
            children,
            place: xml.place(node),
        })
    }

    fn include(
        &mut self,
        xml: &Xml,
        node: Node,
        children: &mut Vec<Element>,
    ) -> Result<(), RobotError> {
        let name = xml.text(node, "file")?;
        let refuse = |message: String| xml.error(node, "file", message);
        let path = self.intake.roots.find(&name, "", "model").map_err(refuse)?;
        if self.files.contains(&path) {
            return Err(refuse(format!(
                "\"{name}\" is included twice, or includes itself"
            )));
        }
        if self.files.len() >= MAX_FILES {
            return Err(refuse(format!("more than {MAX_FILES} files")));
        }
        self.files.push(path.clone());
        let text = files::read_text(&path, MAX_URDF_BYTES)?;
        let included = Xml::parse(&text, &path, MAX_DEPTH)?;
        let root = included.document.root_element();
        if !["mujoco", "mujocoinclude"].contains(&root.tag_name().name()) {
            return Err(included.error(root, "root", "an included file's root is <mujoco>"));
        }
        children.extend(self.element(&included, root)?.children);
        Ok(())
    }
}

impl Element {
    pub fn error(&self, field: &str, message: impl Into<String>) -> RobotError {
        self.place.error(field, message)
    }

    pub fn dropped(&self, weight: Weight, why: impl Into<String>) -> Dropped {
        self.place.dropped(weight, why)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Children of one name.
    pub fn all<'e>(&'e self, tag: &'static str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.tag == tag)
    }
}

/// An element with the defaults that apply to it, nearest first.
#[derive(Clone)]
pub(super) struct Attrs<'e> {
    pub element: &'e Element,
    pub layers: Vec<&'e Element>,
}

impl<'e> Attrs<'e> {
    /// Without defaults.
    pub fn plain(element: &'e Element) -> Self {
        Self {
            element,
            layers: Vec::new(),
        }
    }

    /// Value and the element that it stands in.
    fn find(&self, name: &str) -> Option<(&'e str, &'e Element)> {
        let layers = [self.element]
            .into_iter()
            .chain(self.layers.iter().copied());
        layers
            .filter_map(|element| Some((element.get(name)?, element)))
            .next()
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn text(&self, name: &str) -> Option<&'e str> {
        self.find(name).map(|(value, _)| value)
    }

    pub fn required(&self, name: &str) -> Result<&'e str, RobotError> {
        match self.text(name) {
            Some("") => Err(self.element.error(name, "is empty")),
            Some(text) => Ok(text),
            None => Err(self.element.error(name, "attribute is missing")),
        }
    }

    /// One of some words, by its index.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<usize>, RobotError> {
        let Some((text, element)) = self.find(name) else {
            return Ok(None);
        };
        let found = words.iter().position(|word| *word == text);
        let message = || format!("`{text}` is not one of {words:?}");
        found
            .map(Some)
            .ok_or_else(|| element.error(name, message()))
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, RobotError> {
        let found = self.word(name, &["false", "true"])?;
        Ok(found.map_or(default, |word| word == 1))
    }

    /// All numbers of an attribute; empty if it is missing.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, RobotError> {
        let Some((text, element)) = self.find(name) else {
            return Ok(Vec::new());
        };
        let words = text.split_ascii_whitespace();
        words
            .map(|word| number(word).map_err(|message| element.error(name, message)))
            .collect()
    }

    /// Exactly `N` numbers.
    pub fn array<const N: usize>(&self, name: &str) -> Result<Option<[f64; N]>, RobotError> {
        if !self.has(name) {
            return Ok(None);
        }
        let numbers = self.numbers(name)?;
        let count = numbers.len();
        let array = numbers.try_into().map_err(|_| {
            let place = self.find(name).map_or(self.element, |(_, element)| element);
            place.error(name, format!("has {count} numbers, needs {N}"))
        })?;
        Ok(Some(array))
    }

    pub fn vector(&self, name: &str) -> Result<Option<Vector3<f64>>, RobotError> {
        Ok(self.array::<3>(name)?.map(Vector3::from))
    }

    pub fn number(&self, name: &str, default: f64) -> Result<f64, RobotError> {
        Ok(self.array::<1>(name)?.map_or(default, |[value]| value))
    }

    pub fn not_negative(&self, name: &str, default: f64) -> Result<f64, RobotError> {
        let value = self.number(name, default)?;
        if value >= 0.0 {
            return Ok(value);
        }
        Err(self.error(name, format!("is {value}, must be at least 0")))
    }

    /// An error at the element where the attribute stands, which may be a default.
    pub fn error(&self, name: &str, message: impl Into<String>) -> RobotError {
        let place = self.find(name).map_or(self.element, |(_, element)| element);
        place.error(name, message)
    }
}
