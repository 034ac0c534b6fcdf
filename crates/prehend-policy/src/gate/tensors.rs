//! Whether constants are as large as they say, and all in the file.

use tract_onnx::pb::{GraphProto, TensorProto, tensor_proto::DataLocation, tensor_proto::DataType};

/// Most dimensions of a tensor.
pub(super) const MAX_RANK: usize = 8;

/// Checks every initialiser and every tensor among the attributes.
pub(super) fn check(graph: &GraphProto) -> Result<(), String> {
    for tensor in &graph.initializer {
        check_tensor(tensor).map_err(|reason| format!("initialiser {:?} {reason}", tensor.name))?;
    }
    for (index, node) in graph.node.iter().enumerate() {
        let attributes = node.attribute.iter();
        for (name, tensor) in attributes.filter_map(|a| Some((&a.name, a.t.as_ref()?))) {
            check_tensor(tensor).map_err(|reason| {
                format!(
                    "node {index}, {:?}, operator {:?}: attribute {name:?} {reason}",
                    node.name, node.op_type
                )
            })?;
        }
    }
    Ok(())
}

fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    if tensor.data_location == Some(DataLocation::External as i32) {
        return Err("keeps its numbers in another file; export with weights embedded".to_owned());
    }
    let (kind, width) = match DataType::try_from(tensor.data_type) {
        Ok(kind @ (DataType::Float | DataType::Int32)) => (kind, 4),
        Ok(kind @ DataType::Int64) => (kind, 8),
        Ok(kind @ DataType::Bool) => (kind, 1),
        _ => {
            return Err(format!(
                "has ONNX element type {}, only f32, i32, i64 and bool are allowed",
                tensor.data_type
            ));
        }
    };
    let n = product(&tensor.dims)?;
    let held = [
        tensor.raw_data.len() / width,
        tensor.float_data.len(),
        tensor.int32_data.len(),
        tensor.int64_data.len(),
    ];
    let typed = match kind {
        DataType::Float => 1,
        DataType::Int64 => 3,
        _ => 2,
    };
    let is_elsewhere = (1..4).any(|i| i != typed && held[i] != 0);
    let is_split = held[0] != 0 && held[typed] != 0;
    let total = (held[0] + held[typed]) as u64;
    if is_elsewhere || is_split || !tensor.raw_data.len().is_multiple_of(width) || total != n {
        return Err(format!(
            "has shape {:?}, {n} elements, but holds {total}; export again",
            tensor.dims
        ));
    }
    Ok(())
}

/// Number of elements of a shape.
fn product(dims: &[i64]) -> Result<u64, String> {
    if dims.len() > MAX_RANK {
        return Err(format!(
            "has {} dimensions, at most {MAX_RANK} are allowed",
            dims.len()
        ));
    }
    let mut n = 1_u64;
    for dim in dims {
        let next = u64::try_from(*dim).ok().and_then(|dim| n.checked_mul(dim));
        n = next.ok_or_else(|| format!("has shape {dims:?}, which is no size of anything"))?;
    }
    Ok(n)
}

/// The numbers of an i64 tensor.
pub(super) fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    if tensor.data_type != DataType::Int64 as i32 {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.int64_data.clone());
    }
    let bytes = tensor.raw_data.chunks_exact(8);
    let numbers = bytes.map(|bytes| bytes.try_into().map(i64::from_le_bytes));
    numbers.collect::<Result<_, _>>().ok()
}
