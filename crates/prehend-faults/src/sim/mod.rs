//! The real controller and the real driver shell on one logical clock, with a seeded link between them.
//!
//! Single-threaded and without waiting: a schedule of faults runs as fast as the code does, and the same
//! seed gives the same bits. What stands in for threads and sessions is here ([`Pc`], [`Arm`],
//! [`Channel`]); what is under test is not.

mod account;
mod arm;
mod channel;
mod halts;
mod judge;
mod pc;
mod pilot;
mod rig;
mod schedule;
mod warrant;
mod world;

pub(crate) use account::Account;
pub(crate) use arm::Arm;
pub(crate) use channel::{Channel, Weather};
pub(crate) use halts::Halts;
pub(crate) use judge::{Judge, Rules};
pub(crate) use pc::{Offer, Pc, Pilot};
pub(crate) use pilot::{glide, idle, joint_plan, sway};
pub(crate) use rig::Rig;
pub(crate) use schedule::run_schedules;
pub(crate) use world::{MS, START, Setup, World};
