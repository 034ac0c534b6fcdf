//! Turns the bytes of an ONNX file into a decoded model, or a reason why no engine may see them.
//!
//! A matching hash says that a file is the one that was exported, not that it is harmless. So four things
//! are looked at before any engine, and the first before anything is decoded:
//!
//! 1. [`wire`]: the file is protobuf that holds only fields which are known here, few and short enough;
//! 2. [`ops`]: one operator set, and operators that compute what a network computes, in the default domain;
//! 3. [`tensors`]: weights are as large as they say, and are in the file;
//! 4. [`shapes`]: names are given once, and everything that is computed has a known size that is not too large.

mod ops;
mod rules;
mod shapes;
mod tensors;
mod wire;

use tract_onnx::pb::{GraphProto, ModelProto};
use tract_onnx::prelude::Framework;

use crate::graph::one_line;

/// Largest graph: sixteen times the largest that is shipped.
pub(crate) const MAX_GRAPH_BYTES: u64 = 64 << 20;

/// How formats that are no ONNX begin, and what to call them.
const OTHERS: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a zip archive (PyTorch's .pt, or .npz)"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x89HDF", "an HDF5 file"),
];

/// Checks how large everything becomes that a graph computes. Its inputs must have sizes.
///
/// # Errors
/// The name that is given twice, or the node whose result is too large or cannot be told.
pub(crate) fn bound(graph: &GraphProto) -> Result<(), String> {
    shapes::check(graph)
}

/// Checks and decodes an ONNX file, but for the sizes of what it computes: see [`bound`].
///
/// # Errors
/// What is wrong, naming the node and its operator where there is one, and what to do.
pub(crate) fn admit(bytes: &[u8]) -> Result<ModelProto, String> {
    if bytes.len() as u64 > MAX_GRAPH_BYTES {
        return Err(format!(
            "has {} bytes, at most {MAX_GRAPH_BYTES} are read; export a smaller network",
            bytes.len()
        ));
    }
    if let Some((_, kind)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(format!(
            "is not an ONNX model but {kind}, which is never opened; export the network as ONNX"
        ));
    }
    wire::scan(bytes)?;
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
    ops::check_versions(&model)?;
    ops::check_nodes(graph)?;
    tensors::check(graph)?;
    Ok(model)
}
