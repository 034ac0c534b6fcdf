//! Imports a URDF or MJCF file and prints what became of it:
//! `cargo run --release -p prehend-robot --example import -- FILE [OUT]`. Without FILE, the shipped robot's URDF.

use std::path::PathBuf;

use prehend_robot::import::{ImportOptions, run};

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = match arguments.next() {
        Some(file) => file,
        None => prehend_types::config::locate("robots/fr3/robot.urdf")?,
    };
    let report = run(
        &file,
        &ImportOptions::default(),
        arguments.next().as_deref(),
    )?;
    println!("{report}");
    Ok(())
}
