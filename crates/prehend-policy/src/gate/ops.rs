//! Which operators a graph may use, and of which version of the standard.

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

/// Versions of the default operator set: from the one in which `ReduceSum` takes its axes as an input, to the
/// newest that the oldest accepted ONNX Runtime (1.17) knows. The exporter writes 18.
const OPSETS: std::ops::RangeInclusive<i64> = 13..=20;
/// Versions of the file format that belong to these.
const IR_VERSIONS: std::ops::RangeInclusive<i64> = 7..=9;
/// Most operands of one node.
const MAX_OPERANDS: usize = 256;

/// Every operator that may be used, sorted. Those of the shipped graphs (Add, Concat, ConstantOfShape, Div, Exp,
/// Gather, MatMul, Mul, Neg, ReduceSum, Relu, Reshape, Sigmoid, Slice, Sqrt, Sub, Tanh, TopK), and others that the
/// exporter writes or a network for point clouds or images is made of. All of them compute a result whose size
/// follows from sizes and constants. Left out is what loops or branches (If, Loop, Scan), what makes a result as
/// large as numbers in its input say (Range, NonZero, Compress, Unique, Pad, Resize), draws random numbers, reads
/// text or images, or keeps sequences.
const ALLOWED: [&str; 76] = [
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "Cos",
    "Div",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Checks which version of the standard the file is written in.
pub(super) fn check_versions(model: &ModelProto) -> Result<(), String> {
    let range = |range: std::ops::RangeInclusive<i64>| (*range.start(), *range.end());
    if !IR_VERSIONS.contains(&model.ir_version) {
        let (from, to) = range(IR_VERSIONS);
        return Err(format!(
            "is written in format (IR) version {}, versions {from} to {to} are read; export with opset 18",
            model.ir_version
        ));
    }
    let [set] = model.opset_import.as_slice() else {
        let n = model.opset_import.len();
        return Err(format!(
            "imports {n} operator sets, exactly the default one is allowed; export without operators of your own"
        ));
    };
    check_domain(&set.domain).map_err(|reason| format!("imports an operator set that {reason}"))?;
    if !OPSETS.contains(&set.version) {
        let (from, to) = range(OPSETS);
        return Err(format!(
            "uses opset {}, opsets {from} to {to} are understood; export with opset 18",
            set.version
        ));
    }
    Ok(())
}

/// Checks every node's operator.
pub(super) fn check_nodes(graph: &GraphProto) -> Result<(), String> {
    for (index, node) in graph.node.iter().enumerate() {
        check_node(node).map_err(|reason| {
            format!(
                "node {index}, {:?}, operator {:?}: {reason}",
                node.name, node.op_type
            )
        })?;
    }
    Ok(())
}

fn check_node(node: &NodeProto) -> Result<(), String> {
    check_domain(&node.domain)?;
    let op = node.op_type.as_str();
    if !ALLOWED.contains(&op) {
        return Err("this operator is not allowed in a policy; export without it".to_owned());
    }
    let n = node.input.len().max(node.output.len());
    if n > MAX_OPERANDS {
        return Err(format!(
            "has {n} operands, at most {MAX_OPERANDS} are allowed"
        ));
    }
    Ok(())
}

fn check_domain(domain: &str) -> Result<(), String> {
    if matches!(domain, "" | "ai.onnx") {
        return Ok(());
    }
    Err(format!(
        "is of the domain {domain:?}, only the default one is allowed; export without operators of your own"
    ))
}
