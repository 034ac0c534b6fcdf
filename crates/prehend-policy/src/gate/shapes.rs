//! How large every tensor of a graph becomes, from its inputs' sizes and its constants alone.
//!
//! A few bytes can ask an engine for terabytes: an initialiser of a name that is given twice, a broadcast of
//! a column with a row, a convolution with wide margins. So shapes are followed from node to node, and a
//! graph in which one cannot be told before it runs is refused.

use std::collections::HashMap;

use tract_onnx::pb::{
    GraphProto, NodeProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto,
};

use super::rules::{self, Operands, elements};
use super::tensors::integers;

/// Most elements of one tensor: 256 MB of f32.
pub(super) const MAX_ELEMENTS: u64 = 1 << 26;
/// Most elements of everything that nodes compute, as if it were all kept.
const MAX_TOTAL: u64 = 1 << 28;

/// What is known of the tensors that are defined so far.
#[derive(Default)]
pub(super) struct Known<'a> {
    pub shapes: HashMap<&'a str, Vec<u64>>,
    /// The numbers of those that are lists of i64 in the file.
    pub constants: HashMap<&'a str, Vec<i64>>,
}

/// Follows every node.
///
/// # Errors
/// A name that is given twice, or the first node whose result is too large or cannot be told.
pub(super) fn check(graph: &GraphProto) -> Result<(), String> {
    let mut known = Known::default();
    for tensor in &graph.initializer {
        let dims = tensor.dims.iter().map(|dim| u64::try_from(*dim));
        let shape = dims.collect::<Result<_, _>>().unwrap_or_default();
        known.define(&tensor.name, shape)?;
        if let (Some(numbers), 0..=1) = (integers(tensor), tensor.dims.len()) {
            known.constants.insert(&tensor.name, numbers);
        }
    }
    for input in &graph.input {
        let shape = declared(input)
            .ok_or_else(|| format!("input {:?} has dimensions without a number", input.name))?;
        known.define(&input.name, shape)?;
    }
    let mut total = 0_u64;
    for (index, node) in graph.node.iter().enumerate() {
        total = known
            .follow(node)
            .and_then(|n| {
                let total = total.saturating_add(n);
                (total <= MAX_TOTAL).then_some(total).ok_or_else(|| {
                    format!(
                        "up to here {total} elements are computed, at most {MAX_TOTAL} are allowed"
                    )
                })
            })
            .map_err(|reason| {
                format!(
                    "node {index}, {:?}, operator {:?}: {reason}",
                    node.name, node.op_type
                )
            })?;
    }
    Ok(())
}

impl<'a> Known<'a> {
    /// Engines differ in which of two they take.
    fn define(&mut self, name: &'a str, shape: Vec<u64>) -> Result<(), String> {
        if self.shapes.insert(name, shape).is_some() {
            return Err(format!("{name:?} is defined twice; export again"));
        }
        Ok(())
    }

    /// Adds what a node makes; how many elements that takes.
    fn follow(&mut self, node: &'a NodeProto) -> Result<u64, String> {
        let mut names: Vec<&str> = node.attribute.iter().map(|a| a.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("attribute {:?} is given twice", twice[0]));
        }
        let made = rules::apply(&Operands { node, known: self })?;
        if node.output.len() > made.shapes.len() {
            return Err(format!(
                "has {} outputs, {} can be followed; export without the others",
                node.output.len(),
                made.shapes.len()
            ));
        }
        let mut total = made.scratch;
        for (name, shape) in node.output.iter().zip(made.shapes) {
            total = total.saturating_add(elements(&shape)?);
            // An output that nobody wants has no name.
            if !name.is_empty() {
                self.define(name, shape)?;
            }
        }
        if let Some((output, numbers)) = node.output.first().zip(made.numbers) {
            self.constants.insert(output, numbers);
        }
        Ok(total)
    }
}

/// The shape that an input says it has, if it is all numbers.
fn declared(input: &ValueInfoProto) -> Option<Vec<u64>> {
    let type_proto::Value::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    let dims = tensor.shape.as_ref()?.dim.iter();
    dims.map(|dim| match dim.value {
        Some(dimension::Value::DimValue(size)) => u64::try_from(size).ok(),
        _ => None,
    })
    .collect()
}
