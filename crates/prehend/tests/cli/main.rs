//! What the program does with a command line, seen from outside.

mod bad_input;
mod certs;
mod collect;
mod common;
mod eval;
mod fit_camera;
mod live;
mod objects;
mod robot;
mod scenes;
mod scenes_of_meshes;
mod simulator;
mod topics;
mod usage;
