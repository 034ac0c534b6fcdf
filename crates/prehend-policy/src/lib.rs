//! Turns a bundle in `models/` into timed action chunks.
//!
//! A [`Bundle`] is a folder with `policy.toml`, an ONNX graph and golden inputs with their outputs.
//! [`OnnxPolicy`] checks all of it, finds an inference library ([`Runtime`]) and then maps
//! observations to chunks. Without ONNX Runtime an embedded pure-Rust engine runs the same bundle,
//! about twenty times slower, and one line says so.
//!
//! This is the only crate that names `ort`. It must not know burn (which made the graph), rapier
//! (which made the observations) or zenoh (which carries the commands).

#![forbid(unsafe_code)]

mod bundle;
mod decode;
mod engine;
mod error;
mod folder;
mod gate;
mod golden;
mod graph;
mod inputs;
mod install;
mod latency;
mod library;
mod manifest;
mod onnx_policy;
pub mod pick_place;
mod runtime;
mod search;
mod slot;
mod trial;
mod writer;

pub use bundle::Bundle;
pub use error::{BundleError, InferenceError, RuntimeError};
pub use folder::sha256_hex;
pub use golden::{GoldenCase, GoldenFile};
pub use graph::check_graph;
pub use inputs::{N_PROPRIO, PROPRIO_NAMES, PolicyInputs, ROLE_NAMES, observation_to_inputs};
pub use install::{ONNXRUNTIME_VERSION, install, is_offline};
pub use latency::measure_latency;
pub use library::{Library, check_library};
pub use manifest::{
    ActionSpace, Ancestor, Element, FORMAT_VERSION, FileEntry, GoldenEntry, GraphSpec, Manifest,
    NoiseKind, ObservationSpace, Origin, RobotId, Sampling, TensorSpec, is_plain_name,
};
pub use onnx_policy::OnnxPolicy;
pub use runtime::{EngineChoice, Provider, Runtime, RuntimeOptions};
pub use search::{Candidate, LibrarySource, SearchPlaces};
pub use slot::{PolicySlot, SwapEvent, SwapTerms};
pub use writer::BundleWriter;
