//! Turns the driver's section of a launch file into a running driver.

use std::sync::Arc;
use std::time::Duration;

use prehend_drivers::{DriverConfig, Observer, SimDriver, WireReport};
use prehend_link::Link;
use prehend_robot::Robot;
use prehend_sim::SceneConfig;

use crate::{NodeHandle, NodeKind, RuntimeError};

/// How often the node looks whether it should end.
const LOOK: Duration = Duration::from_millis(20);

/// The node that owns the arm: a simulated one.
#[derive(Debug)]
pub struct DriverNode;

impl DriverNode {
    /// Builds the first scene and starts the driver. `observer` sees the world whenever the camera does.
    ///
    /// # Errors
    /// [`RuntimeError::Driver`], [`RuntimeError::Thread`].
    pub fn spawn(
        config: &DriverConfig,
        robot: &Arc<Robot>,
        scene: &Arc<SceneConfig>,
        link: &Link,
        observer: Option<Observer>,
    ) -> Result<NodeHandle<WireReport>, RuntimeError> {
        let observer = observer.unwrap_or_else(|| Box::new(|_| {}));
        let refuse = |error: prehend_drivers::DriverError| RuntimeError::Driver {
            reason: error.to_string(),
        };
        let driver =
            SimDriver::spawn_observed(config, robot, scene, link, observer).map_err(refuse)?;
        NodeHandle::spawn(NodeKind::Driver, move |stop| {
            while !stop.is_set() && driver.is_running() {
                std::thread::sleep(LOOK);
            }
            driver.stop().map_err(refuse)
        })
    }
}
