//! Behaviour of the controller, judged by the wire checker.

mod allocation;
mod deadlines;
mod hostile;
mod joint_plans;
mod lockstep;
mod realtime;
mod rig;
mod stopping;
mod torque;
mod tracking;
