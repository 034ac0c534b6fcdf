//! Behaviour of the controller, judged by the wire checker.

mod allocation;
mod deadlines;
mod guard;
mod hostile;
mod joint_plans;
mod limiter;
mod lockstep;
mod realtime;
mod replay;
mod rig;
mod stopping;
mod torque;
mod tracking;
