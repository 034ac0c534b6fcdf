//! Just enough of the ONNX wire format to write what a loader must not accept.
//!
//! Field numbers are those of `onnx.proto`. A message appended to another one of the same type is merged
//! into it, so that a fragment behind a whole model adds to that model's graph.

/// One field that holds bytes: a text or another message.
pub(super) fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = varint(number << 3 | 2);
    bytes.extend(varint(content.len() as u64));
    bytes.extend_from_slice(content);
    bytes
}

/// One field that holds a whole number.
pub(super) fn number(field: u64, value: i64) -> Vec<u8> {
    let mut bytes = varint(field << 3);
    bytes.extend(varint(value as u64));
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A fragment that adds `content` to a model's graph.
pub(super) fn in_graph(content: &[u8]) -> Vec<u8> {
    field(7, content)
}

/// A node of the graph, without inputs.
pub(super) fn node(op: &str, domain: &str, attributes: &[u8]) -> Vec<u8> {
    let named = [
        field(2, b"unused"),
        field(4, op.as_bytes()),
        field(7, domain.as_bytes()),
    ]
    .concat();
    field(1, &[named, attributes.to_vec()].concat())
}

/// An attribute that holds a graph.
pub(super) fn graph_attribute(graph: &[u8]) -> Vec<u8> {
    field(
        5,
        &[field(1, b"body"), field(6, graph), number(20, 5)].concat(),
    )
}

/// A weight of the graph that claims to be kept in another file.
pub(super) fn external_weight(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tensor = [number(1, 4), number(2, 1), field(8, b"outside")].concat();
    for (key, value) in entries {
        let entry = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
        tensor.extend(field(13, &entry));
    }
    tensor.extend(number(14, 1));
    field(5, &tensor)
}

/// A weight of these dimensions, without any data.
pub(super) fn weight_of(dims: &[i64]) -> Vec<u8> {
    let mut tensor: Vec<u8> = dims.iter().flat_map(|dim| number(1, *dim)).collect();
    tensor.extend([number(2, 1), field(8, b"huge")].concat());
    field(5, &tensor)
}

/// A dimension of a tensor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dim {
    Value(i64),
    Named(&'static str),
    Unsaid,
}

/// A whole model: `y = Identity(x)`, both of these dimensions.
pub(super) fn identity(dims: &[Dim]) -> Vec<u8> {
    let value = |name: &str| {
        let dims: Vec<u8> = dims
            .iter()
            .flat_map(|dim| match dim {
                Dim::Value(value) => field(1, &number(1, *value)),
                Dim::Named(name) => field(1, &field(2, name.as_bytes())),
                Dim::Unsaid => field(1, &[]),
            })
            .collect();
        let tensor = [number(1, 1), field(2, &dims)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let node = [field(1, b"x"), field(2, b"y"), field(4, b"Identity")].concat();
    let graph = [
        field(1, &node),
        field(2, b"identity"),
        field(11, &value("x")),
        field(12, &value("y")),
    ]
    .concat();
    [number(1, 8), field(7, &graph), opset(17)].concat()
}

/// The version of the default set of operators that a model says it needs.
pub(super) fn opset(version: i64) -> Vec<u8> {
    field(8, &number(2, version))
}

/// The weights of a model that are kept in it as raw bytes: their dimensions, and where those bytes are.
pub(super) fn weights(model: &[u8]) -> Vec<(Vec<i64>, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    for (_, graph) in fields(model, 0..model.len()).filter(|(number, _)| *number == 7) {
        for (_, tensor) in fields(model, graph).filter(|(number, _)| *number == 5) {
            let (mut dims, mut raw) = (Vec::new(), None);
            for (number, content) in fields(model, tensor) {
                match number {
                    1 => dims.extend(packed(model, content)),
                    9 => raw = Some(content),
                    _ => {}
                }
            }
            found.extend(raw.map(|raw| (dims, raw)));
        }
    }
    found
}

/// Fields of the message in this part of `bytes`, until something is none: their numbers, and where what
/// they hold is. A whole number is held by its own bytes.
fn fields(
    bytes: &[u8],
    part: std::ops::Range<usize>,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let (mut at, end) = (part.start, part.end);
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let key = read_varint(bytes, &mut at)?;
        let start = at;
        let content = match key & 7 {
            0 => {
                read_varint(bytes, &mut at)?;
                start..at
            }
            1 => at..at + 8,
            2 => {
                let length = usize::try_from(read_varint(bytes, &mut at)?).ok()?;
                at..at.checked_add(length)?
            }
            5 => at..at + 4,
            _ => return None,
        };
        at = content.end;
        (at <= end).then_some((key >> 3, content))
    })
}

/// Whole numbers, one after the other.
fn packed(bytes: &[u8], part: std::ops::Range<usize>) -> impl Iterator<Item = i64> {
    let (mut at, end) = (part.start, part.end);
    std::iter::from_fn(move || (at < end).then(|| read_varint(bytes, &mut at))?).map(|n| n as i64)
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
