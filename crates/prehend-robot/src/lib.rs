//! Turns a folder `robots/<name>/` into kinematics, dynamics terms, limits and collision shapes.
//!
//! The folder holds `robot.urdf` (links, joints, inertias, collision shapes, position, speed and
//! torque limits) and `robot.toml` (what a URDF cannot say: acceleration and jerk limits, home,
//! tool frame, gripper). Any serial arm of at most [`MAX_JOINTS`](prehend_types::MAX_JOINTS) joints,
//! with or without a two-finger parallel gripper, loads the same way.
//!
//! A user's URDF or MJCF file without such a folder goes through [`import`], which also drafts one.
//! Collision meshes (STL, OBJ) become convex pieces, [`Shape::Convex`]; the split of concave ones is
//! V-HACD from parry, the geometry library below rapier, and the only thing used of it. [`MeshBody`] is the
//! same for the mesh of an object without a robot.
//!
//! This crate knows nothing of control, simulation or networks: it reads and computes, it never moves
//! anything. Frames: `base` is the link that `robot.toml` names as base, `tcp` its tool centre point.
//!
//! ```
//! use prehend_robot::{IkOptions, Robot};
//!
//! let robot = Robot::load(&prehend_types::config::locate("robots/fr3")?)?;
//! let base_from_tcp = robot.forward(robot.home());
//! let q = robot.inverse(&base_from_tcp, robot.home(), &IkOptions::default())?;
//! assert!((robot.forward(&q).translation.vector - base_from_tcp.translation.vector).norm() < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod actuators;
mod articulation;
mod build;
mod chain;
mod check;
mod collision;
mod dynamics;
mod error;
mod files;
mod gripper;
mod hull;
pub mod import;
mod inertia;
mod intake;
mod inverse;
mod jaw;
mod kinematics;
mod limits;
mod link;
mod llt;
mod mesh;
mod robot;
mod scan;
mod shape;
mod spatial;
mod spec;
mod suspicion;
mod urdf;
mod user_limits;

pub use actuators::{Actuators, JointActuator};
pub use articulation::{Articulation, JointLoad};
pub use error::{IkError, RobotError};
pub use gripper::{Finger, GripperSpec};
pub use hull::{ConvexHull, HullError, Hulled, Plane};
pub use intake::{Dropped, Weight};
pub use inverse::IkOptions;
pub use jaw::{Jaw, JawBox};
pub use kinematics::Jacobian;
pub use limits::{Limits, VelocityEnvelope};
pub use link::{Inertial, Link, Motion, Part};
pub use llt::{JointMatrix, Llt};
pub use mesh::{MeshBody, MeshBodyOptions, MeshError};
pub use robot::{JointDynamics, Robot, TcpSpeed};
pub use shape::{LinkShape, Shape};
pub use spatial::{Twist, Wrench};
pub use suspicion::Suspicion;
pub use user_limits::{Loosened, UserJointLimits, UserLimits};
