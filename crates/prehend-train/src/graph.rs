//! Makes a graph that burn-onnx wrote one that bundles may hold.

use std::collections::{HashMap, HashSet};

use onnx_ir::{Message, ModelProto};

use crate::TrainError;

/// Gives what burn-onnx wrote the names that bundles use and the operators that engines are fast at, and refuses a
/// graph of more than `most` bytes: weights were then stored twice.
pub(crate) fn finish_graph(
    onnx: &[u8],
    inputs: &[&str],
    outputs: &[&str],
    most: usize,
) -> Result<Vec<u8>, TrainError> {
    let refuse = |reason: String| TrainError::Graph { reason };
    let mut model = ModelProto::parse_from_bytes(onnx).map_err(|e| refuse(e.to_string()))?;
    take_maxima(&mut model);
    name_tensors(&mut model, inputs, outputs).map_err(refuse)?;
    model.producer_name = "prehend".into();
    let bytes = model.write_to_bytes().map_err(|e| refuse(e.to_string()))?;
    if bytes.len() > most {
        let got = bytes.len();
        return Err(refuse(format!(
            "has {got} bytes, its parameters only need {most}"
        )));
    }
    Ok(bytes)
}

/// burn-onnx writes a maximum as the first of the sorted (`TopK`), and engines do sort: a quarter of the
/// pick-and-place network's time was that. Where nobody asks which it was, `ReduceMax` says the same.
fn take_maxima(model: &mut ModelProto) {
    let Some(graph) = model.graph.as_mut() else {
        return;
    };
    let wires = graph.node.iter().flat_map(|node| &node.input);
    let ends = graph.output.iter().map(|output| &output.name);
    let read: HashSet<String> = wires.chain(ends).cloned().collect();
    for node in graph.node.iter_mut().filter(|node| node.op_type == "TopK") {
        let number = |name: &str, default: i64| {
            let own = node.attribute.iter().find(|own| own.name == name);
            own.map_or(default, |own| own.i)
        };
        let constants = &graph.initializer;
        let one = constants.iter().find(|own| {
            node.input.get(1) == Some(&own.name) && own.raw_data[..] == 1_i64.to_le_bytes()
        });
        let (Some(one), [_, which]) = (one, &node.output[..]) else {
            continue;
        };
        if number("largest", 1) != 1 || read.contains(which) {
            continue;
        }
        let mut axis = one.clone();
        axis.raw_data = number("axis", -1).to_le_bytes().to_vec().into();
        axis.name = format!("axis of {}", node.output[0]);
        node.op_type = "ReduceMax".to_owned();
        node.input[1].clone_from(&axis.name);
        node.output.truncate(1);
        // Dimensions are kept, which is what it does unless told.
        node.attribute.clear();
        graph.initializer.push(axis);
    }
    let read: HashSet<&String> = graph.node.iter().flat_map(|node| &node.input).collect();
    graph.initializer.retain(|own| read.contains(&own.name));
}

/// Names inputs and outputs as bundles do, and every other tensor by its place: burn-onnx counts tensors
/// over the whole process, and a second export would give other bytes for the same weights.
fn name_tensors(model: &mut ModelProto, inputs: &[&str], outputs: &[&str]) -> Result<(), String> {
    let graph = model.graph.as_mut().ok_or("holds no graph")?;
    let (n_in, n_out) = (graph.input.len(), graph.output.len());
    if n_in != inputs.len() || n_out != outputs.len() {
        return Err(format!(
            "has {n_in} inputs and {n_out} outputs, expected {} and {}",
            inputs.len(),
            outputs.len()
        ));
    }
    let mut names: HashMap<String, String> = HashMap::new();
    let boundaries = graph
        .input
        .iter_mut()
        .zip(inputs)
        .chain(graph.output.iter_mut().zip(outputs));
    for (value, name) in boundaries {
        names.insert(
            std::mem::replace(&mut value.name, (*name).to_owned()),
            (*name).to_owned(),
        );
    }
    graph.value_info.clear();
    let constants = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    let wires = graph
        .node
        .iter_mut()
        .flat_map(|node| node.input.iter_mut().chain(&mut node.output));
    // An empty name is an input that is left out.
    for name in constants.chain(wires).filter(|name| !name.is_empty()) {
        let place = format!("tensor_{}", names.len());
        let new = names.entry(name.clone()).or_insert(place);
        name.clone_from(new);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use burn_onnx::export::OnnxExporter;
    use prehend_cloud::{CLOSE_UP_DIM, CLOSE_UP_POINTS};
    use prehend_nets::pick_place::CloseUpScorer;

    use super::*;

    #[test]
    fn a_maximum_is_no_sort_and_leaves_nothing_behind() {
        let device = Device::flex();
        let input = Tensor::<3>::zeros([4, 2 * CLOSE_UP_POINTS, CLOSE_UP_DIM], &device);
        let forward = |net: &CloseUpScorer, close_ups: Tensor<3>| net.forward(close_ups);
        let scorer = CloseUpScorer::new(1, &device);
        let onnx = OnnxExporter::new().export(&scorer, input, forward);
        let onnx = onnx.expect("exports");
        let count = |bytes: &[u8], op: &str| {
            let model = ModelProto::parse_from_bytes(bytes).expect("a model");
            let nodes = model.graph.node.iter();
            nodes.filter(|node| node.op_type == op).count()
        };
        assert_eq!(
            count(onnx.as_bytes(), "TopK"),
            1,
            "or the change is not needed"
        );
        let bytes = finish_graph(onnx.as_bytes(), &["close_ups"], &["scores"], 400_000);
        let bytes = bytes.expect("sound");
        assert_eq!([count(&bytes, "TopK"), count(&bytes, "ReduceMax")], [0, 1]);
        let model = ModelProto::parse_from_bytes(&bytes[..]).expect("a model");
        let wires: Vec<&String> = model
            .graph
            .node
            .iter()
            .flat_map(|node| &node.input)
            .collect();
        for constant in &model.graph.initializer {
            assert!(wires.contains(&&constant.name), "{}", constant.name);
        }
    }
}
