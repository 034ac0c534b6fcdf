//! Walks the protobuf encoding of an ONNX file without building anything of it.
//!
//! A decoder makes objects of what it reads: two bytes of file can become a node of some hundred bytes, so
//! that a small file fills the memory. And an engine's decoder may know fields that ours skips. Here a field
//! that is not in the tables below refuses the file, so that nobody reads what was not looked at; and since
//! no table leads back to itself, nesting is bounded too.

/// Most messages (nodes, attributes, tensors, …); the largest shipped graph has 3,067.
const MAX_MESSAGES: u32 = 1 << 16;
/// Most fields, counting every byte of a packed list of integers as one.
const MAX_FIELDS: u32 = 1 << 20;
/// Longest name, bytes.
const MAX_NAME: usize = 256;
/// Longest text for people, bytes.
const MAX_NOTE: usize = 4096;

/// What a field may hold.
enum Kind {
    Integer,
    Float,
    /// One or many, packed or not.
    Integers,
    Floats,
    Text(usize),
    Bytes,
    Message(&'static Table),
    /// Known, and never allowed: why, and what to do.
    Refused(&'static str),
}

/// The fields of one message of the ONNX standard (`onnx.proto3`).
struct Table {
    name: &'static str,
    fields: &'static [(u64, Kind)],
}

const NAME: Kind = Kind::Text(MAX_NAME);
const NOTE: Kind = Kind::Text(MAX_NOTE);
const SUBGRAPH: Kind = Kind::Refused(
    "holds a graph within the graph, which could run without end; export it without control flow",
);
const SPARSE: Kind = Kind::Refused("holds sparse weights; export them dense");
const UNUSED_DATA: Kind = Kind::Refused(
    "holds strings or 64-bit numbers that no policy computes with; export f32, i32 and i64",
);

static MODEL: Table = Table {
    name: "model",
    fields: &[
        (1, Kind::Integer),
        (2, NAME),
        (3, NAME),
        (4, NAME),
        (5, Kind::Integer),
        (6, NOTE),
        (7, Kind::Message(&GRAPH)),
        (8, Kind::Message(&OPERATOR_SET)),
        (14, Kind::Message(&PROPERTY)),
        (
            20,
            Kind::Refused("holds instructions for training; export for inference"),
        ),
        (
            25,
            Kind::Refused("defines functions of its own; export with functions inlined"),
        ),
    ],
};
static OPERATOR_SET: Table = Table {
    name: "operator set",
    fields: &[(1, NAME), (2, Kind::Integer)],
};
static PROPERTY: Table = Table {
    name: "property",
    fields: &[(1, NAME), (2, NOTE)],
};
static GRAPH: Table = Table {
    name: "graph",
    fields: &[
        (1, Kind::Message(&NODE)),
        (2, NAME),
        (5, Kind::Message(&TENSOR)),
        (10, NOTE),
        (11, Kind::Message(&VALUE)),
        (12, Kind::Message(&VALUE)),
        (13, Kind::Message(&VALUE)),
        (15, SPARSE),
    ],
};
static NODE: Table = Table {
    name: "node",
    fields: &[
        (1, NAME),
        (2, NAME),
        (3, NAME),
        (4, NAME),
        (5, Kind::Message(&ATTRIBUTE)),
        (6, NOTE),
        (7, NAME),
    ],
};
static ATTRIBUTE: Table = Table {
    name: "attribute",
    fields: &[
        (1, NAME),
        (2, Kind::Float),
        (3, Kind::Integer),
        (4, Kind::Text(MAX_NAME)),
        (5, Kind::Message(&TENSOR)),
        (6, SUBGRAPH),
        (7, Kind::Floats),
        (8, Kind::Integers),
        (11, SUBGRAPH),
        (13, NOTE),
        (20, Kind::Integer),
        (22, SPARSE),
        (23, SPARSE),
    ],
};
static TENSOR: Table = Table {
    name: "tensor",
    fields: &[
        (1, Kind::Integers),
        (2, Kind::Integer),
        (4, Kind::Floats),
        (5, Kind::Integers),
        (6, UNUSED_DATA),
        (7, Kind::Integers),
        (8, NAME),
        (9, Kind::Bytes),
        (10, UNUSED_DATA),
        (11, UNUSED_DATA),
        (12, NOTE),
        (
            13,
            Kind::Refused("keeps its numbers in another file; export with weights embedded"),
        ),
        (14, Kind::Integer),
    ],
};
static VALUE: Table = Table {
    name: "value",
    fields: &[(1, NAME), (2, Kind::Message(&TYPE)), (3, NOTE)],
};
static TYPE: Table = Table {
    name: "type",
    fields: &[(1, Kind::Message(&TENSOR_TYPE)), (6, NAME)],
};
static TENSOR_TYPE: Table = Table {
    name: "tensor type",
    fields: &[(1, Kind::Integer), (2, Kind::Message(&SHAPE))],
};
static SHAPE: Table = Table {
    name: "shape",
    fields: &[(1, Kind::Message(&DIMENSION))],
};
static DIMENSION: Table = Table {
    name: "dimension",
    fields: &[(1, Kind::Integer), (2, NAME), (3, NAME)],
};

/// What may still come.
struct Budget {
    messages: u32,
    fields: u32,
}

/// Walks a whole file.
///
/// # Errors
/// The first thing that is not allowed, and where.
pub(super) fn scan(bytes: &[u8]) -> Result<(), String> {
    let mut budget = Budget {
        messages: MAX_MESSAGES,
        fields: MAX_FIELDS,
    };
    budget.scan(&MODEL, bytes)
}

impl Budget {
    fn scan(&mut self, table: &'static Table, bytes: &[u8]) -> Result<(), String> {
        self.messages = self.messages.checked_sub(1).ok_or_else(|| {
            format!("has more than {MAX_MESSAGES} nodes, attributes and tensors; export a smaller network")
        })?;
        let mut rest = bytes;
        let mut n_inner = 0_usize;
        while !rest.is_empty() {
            self.spend(1)?;
            let (number, value) = next(&mut rest)?;
            let Some((_, kind)) = table.fields.iter().find(|(known, _)| *known == number) else {
                return Err(format!(
                    "is not an ONNX model that can be checked: a {} has the unknown field {number}; export \
                     with an older format",
                    table.name
                ));
            };
            if let Kind::Message(inner) = kind {
                let Value::Bytes(content) = value else {
                    return Err(damaged());
                };
                self.scan(inner, content)
                    .map_err(|error| located(inner, n_inner, content, error))?;
                n_inner += 1;
            } else {
                self.check(kind, &value)?;
            }
        }
        Ok(())
    }

    fn check(&mut self, kind: &Kind, value: &Value<'_>) -> Result<(), String> {
        match (kind, value) {
            (Kind::Refused(reason), _) => return Err((*reason).to_owned()),
            (Kind::Integer | Kind::Integers, Value::Varint)
            | (Kind::Float | Kind::Floats, Value::Fixed32)
            | (Kind::Bytes, Value::Bytes(_)) => {}
            (Kind::Integers, Value::Bytes(packed)) => {
                self.spend(packed.len())?;
                let mut rest = *packed;
                while !rest.is_empty() {
                    varint(&mut rest)?;
                }
            }
            (Kind::Floats, Value::Bytes(packed)) if packed.len().is_multiple_of(4) => {}
            (Kind::Text(most), Value::Bytes(text)) => {
                if text.len() > *most {
                    return Err(format!(
                        "has a name or text of {} bytes, at most {most} are read; export with shorter names",
                        text.len()
                    ));
                }
                if std::str::from_utf8(text).is_err() {
                    return Err(damaged());
                }
            }
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn spend(&mut self, n: usize) -> Result<(), String> {
        let left = u32::try_from(n)
            .ok()
            .and_then(|n| self.fields.checked_sub(n));
        self.fields = left.ok_or_else(|| {
            format!("has more than {MAX_FIELDS} fields and integers; export a smaller network")
        })?;
        Ok(())
    }
}

/// One field's value, not looked into.
enum Value<'a> {
    Varint,
    Fixed32,
    Bytes(&'a [u8]),
}

/// Takes one field: its number and its value.
fn next<'a>(rest: &mut &'a [u8]) -> Result<(u64, Value<'a>), String> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => {
            varint(rest)?;
            Value::Varint
        }
        2 => {
            let n = usize::try_from(varint(rest)?).map_err(|_| damaged())?;
            let (content, after) = rest.split_at_checked(n).ok_or_else(damaged)?;
            *rest = after;
            Value::Bytes(content)
        }
        5 => {
            *rest = rest.get(4..).ok_or_else(damaged)?;
            Value::Fixed32
        }
        // 64-bit numbers and groups are in no field that is allowed.
        _ => return Err(damaged()),
    };
    Ok((key >> 3, value))
}

/// Takes a number of one to ten bytes.
fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or_else(damaged)?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(damaged())
}

fn damaged() -> String {
    "is not an ONNX model: its encoding is damaged or it is some other kind of file".to_owned()
}

/// Says where an error is: for nodes and tensors with what they call themselves.
fn located(table: &Table, index: usize, content: &[u8], error: String) -> String {
    match table.name {
        "node" => format!(
            "{error} (node {index}, {:?}, operator {:?})",
            text(content, 3),
            text(content, 4)
        ),
        "tensor" => format!("{error} (tensor {:?})", text(content, 8)),
        _ => error,
    }
}

/// The first text in a field, as far as it can be read.
fn text(content: &[u8], wanted: u64) -> String {
    let mut rest = content;
    while let Ok((number, value)) = next(&mut rest) {
        if let (true, Value::Bytes(text)) = (number == wanted, value) {
            return String::from_utf8_lossy(&text[..text.len().min(MAX_NAME)]).into_owned();
        }
    }
    String::new()
}
