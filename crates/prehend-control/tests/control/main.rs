//! Behaviour of the controller, judged by the wire checker.

mod allocation;
mod guard;
mod hostile;
mod joint_plans;
mod limiter;
mod realtime;
mod rig;
mod stopping;
mod torque;
mod tracking;
