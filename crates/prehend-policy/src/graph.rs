//! Turns the bytes of an ONNX file into a yes, or a reason why not, before an engine sees them.

use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataLocation,
    tensor_shape_proto::dimension, type_proto,
};
use tract_onnx::prelude::Framework;

use crate::manifest::{Element, GraphSpec, TensorSpec};

/// `TensorProto.DataType` in the ONNX standard.
const ONNX_FLOAT: i32 = 1;
const ONNX_INT32: i32 = 6;

/// Checks that the bytes are an ONNX model, keep all weights inside the file, and have exactly the
/// inputs and outputs that the manifest says.
///
/// # Errors
/// What is wrong, in words that name the tensor.
pub fn check_graph(bytes: &[u8], spec: &GraphSpec) -> Result<(), String> {
    let model: ModelProto = tract_onnx::onnx()
        .proto_model_for_read(&mut { bytes })
        .map_err(|e| format!("is not an ONNX model: {}", one_line(&e.to_string())))?;
    let graph = model
        .graph
        .as_ref()
        .ok_or("is not an ONNX model: it holds no graph")?;
    if graph.node.is_empty() {
        return Err("is not a usable ONNX model: its graph has no nodes".into());
    }
    // Weights in other files would be read without their hash having been checked.
    no_external_weights(graph)?;
    let is_weight = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<&ValueInfoProto> = graph
        .input
        .iter()
        .filter(|input| !is_weight(&input.name))
        .collect();
    let outputs: Vec<&ValueInfoProto> = graph.output.iter().collect();
    check_side("input", &inputs, &spec.inputs)?;
    check_side("output", &outputs, &spec.outputs)
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
        let Some(shape) = &tensor.shape else { continue };
        // A dimension without a number is decided at run time, where the output's size is checked.
        let dims: Vec<Option<i64>> = shape
            .dim
            .iter()
            .map(|dim| match dim.value {
                Some(dimension::Value::DimValue(size)) => Some(size),
                _ => None,
            })
            .collect();
        let fits = dims.len() == expected.shape.len()
            && dims
                .iter()
                .zip(&expected.shape)
                .all(|(a, b)| a.is_none_or(|a| a == *b as i64));
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

fn no_external_weights(graph: &GraphProto) -> Result<(), String> {
    graph.initializer.iter().try_for_each(is_embedded)?;
    graph.node.iter().try_for_each(node_is_embedded)
}

fn node_is_embedded(node: &NodeProto) -> Result<(), String> {
    for attribute in &node.attribute {
        attribute
            .t
            .iter()
            .chain(&attribute.tensors)
            .try_for_each(is_embedded)?;
        attribute
            .g
            .iter()
            .chain(&attribute.graphs)
            .try_for_each(no_external_weights)?;
    }
    Ok(())
}

fn is_embedded(tensor: &TensorProto) -> Result<(), String> {
    let is_external = tensor.data_location == Some(DataLocation::External as i32);
    if is_external || !tensor.external_data.is_empty() {
        return Err(format!(
            "keeps the weights {:?} in another file; export with weights embedded",
            tensor.name
        ));
    }
    Ok(())
}

/// The first line of a message that may go on for pages.
pub(crate) fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}
