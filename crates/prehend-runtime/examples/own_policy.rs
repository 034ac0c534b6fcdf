//! Runs the demo with a policy of one's own in place of a bundle: here the depth heuristic.
//!
//! `cargo run --release -p prehend-runtime --example own_policy -- 3`

use std::path::Path;

use prehend_runtime::{DemoConfig, LaunchFile, NamedPolicy, Stop, demo};
use prehend_sim::DepthHeuristic;

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let episodes = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let mut launch = LaunchFile::load(Path::new("launch/demo.toml"))?;
    launch.operator.episodes = episodes;
    let policy = NamedPolicy {
        policy: Box::new(DepthHeuristic::default()),
        provider: "none".to_owned(),
    };
    let config = DemoConfig {
        policy: Some(policy),
        ..DemoConfig::new(launch)
    };
    let mut finished = 0;
    let outcome = demo(config, &Stop::default(), &mut |progress| {
        if progress.operator.finished > finished {
            finished = progress.operator.finished;
            println!(
                "{finished} of {episodes} over, {} succeeded",
                progress.operator.successes
            );
        }
    })?;
    println!("{}", serde_json::to_string_pretty(&outcome.whole()?)?);
    Ok(())
}
