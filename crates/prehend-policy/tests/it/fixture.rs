//! A small PointNet with the bundle's inputs and output, built as ONNX and, apart from that, in plain
//! Rust: the golden outputs come from the latter, so that engines are compared with neither.

use std::path::PathBuf;

use prehend_policy::{
    ActionSpace, Bundle, BundleWriter, GoldenCase, GoldenEntry, GoldenFile, Manifest, NoiseKind,
    ObservationSpace, Origin, PROPRIO_NAMES, ROLE_NAMES, RobotId, Runtime, RuntimeOptions,
    Sampling, observation_to_inputs,
};
use prehend_types::{
    GripperState, JointPositions, JointVelocities, Observation, PointCloud, Pose, RobotState, Role,
    Stamp,
};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_shape_proto::Dimension, tensor_shape_proto::dimension, type_proto,
};

pub const N_POINTS: usize = 512;

struct Layer {
    n_in: usize,
    n_out: usize,
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Layer {
    fn new(n_in: usize, n_out: usize, rng: &mut ChaCha8Rng) -> Self {
        let bound = (3.0 / n_in as f32).sqrt();
        let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-bound..bound)).collect();
        Self {
            n_in,
            n_out,
            weights: draw(n_in * n_out),
            biases: draw(n_out),
        }
    }

    fn forward(&self, input: &[f32]) -> Vec<f32> {
        let column = |j: usize| {
            let products = input
                .iter()
                .enumerate()
                .map(|(i, x)| x * self.weights[i * self.n_out + j]);
            products.sum::<f32>() + self.biases[j]
        };
        (0..self.n_out).map(column).collect()
    }
}

/// Per-point layers, maximum over points, then head layers; `tanh / 100` at the end.
///
/// Two terms that are zero in normal use let tests provoke bad outputs from outside:
/// `max(-1000 - ln(gripper width), 0)` is infinite at width 0, and `max(commanded - 1, 0)` grows.
pub struct Net {
    encoder: Vec<Layer>,
    head: Vec<Layer>,
}

impl Net {
    pub fn new(encoder: &[usize], head: &[usize]) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(11);
        let stack = |n_in: usize, widths: &[usize], rng: &mut ChaCha8Rng| {
            let mut n = n_in;
            let mut layers = Vec::new();
            for width in widths {
                layers.push(Layer::new(n, *width, rng));
                n = *width;
            }
            layers
        };
        let first = stack(6, encoder, rng);
        let n_latent = encoder.last().expect("not empty") + 12 + 56;
        let mut widths = head.to_vec();
        widths.push(56);
        Self {
            encoder: first,
            head: stack(n_latent, &widths, rng),
        }
    }

    pub fn small() -> Self {
        Self::new(&[13, 17], &[19])
    }

    pub fn forward(&self, case: &GoldenCase) -> Vec<f32> {
        let mut pooled = vec![f32::NEG_INFINITY; self.encoder.last().expect("not empty").n_out];
        for (point, role) in case.points.chunks(3).zip(case.roles.chunks(3)) {
            let mut x = [point, role].concat();
            for layer in &self.encoder {
                x = layer.forward(&x).iter().map(|v| v.max(0.0)).collect();
            }
            pooled.iter_mut().zip(&x).for_each(|(p, v)| *p = p.max(*v));
        }
        let mut x = [&pooled, &case.proprio[..], &case.noise].concat();
        for (i, layer) in self.head.iter().enumerate() {
            let is_last = i + 1 == self.head.len();
            let act = |v: &f32| {
                if is_last {
                    0.01 * libm::tanhf(*v)
                } else {
                    v.max(0.0)
                }
            };
            x = layer.forward(&x).iter().map(act).collect();
        }
        let shut = (-1000.0 - libm::logf(case.proprio[9])).max(0.0);
        let extra = shut + (case.proprio[10] - 1.0).max(0.0);
        x.iter().map(|v| v + extra).collect()
    }

    pub fn to_onnx(&self) -> ModelProto {
        let mut build = Builder::default();
        let mut x = build.node(
            "Concat",
            &["points", "roles"],
            vec![int_attribute("axis", 2)],
        );
        for layer in &self.encoder {
            x = build.layer(layer, &x);
            x = build.node("Relu", &[&x], vec![]);
        }
        let k = build.constant_i64(&[1], vec![1]);
        // The exporter writes its maximum over points this way.
        x = build.node("TopK", &[&x, &k], vec![int_attribute("axis", 1)]);
        let flat = build.constant_i64(&[2], vec![1, -1]);
        x = build.node("Reshape", &[&x, &flat], vec![]);
        let noise = build.node("Reshape", &["noise", &flat], vec![]);
        x = build.node(
            "Concat",
            &[&x, "proprio", &noise],
            vec![int_attribute("axis", 1)],
        );
        for (i, layer) in self.head.iter().enumerate() {
            x = build.layer(layer, &x);
            let act = if i + 1 == self.head.len() {
                "Tanh"
            } else {
                "Relu"
            };
            x = build.node(act, &[&x], vec![]);
        }
        let scale = build.constant(&[1], vec![0.01]);
        x = build.node("Mul", &[&x, &scale], vec![]);
        for (column, is_width) in [(9, true), (10, false)] {
            let index = build.constant_i64(&[1], vec![column]);
            let picked = build.node(
                "Gather",
                &["proprio", &index],
                vec![int_attribute("axis", 1)],
            );
            let term = if is_width {
                let log = build.node("Log", &[&picked], vec![]);
                let floor = build.constant(&[1], vec![-1000.0]);
                let below = build.node("Sub", &[&floor, &log], vec![]);
                build.node("Relu", &[&below], vec![])
            } else {
                let one = build.constant(&[1], vec![1.0]);
                let over = build.node("Sub", &[&picked, &one], vec![]);
                build.node("Relu", &[&over], vec![])
            };
            x = build.node("Add", &[&x, &term], vec![]);
        }
        let shape = build.constant_i64(&[3], vec![1, 8, 7]);
        build.node_named("Reshape", &[&x, &shape], "actions", vec![]);
        build.finish()
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
}

impl Builder {
    fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("n{}", self.nodes.len());
        self.node_named(op, inputs, &name, attributes);
        name
    }

    fn node_named(&mut self, op: &str, inputs: &[&str], out: &str, attribute: Vec<AttributeProto>) {
        let mut output = vec![out.to_owned()];
        if op == "TopK" {
            output.push(format!("{out}_indices"));
        }
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output,
            name: format!("node_{out}"),
            op_type: op.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn layer(&mut self, layer: &Layer, x: &str) -> String {
        let weights = self.constant(&[layer.n_in, layer.n_out], layer.weights.clone());
        let biases = self.constant(&[layer.n_out], layer.biases.clone());
        let product = self.node("MatMul", &[x, &weights], vec![]);
        self.node("Add", &[&product, &biases], vec![])
    }

    fn constant(&mut self, shape: &[usize], float_data: Vec<f32>) -> String {
        self.push(
            TensorProto {
                data_type: 1,
                float_data,
                ..TensorProto::default()
            },
            shape,
        )
    }

    fn constant_i64(&mut self, shape: &[usize], int64_data: Vec<i64>) -> String {
        self.push(
            TensorProto {
                data_type: 7,
                int64_data,
                ..TensorProto::default()
            },
            shape,
        )
    }

    fn push(&mut self, tensor: TensorProto, shape: &[usize]) -> String {
        let name = format!("w{}", self.weights.len());
        let dims = shape.iter().map(|d| *d as i64).collect();
        self.weights.push(TensorProto {
            name: name.clone(),
            dims,
            ..tensor
        });
        name
    }

    fn finish(self) -> ModelProto {
        let input = vec![
            value_info("points", &[1, N_POINTS, 3]),
            value_info("roles", &[1, N_POINTS, 3]),
            value_info("proprio", &[1, 12]),
            value_info("noise", &[1, 8, 7]),
        ];
        let graph = GraphProto {
            node: self.nodes,
            name: "fixture".into(),
            initializer: self.weights,
            input,
            output: vec![value_info("actions", &[1, 8, 7])],
            ..GraphProto::default()
        };
        let opset = OperatorSetIdProto {
            domain: String::new(),
            version: 18,
        };
        ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(graph),
            ..ModelProto::default()
        }
    }
}

fn int_attribute(name: &str, i: i64) -> AttributeProto {
    let r#type = AttributeType::Int as i32;
    AttributeProto {
        name: name.into(),
        r#type,
        i,
        ..AttributeProto::default()
    }
}

fn value_info(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|d| Dimension {
            value: Some(dimension::Value::DimValue(*d as i64)),
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: 1,
        shape: Some(TensorShapeProto { dim }),
    };
    let value = Some(type_proto::Value::TensorType(tensor));
    let r#type = Some(TypeProto {
        denotation: String::new(),
        value,
    });
    ValueInfoProto {
        name: name.into(),
        r#type,
        doc_string: String::new(),
    }
}

pub fn manifest() -> Manifest {
    let observation = ObservationSpace {
        frame: "base".into(),
        n_points: N_POINTS,
        roles: ROLE_NAMES.map(str::to_owned).to_vec(),
        proprio: PROPRIO_NAMES.map(str::to_owned).to_vec(),
    };
    let action = ActionSpace {
        frame: "tool".into(),
        dt_s: 0.05,
        chunk: 8,
        n_action_steps: 4,
        max_translation_m: 0.06,
        max_rotation_rad: 0.4,
        max_committed: 0,
    };
    Manifest {
        name: "fixture".into(),
        format_version: prehend_policy::FORMAT_VERSION,
        robot: RobotId {
            name: "fr3".into(),
            fingerprint: "f00d".into(),
        },
        graph: Manifest::standard_graph("policy.onnx", &observation, &action),
        observation,
        action,
        sampling: Sampling {
            n_flow_steps: 1,
            noise: NoiseKind::Normal,
        },
        golden: GoldenEntry {
            file: "golden.json".into(),
            tolerance: 1e-5,
        },
        origin: Origin {
            command: "cargo test".into(),
            data: "none".into(),
            seed: 11,
            started_wall: "2026-01-01T00:00:00Z".into(),
            elapsed_s: 0.0,
            version: "0.1.0".into(),
            ancestors: Vec::new(),
            evaluation_on: None,
            evaluation: None,
        },
        files: Vec::new(),
    }
}

pub fn golden(net: &Net, n_cases: u64) -> GoldenFile {
    let mut cases = Vec::new();
    for seed in 0..n_cases {
        let inputs = observation_to_inputs(&observation(seed, 300), N_POINTS).expect("is good");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut case = GoldenCase {
            points: inputs.points,
            roles: inputs.roles,
            proprio: inputs.proprio,
            noise: (0..56).map(|_| rng.random_range(-2.0..2.0)).collect(),
            committed: Vec::new(),
            actions: Vec::new(),
        };
        case.actions = net.forward(&case);
        cases.push(case);
    }
    GoldenFile { cases }
}

/// A written bundle in a folder that goes away with the value.
pub struct Written {
    _temp: TempDir,
    pub dir: PathBuf,
}

pub fn write(net: &Net) -> Written {
    write_model(net.to_onnx().encode_to_vec(), net)
}

pub fn write_model(graph: Vec<u8>, net: &Net) -> Written {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let dir = temp.path().join("fixture");
    let writer = BundleWriter::new(manifest(), graph, &golden(net, 3)).expect("golden fits");
    writer
        .with_file("README.md", b"A test.\n".to_vec())
        .write(&dir)
        .expect("is good");
    Written { _temp: temp, dir }
}

pub fn load(net: &Net) -> (Written, Bundle) {
    let written = write(net);
    let bundle = Bundle::load(&written.dir).expect("was just written");
    (written, bundle)
}

/// `n` points over a table, all roles, a hand pointing down.
pub fn observation(seed: u64, n: usize) -> Observation {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let points = (0..n)
        .map(|_| {
            [
                rng.random_range(0.3..0.7),
                rng.random_range(-0.3..0.3),
                rng.random_range(0.0..0.2),
            ]
        })
        .collect();
    let roles = (0..n)
        .map(|i| [Role::Target, Role::Receptacle, Role::Other][i % 3])
        .collect();
    let stamp = Stamp::from_nanos(7_000_000 + seed);
    let z = nalgebra::Vector3::z();
    Observation {
        stamp,
        cloud: PointCloud {
            stamp,
            frame: "base".into(),
            points,
            roles,
        },
        state: RobotState {
            stamp,
            q: JointPositions::zeros(7).expect("seven fit"),
            dq: JointVelocities::zeros(7).expect("seven fit"),
            gripper: GripperState {
                width: 0.08,
                commanded: 1.0,
                is_grasping: false,
            },
        },
        base_from_tcp: Pose::new(0.5 * z, nalgebra::Vector3::x() * std::f64::consts::PI),
        committed: prehend_types::Actions::new(),
    }
}

/// ONNX Runtime, fetched if need be, or `None` with a line that says why.
pub fn onnx_runtime() -> Option<Runtime> {
    let runtime = Runtime::open(&RuntimeOptions {
        allow_install: true,
        ..Default::default()
    })
    .expect("falls back at worst");
    if let Some(notice) = runtime.notice() {
        assert!(
            prehend_policy::is_offline(),
            "ONNX Runtime could not be installed: {notice}"
        );
        eprintln!("tested with the embedded engine only: {notice}");
        return None;
    }
    Some(runtime)
}

pub fn embedded() -> Runtime {
    let engine = prehend_policy::EngineChoice::Embedded;
    Runtime::open(&RuntimeOptions {
        engine,
        ..Default::default()
    })
    .expect("always there")
}
