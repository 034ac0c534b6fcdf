//! Behaviour of the runtime: launch files, and nodes on a link.

mod launch_files;
mod mock_driver;
mod nodes;
mod operator;
mod swap;
mod whole_demo;
