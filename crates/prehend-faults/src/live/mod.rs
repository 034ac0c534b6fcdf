//! The same nodes in real time: sessions over loopback, threads, processes.

mod cell;
mod driver;
mod link;
mod loads;
mod machine;
mod partitions;
mod policy;
mod process;
mod proxy;

pub(crate) use link::{close_under_stall, cloud_stream, restarted_publisher, slow_subscriber};
pub(crate) use loads::{busy_disk, flood, slow_telemetry, visitors};
pub(crate) use machine::{few_descriptors, hogs, no_realtime, panicking_policy, peak_memory};
pub(crate) use partitions::{
    bunching, deaf_controller, deaf_driver, flapping, healed, policy_killed, reconnect,
};
pub(crate) use policy::{load_unload, odd_clouds};
pub(crate) use process::{blocked_log, stall_of_ten_periods, stalls};
