//! The same nodes in real time: sessions over loopback, threads, processes.

mod bulk;
mod cell;
mod driver;
mod feed;
mod link;
mod loads;
mod machine;
mod partitions;
mod policy;
mod process;
mod proxy;

pub(crate) use cell::NO_PROGRAM;
pub(crate) use link::{close_under_stall, cloud_stream, restarted_publisher, slow_subscriber};
pub(crate) use loads::{busy_disk, flood, slow_telemetry, visitors};
pub(crate) use machine::{PeakMemory, few_descriptors, hogs, no_realtime, panicking_policy};
pub(crate) use partitions::{
    bunching, deaf_controller, deaf_driver, flapping, healed, policy_killed, reconnect,
};
pub(crate) use policy::{load_unload, odd_clouds};
pub(crate) use process::{blocked_log, stall_of_ten_periods, stalls};
