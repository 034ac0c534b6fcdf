//! Turns the bytes of an ONNX file into a yes, or a reason why not, before an engine sees them.

use tract_onnx::pb::{ValueInfoProto, tensor_shape_proto::dimension, type_proto};

use crate::gate;
use crate::manifest::{Element, GraphSpec, TensorSpec};

/// `TensorProto.DataType` in the ONNX standard.
const ONNX_FLOAT: i32 = 1;
const ONNX_INT32: i32 = 6;

/// Checks that the bytes are an ONNX model that an engine may be given, keep all weights inside the file, and have
/// exactly the inputs and outputs that the manifest says.
///
/// # Errors
/// What is wrong, in words that name the node or tensor.
pub fn check_graph(bytes: &[u8], spec: &GraphSpec) -> Result<(), String> {
    let model = gate::admit(bytes)?;
    let graph = model.graph.unwrap_or_default();
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<&ValueInfoProto> = graph
        .input
        .iter()
        .filter(|input| !is_weight(&input.name))
        .collect();
    let outputs: Vec<&ValueInfoProto> = graph.output.iter().collect();
    check_side("input", &inputs, &spec.inputs)?;
    check_side("output", &outputs, &spec.outputs)?;
    gate::bound(&graph)
}

fn check_side(side: &str, got: &[&ValueInfoProto], spec: &[TensorSpec]) -> Result<(), String> {
    for expected in spec {
        let Some(value) = got.iter().find(|value| value.name == expected.name) else {
            let names: Vec<&str> = got.iter().map(|value| value.name.as_str()).collect();
            return Err(format!("has no {side} {:?}, only {names:?}", expected.name));
        };
        let Some(type_proto::Value::TensorType(tensor)) =
            value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        else {
            return Err(format!("{side} {:?} is not a tensor", expected.name));
        };
        let (element, called) = match expected.element {
            Element::Float => (ONNX_FLOAT, "f32"),
            Element::Index => (ONNX_INT32, "i32"),
        };
        if tensor.elem_type != element {
            return Err(format!(
                "{side} {:?} has ONNX element type {}, expected {element} ({called})",
                expected.name, tensor.elem_type
            ));
        }
        // A dimension without a number could be any at run time.
        let dims: Vec<Option<i64>> = tensor
            .shape
            .iter()
            .flat_map(|shape| &shape.dim)
            .map(|dim| match dim.value {
                Some(dimension::Value::DimValue(size)) => Some(size),
                _ => None,
            })
            .collect();
        let wanted = expected.shape.iter();
        let fits = dims
            .iter()
            .copied()
            .eq(wanted.map(|size| i64::try_from(*size).ok()));
        if !fits {
            return Err(format!(
                "{side} {:?} has shape {dims:?}, expected {:?}",
                expected.name, expected.shape
            ));
        }
    }
    if got.len() != spec.len() {
        let names: Vec<&str> = got.iter().map(|value| value.name.as_str()).collect();
        return Err(format!(
            "has {} {side}s {names:?}, expected {}",
            got.len(),
            spec.len()
        ));
    }
    Ok(())
}

/// The first line of a message that may go on for pages.
pub(crate) fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}
