//! Turns endpoints of running nodes into links of a visitor: one who looks, and is none of the nodes.

use std::thread;
use std::time::Duration;

use prehend_link::{Link, LinkConfig, LinkError, Presence, Role, TlsConfig};

use crate::launch::{LaunchFile, has_port_zero};
use crate::{NodeKind, RuntimeError};

/// How long a node may take to answer, when it runs.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Where a node listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which node, if a launch file says so.
    pub node: Option<NodeKind>,
    /// Its endpoint.
    pub endpoint: String,
    /// Whether it answered.
    pub reached: bool,
}

/// Links to the nodes that answered, a session for each. A visitor listens on nothing, and publishes
/// nothing by itself. Peers do not relay, so it hears what the nodes that it reaches say, and no others.
#[derive(Debug)]
pub struct Visit {
    robot: String,
    places: Vec<Place>,
    links: Vec<Link>,
}

impl Visit {
    /// Visits every node of a launch file that listens, with the certificate of `role` on an encrypted link.
    ///
    /// # Errors
    /// [`RuntimeError::PortNotKnown`]; [`RuntimeError::Link`] if none answers.
    pub fn of_launch(launch: &LaunchFile, role: Role) -> Result<Self, RuntimeError> {
        let mut wanted = Vec::new();
        for node in NodeKind::ALL {
            // What a control loop says of itself is all that visitors hear of it.
            let wires = launch.wires(node);
            let Some(endpoint) = wires.listen.as_ref().or(wires.listen_statistics.as_ref()) else {
                continue;
            };
            let endpoint = endpoint.clone();
            if has_port_zero(&endpoint) {
                return Err(RuntimeError::PortNotKnown { node, endpoint });
            }
            wanted.push((Some(node), endpoint));
        }
        Self::open(&launch.link.robot, launch.tls_config(role), wanted)
    }

    /// Visits whoever listens on these endpoints; those beyond this machine, and encrypted ones, only with
    /// `tls`.
    ///
    /// # Errors
    /// [`RuntimeError::Link`] if an endpoint makes no sense, or none answers.
    pub fn of_endpoints(
        robot: &str,
        endpoints: &[String],
        tls: Option<TlsConfig>,
    ) -> Result<Self, RuntimeError> {
        let wanted = endpoints.iter().map(|endpoint| (None, endpoint.clone()));
        Self::open(robot, tls, wanted.collect())
    }

    fn open(
        robot: &str,
        tls: Option<TlsConfig>,
        wanted: Vec<(Option<NodeKind>, String)>,
    ) -> Result<Self, RuntimeError> {
        let config = |endpoint: &str| LinkConfig {
            node: "visitor".to_owned(),
            tls: tls.clone(),
            connect_timeout_millis: PATIENCE.as_millis() as u32,
            ..LinkConfig::for_robot(robot).connecting(endpoint)
        };
        for (_, endpoint) in &wanted {
            config(endpoint).check()?;
        }
        // At once: one that does not answer costs no more than the patience.
        let opened: Vec<Result<Link, LinkError>> = thread::scope(|scope| {
            let open = |(_, endpoint): &(Option<NodeKind>, String)| {
                let config = config(endpoint);
                scope.spawn(move || Link::open(&config))
            };
            let opening: Vec<_> = wanted.iter().map(open).collect();
            let panicked = |endpoint: &String| LinkError::Open {
                listen: Vec::new(),
                connect: vec![endpoint.clone()],
                reason: "opening it panicked".to_owned(),
            };
            let opened = opening.into_iter().zip(&wanted);
            opened
                .map(|(thread, (_, endpoint))| {
                    thread.join().unwrap_or_else(|_| Err(panicked(endpoint)))
                })
                .collect()
        });
        let (mut places, mut links, mut first_error) = (Vec::new(), Vec::new(), None);
        for ((node, endpoint), link) in wanted.into_iter().zip(opened) {
            places.push(Place {
                node,
                endpoint,
                reached: link.is_ok(),
            });
            match link {
                Ok(link) => links.push(link),
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        match first_error {
            Some(error) if links.is_empty() => Err(error.into()),
            _ => Ok(Self {
                robot: robot.to_owned(),
                places,
                links,
            }),
        }
    }

    /// Name of the robot.
    #[must_use]
    pub fn robot(&self) -> &str {
        &self.robot
    }

    /// Every endpoint, and whether somebody answered.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// One link to each node that answered.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The link to whoever takes commands: the driver where a launch file says which it is, else the first
    /// that answered.
    ///
    /// # Errors
    /// [`RuntimeError::NotReady`] if the driver did not answer.
    pub fn driver(&self) -> Result<&Link, RuntimeError> {
        self.node(NodeKind::Driver).ok_or(RuntimeError::NotReady {
            what: "the driver did not answer",
            seconds: PATIENCE.as_secs_f64(),
            remedy: "is the driver running?".into(),
        })
    }

    /// The link to whoever decides, as [`Self::driver`].
    ///
    /// # Errors
    /// [`RuntimeError::NotReady`] if the policy node did not answer.
    pub fn policy(&self) -> Result<&Link, RuntimeError> {
        self.node(NodeKind::Policy).ok_or(RuntimeError::NotReady {
            what: "the policy node did not answer",
            seconds: PATIENCE.as_secs_f64(),
            remedy: "is it running, and does it listen?".into(),
        })
    }

    fn node(&self, node: NodeKind) -> Option<&Link> {
        let reached = self.places.iter().filter(|place| place.reached);
        let mut linked = reached.zip(&self.links);
        let found = linked.find(|(place, _)| place.node.is_none_or(|of| of == node));
        found.map(|(_, link)| link)
    }

    /// What the reached nodes send and receive, sorted.
    ///
    /// # Errors
    /// [`RuntimeError::Link`].
    pub fn presence(&self) -> Result<Vec<Presence>, RuntimeError> {
        let mut all = Vec::new();
        for link in &self.links {
            all.extend(link.presence(PATIENCE)?);
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}
