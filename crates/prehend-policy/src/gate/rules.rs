//! The shape of what each allowed operator makes.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::shapes::{Known, MAX_ELEMENTS};
use super::tensors::{MAX_RANK, integers};

type Shape = Vec<u64>;

/// What a node makes.
pub(super) struct Made {
    /// One shape per output.
    pub shapes: Vec<Shape>,
    /// Elements that an engine may need beside them.
    pub scratch: u64,
    /// The numbers of the first output, if it is a constant.
    pub numbers: Option<Vec<i64>>,
}

/// A node with what is known of its inputs.
pub(super) struct Operands<'k, 'a> {
    pub node: &'a NodeProto,
    pub known: &'k Known<'a>,
}

/// Number of elements of a shape, if it is allowed.
pub(super) fn elements(shape: &[u64]) -> Result<u64, String> {
    if shape.len() > MAX_RANK {
        let rank = shape.len();
        return Err(format!(
            "makes {rank} dimensions, at most {MAX_RANK} are allowed"
        ));
    }
    let n = (shape.iter()).try_fold(1_u64, |n, dim| n.checked_mul(*dim));
    n.filter(|n| *n <= MAX_ELEMENTS).ok_or_else(|| {
        format!("asks for shape {shape:?}, at most {MAX_ELEMENTS} elements are allowed")
    })
}

/// What a node makes of its inputs.
///
/// # Errors
/// What does not fit, or is not known before the graph runs.
pub(super) fn apply(of: &Operands<'_, '_>) -> Result<Made, String> {
    let (mut scratch, mut numbers) = (0, None);
    let shapes = match of.node.op_type.as_str() {
        "Abs"
        | "BatchNormalization"
        | "Cast"
        | "Ceil"
        | "Clip"
        | "Cos"
        | "Elu"
        | "Erf"
        | "Exp"
        | "Floor"
        | "Gelu"
        | "GroupNormalization"
        | "HardSigmoid"
        | "HardSwish"
        | "Identity"
        | "InstanceNormalization"
        | "LayerNormalization"
        | "LeakyRelu"
        | "Log"
        | "LogSoftmax"
        | "Mish"
        | "Neg"
        | "Not"
        | "PRelu"
        | "Reciprocal"
        | "Relu"
        | "Sigmoid"
        | "Sin"
        | "Softmax"
        | "Softplus"
        | "Sqrt"
        | "Tanh" => vec![of.like_first()?],
        "Add" | "And" | "Div" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual"
        | "Max" | "Min" | "Mul" | "Or" | "Pow" | "Sub" | "Where" => {
            let mut inputs = (0..of.node.input.len()).map(|i| of.input(i));
            vec![inputs.try_fold(Vec::new(), |sum, input| broadcast(&sum, input?))?]
        }
        "ArgMax" | "ArgMin" => vec![of.reduced(Some(vec![of.int("axis", 0)]))?],
        "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" => {
            let axes = match (of.ints("axes"), of.constant(1)?) {
                (Some(_), Some(_)) => return Err("has its axes twice".to_owned()),
                (attribute, input) => attribute.or(input),
            };
            vec![of.reduced(axes)?]
        }
        "Concat" => vec![of.concat()?],
        "Constant" => {
            let value;
            (value, numbers) = of.value()?;
            vec![value]
        }
        "ConstantOfShape" => vec![of.sized(0, |sizes, _| Ok(sizes.to_vec()))?],
        "Expand" => vec![of.sized(1, |sizes, of| broadcast(of.input(0)?, sizes))?],
        "Tile" => vec![of.sized(1, |repeats, of| {
            let dims = of.input(0)?;
            if dims.len() != repeats.len() {
                return Err(format!(
                    "is for {} dimensions, not for {dims:?}",
                    repeats.len()
                ));
            }
            let pairs = dims.iter().zip(repeats);
            Ok(pairs.map(|(dim, n)| dim.saturating_mul(*n)).collect())
        })?],
        "Conv" | "AveragePool" | "MaxPool" => {
            let shape;
            (shape, scratch) = of.windows()?;
            vec![shape]
        }
        "Flatten" => {
            let dims = of.input(0)?;
            let axis = of.int("axis", 1);
            let at = if axis == dims.len() as i64 {
                dims.len()
            } else {
                axis_of(axis, dims.len())?
            };
            vec![vec![elements(&dims[..at])?, elements(&dims[at..])?]]
        }
        "Gather" => {
            let (dims, indices) = (of.input(0)?, of.input(1)?);
            let axis = axis_of(of.int("axis", 0), dims.len())?;
            vec![[&dims[..axis], indices, &dims[axis + 1..]].concat()]
        }
        "GatherElements" => vec![of.input(1)?.clone()],
        "Gemm" => {
            let [a, b] = [("transA", 0), ("transB", 1)].map(|(flag, i)| {
                let is_turned = of.int(flag, 0) != 0;
                match of.input(i)?[..] {
                    [rows, columns] if is_turned => Ok([columns, rows]),
                    [rows, columns] => Ok([rows, columns]),
                    _ => Err("multiplies what is no matrix".to_owned()),
                }
            });
            let (a, b) = (a?, b?);
            let made = product(&a, &b)?;
            if of.name(2).is_some() && broadcast(&made, of.input(2)?)? != made {
                return Err(format!("adds {:?} to {made:?}", of.input(2)?));
            }
            vec![made]
        }
        "MatMul" => vec![product(of.input(0)?, of.input(1)?)?],
        "GlobalAveragePool" | "GlobalMaxPool" => {
            let dims = of.input(0)?.iter().enumerate();
            vec![dims.map(|(i, dim)| if i < 2 { *dim } else { 1 }).collect()]
        }
        "Reshape" => vec![of.reshaped()?],
        "Shape" => {
            let dims = of.input(0)?;
            let rank = dims.len() as i64;
            let at =
                |axis: i64| (if axis < 0 { axis + rank } else { axis }).clamp(0, rank) as usize;
            let range = at(of.int("start", 0))..at(of.int("end", rank));
            let part = dims.get(range).unwrap_or_default();
            numbers = Some(part.iter().map(|dim| *dim as i64).collect());
            vec![vec![part.len() as u64]]
        }
        "Slice" => vec![of.slice()?],
        "Split" => of.split()?,
        "Squeeze" => {
            let dims = of.input(0)?;
            let axes = match of.constant(1)? {
                Some(axes) => axes_of(&axes, dims.len())?,
                None => (0..dims.len()).filter(|i| dims[*i] == 1).collect(),
            };
            if axes.iter().any(|axis| dims[*axis] != 1) {
                return Err(format!("squeezes {dims:?} along {axes:?}"));
            }
            let kept = (0..dims.len()).filter(|i| !axes.contains(i));
            vec![kept.map(|i| dims[i]).collect()]
        }
        "Unsqueeze" => {
            let dims = of.input(0)?;
            let axes = of.required(1)?;
            let rank = dims.len() + axes.len();
            let axes = axes_of(&axes, rank)?;
            let mut rest = dims.iter();
            let made = (0..rank).map(|i| match axes.contains(&i) {
                true => Some(1),
                false => rest.next().copied(),
            });
            let made: Option<Shape> = made.collect();
            vec![made.ok_or("has the same axis twice")?]
        }
        "TopK" => {
            let mut dims = of.input(0)?.clone();
            let axis = axis_of(of.int("axis", -1), dims.len())?;
            let [k] = of.required(1)?[..] else {
                return Err("wants other than one number of elements".to_owned());
            };
            let k = u64::try_from(k).ok().filter(|k| *k <= dims[axis]);
            dims[axis] = k.ok_or_else(|| format!("wants more elements than {dims:?} has"))?;
            vec![dims.clone(), dims]
        }
        "Transpose" => {
            let dims = of.input(0)?;
            let perm = match of.ints("perm") {
                Some(perm) => axes_of(&perm, dims.len())?,
                None => (0..dims.len()).rev().collect(),
            };
            if perm.len() != dims.len() || (0..dims.len()).any(|i| !perm.contains(&i)) {
                return Err(format!("turns {dims:?} by {perm:?}"));
            }
            vec![perm.into_iter().map(|i| dims[i]).collect()]
        }
        _ => return Err("what it makes cannot be told".to_owned()),
    };
    for shape in &shapes {
        elements(shape)?;
    }
    Ok(Made {
        shapes,
        scratch,
        numbers,
    })
}

impl<'a> Operands<'_, 'a> {
    fn name(&self, i: usize) -> Option<&'a str> {
        let name = self.node.input.get(i).map(String::as_str);
        name.filter(|name| !name.is_empty())
    }

    fn input(&self, i: usize) -> Result<&Shape, String> {
        let name = self.name(i).ok_or_else(|| format!("has no input {i}"))?;
        (self.known.shapes.get(name))
            .ok_or_else(|| format!("uses {name:?}, which nothing before it makes"))
    }

    /// The numbers of an input, if there is one.
    fn constant(&self, i: usize) -> Result<Option<Vec<i64>>, String> {
        let Some(name) = self.name(i) else {
            return Ok(None);
        };
        let numbers = self.known.constants.get(name).cloned();
        numbers.map(Some).ok_or_else(|| {
            format!("its size {name:?} is computed at run time, it must be a constant of the file")
        })
    }

    fn required(&self, i: usize) -> Result<Vec<i64>, String> {
        (self.constant(i)?).ok_or_else(|| format!("has no input {i}"))
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|a| a.name == name)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|a| a.ints.clone())
    }

    /// A shape that input `i` asks for.
    fn sized(
        &self,
        i: usize,
        shape: impl Fn(&[u64], &Self) -> Result<Shape, String>,
    ) -> Result<Shape, String> {
        let sizes = self.required(i)?;
        let name = self.name(i).unwrap_or_default();
        let made = sizes_of(&sizes).and_then(|sizes| shape(&sizes, self));
        let checked = made.and_then(|made| elements(&made).map(|_| made));
        checked.map_err(|reason| format!("its size {name:?} {reason}"))
    }

    /// The shape of the first input, which the others must not widen.
    fn like_first(&self) -> Result<Shape, String> {
        let dims = self.input(0)?;
        for i in (1..self.node.input.len()).filter(|i| self.name(*i).is_some()) {
            let other = self.input(i)?;
            let fits = match self.node.op_type.as_str() {
                "BatchNormalization" | "GroupNormalization" | "InstanceNormalization" => {
                    matches!(other[..], [n] if dims.get(1).is_some_and(|channels| n <= *channels))
                }
                _ => broadcast(dims, other).is_ok_and(|made| made == *dims),
            };
            if !fits {
                return Err(format!("its input {i} of {other:?} is not for {dims:?}"));
            }
        }
        Ok(dims.clone())
    }

    fn reduced(&self, axes: Option<Vec<i64>>) -> Result<Shape, String> {
        let dims = self.input(0)?;
        let axes = match axes.filter(|axes| !axes.is_empty()) {
            Some(axes) => axes_of(&axes, dims.len())?,
            None if self.int("noop_with_empty_axes", 0) != 0 => return Ok(dims.clone()),
            None => (0..dims.len()).collect(),
        };
        let keeps = self.int("keepdims", 1) != 0;
        let made = dims.iter().enumerate().filter_map(|(i, dim)| {
            let is_reduced = axes.contains(&i);
            (keeps || !is_reduced).then_some(if is_reduced { 1 } else { *dim })
        });
        Ok(made.collect())
    }

    fn concat(&self) -> Result<Shape, String> {
        let mut made = self.input(0)?.clone();
        let axis = axis_of(self.int("axis", 0), made.len())?;
        for i in 1..self.node.input.len() {
            let dims = self.input(i)?;
            let fits = |k: usize| k == axis || dims[k] == made[k];
            if dims.len() != made.len() || !(0..dims.len()).all(fits) {
                return Err(format!(
                    "joins {made:?} and {dims:?} along dimension {axis}"
                ));
            }
            made[axis] = made[axis].saturating_add(dims[axis]);
        }
        Ok(made)
    }

    fn value(&self) -> Result<(Shape, Option<Vec<i64>>), String> {
        let [attribute] = &self.node.attribute[..] else {
            return Err("holds other than one value".to_owned());
        };
        match (attribute.name.as_str(), &attribute.t) {
            ("value", Some(tensor)) => {
                let numbers = integers(tensor).filter(|_| tensor.dims.len() <= 1);
                Ok((sizes_of(&tensor.dims)?, numbers))
            }
            ("value_int", _) => Ok((Vec::new(), Some(vec![attribute.i]))),
            ("value_float", _) => Ok((Vec::new(), None)),
            ("value_ints", _) => {
                let n = attribute.ints.len() as u64;
                Ok((vec![n], Some(attribute.ints.clone())))
            }
            ("value_floats", _) => Ok((vec![attribute.floats.len() as u64], None)),
            _ => Err("holds a value of an unknown kind".to_owned()),
        }
    }

    fn reshaped(&self) -> Result<Shape, String> {
        let dims = self.input(0)?;
        let n = elements(dims)?;
        let wanted = self.required(1)?;
        let keeps = self.int("allowzero", 0) == 0;
        let (mut made, mut open) = (Vec::new(), None);
        for (i, size) in wanted.iter().enumerate() {
            made.push(match *size {
                0 if keeps => *dims.get(i).ok_or("keeps a dimension that is not there")?,
                -1 if open.is_none() => {
                    open = Some(i);
                    1
                }
                size => sizes_of(&[size])?[0],
            });
        }
        let rest = elements(&made)?;
        if let Some(i) = open {
            made[i] = n.checked_div(rest).ok_or("divides by nothing")?;
        }
        if elements(&made)? != n {
            return Err(format!("makes {made:?} of {dims:?}"));
        }
        Ok(made)
    }

    fn slice(&self) -> Result<Shape, String> {
        let mut dims = self.input(0)?.clone();
        let (starts, ends) = (self.required(1)?, self.required(2)?);
        let axes = (self.constant(3)?).unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = (self.constant(4)?).unwrap_or_else(|| vec![1; starts.len()]);
        let n = starts.len();
        if [ends.len(), axes.len(), steps.len()] != [n; 3] {
            return Err("has lists of different lengths".to_owned());
        }
        let mut done = Vec::new();
        for (i, axis) in axes_of(&axes, dims.len())?.into_iter().enumerate() {
            if done.contains(&axis) {
                return Err(format!("cuts dimension {axis} twice"));
            }
            done.push(axis);
            let size = i64::try_from(dims[axis]).map_err(|_| "is too large")?;
            let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
            let (start, end, step) = (from_end(starts[i]), from_end(ends[i]), steps[i]);
            let way = match step {
                1.. => end.clamp(0, size) - start.clamp(0, size),
                0 => return Err("has steps of 0".to_owned()),
                _ => start.clamp(-1, size - 1) - end.clamp(-1, size - 1),
            };
            dims[axis] = (way.max(0) as u64).div_ceil(step.unsigned_abs());
        }
        Ok(dims)
    }

    fn split(&self) -> Result<Vec<Shape>, String> {
        let dims = self.input(0)?;
        let axis = axis_of(self.int("axis", 0), dims.len())?;
        let n = self.node.output.len().max(1) as u64;
        let parts = match self.constant(1)? {
            Some(parts) => sizes_of(&parts)?,
            None => {
                let part = dims[axis].div_ceil(n);
                let at = |k: u64| dims[axis].saturating_sub(k.saturating_mul(part)).min(part);
                (0..n).map(at).collect()
            }
        };
        let sum = parts
            .iter()
            .fold(0_u64, |sum, part| sum.saturating_add(*part));
        if sum != dims[axis] {
            return Err(format!("splits {dims:?} into {parts:?}"));
        }
        let with = |part: u64| {
            let mut dims = dims.clone();
            dims[axis] = part;
            dims
        };
        Ok(parts.into_iter().map(with).collect())
    }

    /// Convolution and pooling: the result, and what the widened input and its unrolled windows take.
    fn windows(&self) -> Result<(Shape, u64), String> {
        let dims = self.input(0)?;
        let is_conv = self.node.op_type == "Conv";
        let n_axes = dims
            .len()
            .checked_sub(2)
            .ok_or("wants channels and an axis")?;
        let (channels, kernel) = if is_conv {
            let weights = self.input(1)?;
            if weights.len() != dims.len() {
                return Err(format!("has weights of {weights:?} for {dims:?}"));
            }
            if self.name(2).is_some() && self.input(2)?[..] != weights[..1] {
                return Err(format!(
                    "has weights of {weights:?} and adds {:?}",
                    self.input(2)?
                ));
            }
            (weights[0], weights[2..].to_vec())
        } else {
            (
                dims[1],
                sizes_of(&self.ints("kernel_shape").unwrap_or_default())?,
            )
        };
        let list = |name, default, n: usize| {
            let list =
                (self.ints(name)).map_or_else(|| Ok(vec![default; n]), |list| sizes_of(&list))?;
            match list.len() == n && list.iter().all(|size| *size <= MAX_ELEMENTS) {
                true => Ok(list),
                false => Err(format!("its {name} are {list:?}")),
            }
        };
        let strides = list("strides", 1, n_axes)?;
        let dilations = list("dilations", 1, n_axes)?;
        let pads = list("pads", 0, 2 * n_axes)?;
        let fits = |sizes: &[u64]| sizes.iter().all(|size| (1..=MAX_ELEMENTS).contains(size));
        if kernel.len() != n_axes || ![&kernel, &strides, &dilations].iter().all(|s| fits(s)) {
            return Err(format!("has windows of {kernel:?} for {dims:?}"));
        }
        let auto = self.attribute("auto_pad").map_or(&b"NOTSET"[..], |a| &a.s);
        let (mut made, mut widened) = (vec![dims[0], channels], dims[..2].to_vec());
        for i in 0..n_axes {
            let extent = (kernel[i] - 1) * dilations[i] + 1;
            let (wide, size) = match auto {
                b"SAME_UPPER" | b"SAME_LOWER" => (
                    dims[2 + i].saturating_add(extent),
                    dims[2 + i].div_ceil(strides[i]),
                ),
                b"NOTSET" | b"VALID" | b"" => {
                    let margin = if auto == b"VALID" {
                        0
                    } else {
                        pads[i] + pads[n_axes + i]
                    };
                    let wide = dims[2 + i].saturating_add(margin);
                    let way = wide
                        .checked_sub(extent)
                        .ok_or("has windows wider than its input")?;
                    let steps = match self.int("ceil_mode", 0) {
                        0 => way / strides[i],
                        _ => way.div_ceil(strides[i]),
                    };
                    (wide, steps.saturating_add(1))
                }
                _ => return Err("has margins of an unknown kind".to_owned()),
            };
            made.push(size);
            widened.push(wide);
        }
        let unrolled = if is_conv {
            // Per image and group: as many columns as windows, each of one window of its channels.
            let window = elements(&self.input(1)?[1..])?;
            elements(&[window, elements(&made[2..])?])?
        } else {
            0
        };
        Ok((made, elements(&widened)?.saturating_add(unrolled)))
    }
}

fn sizes_of(numbers: &[i64]) -> Result<Shape, String> {
    let sizes = numbers.iter().map(|number| u64::try_from(*number));
    let sizes: Result<Shape, _> = sizes.collect();
    sizes.map_err(|_| format!("{numbers:?} is no size of anything"))
}

fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    let rank = rank as i64;
    let found = if axis < 0 {
        axis.saturating_add(rank)
    } else {
        axis
    };
    match (0..rank).contains(&found) {
        true => Ok(found as usize),
        false => Err(format!("is along dimension {axis} of {rank}")),
    }
}

fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    axes.iter().map(|axis| axis_of(*axis, rank)).collect()
}

fn broadcast(a: &[u64], b: &[u64]) -> Result<Shape, String> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[u64], i: usize| (i + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    let joined = (0..rank).map(|i| match (dim(a, i), dim(b, i)) {
        (a, b) if a == b => Ok(a),
        (1, n) | (n, 1) => Ok(n),
        _ => Err(format!("combines {a:?} with {b:?}")),
    });
    joined.collect()
}

/// As numpy multiplies matrices.
fn product(a: &[u64], b: &[u64]) -> Result<Shape, String> {
    let mismatch = || format!("multiplies {a:?} with {b:?}");
    let (rows, inner) = match a {
        [inner] => (None, *inner),
        [.., rows, inner] => (Some(*rows), *inner),
        [] => return Err(mismatch()),
    };
    let (other, columns) = match b {
        [inner] => (*inner, None),
        [.., inner, columns] => (*inner, Some(*columns)),
        [] => return Err(mismatch()),
    };
    if inner != other {
        return Err(mismatch());
    }
    let batch = |dims: &[u64]| dims[..dims.len().saturating_sub(2)].to_vec();
    let mut made = broadcast(&batch(a), &batch(b))?;
    made.extend(rows.into_iter().chain(columns));
    Ok(made)
}
