//! Behaviour of the crate as others see it. The graphs are built in `fixture`: no file is committed.

#![expect(
    clippy::print_stderr,
    reason = "a test says when it covered less than it could"
)]

mod bundle;
mod fixture;
mod graph;
mod observation;
mod policy;
mod runtime;
mod scene_bundle;
mod slot;
