//! Turns point clouds and proprioception into actions: burn modules.
//!
//! [`FlowPolicyNet`] is the whole policy as one module, from raw clouds in metres to actions in metres
//! and radians: frame change, encoder, flow head, Euler steps and normaliser. Only operations that
//! burn-onnx can lower are used in its forward pass, so that what is exported is what was trained.
//!
//! This crate must not know simulation or files.

#![forbid(unsafe_code)]

mod encoder;
mod frames;
mod head;
mod layers;
mod normaliser;
mod params;
pub mod pick_place;
mod policy_net;

pub use encoder::CloudEncoder;
pub use head::FlowHead;
pub use layers::Norm;
pub use normaliser::{ActionNormaliser, ActionScale};
pub use params::{flatten, unflatten};
pub use policy_net::{Committed, FlowPolicyConfig, FlowPolicyNet, PolicyBatch};

/// Columns of one action: translation (3, m), rotation vector (3, rad), gripper opening (0..1).
pub const ACTION_DIM: usize = 7;
/// Columns of `proprio`: TCP position (3), first two columns of its rotation matrix (6), gripper width,
/// last commanded opening, grasping flag.
pub const PROPRIO_DIM: usize = 12;
/// Columns of `roles`: target, receptacle, other.
pub const N_ROLES: usize = 3;
