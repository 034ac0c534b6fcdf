//! Turns a few settings into a zenoh configuration that finds nobody and is found by nobody else.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use serde::{Deserialize, Serialize};

use crate::LinkError;

const MAX_ENDPOINTS: usize = 16;

/// Where a process listens and whom it calls. There is no discovery: peers meet only on the
/// endpoints written here, and peers do not relay, so every pair that talks needs a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Name of the robot, the second part of every key: letters, digits, `_` and `-`.
    pub robot: String,
    /// What this process is called where the data flow is shown; same letters. Default `unnamed`.
    #[serde(default = "default_node")]
    pub node: String,
    /// Endpoints to listen on, for example `tcp/127.0.0.1:7450`. Default none.
    #[serde(default)]
    pub listen: Vec<String>,
    /// Endpoints to connect to. Default none.
    #[serde(default)]
    pub connect: Vec<String>,
    /// How long `open` retries until all of `connect` answer, ms. Default 10,000.
    #[serde(default = "default_connect_timeout_millis")]
    pub connect_timeout_millis: u32,
    /// Allows endpoints beyond this machine. Nothing on the link is encrypted or authenticated:
    /// whoever reaches the port can move the robot. Default false.
    #[serde(default)]
    pub allow_remote: bool,
}

fn default_node() -> String {
    "unnamed".to_owned()
}
const fn default_connect_timeout_millis() -> u32 {
    10_000
}

impl LinkConfig {
    /// A link inside one process: no listening, no connecting.
    #[must_use]
    pub fn for_robot(robot: &str) -> Self {
        Self {
            robot: robot.to_owned(),
            node: default_node(),
            listen: Vec::new(),
            connect: Vec::new(),
            connect_timeout_millis: default_connect_timeout_millis(),
            allow_remote: false,
        }
    }

    /// The same link, listening on one more endpoint.
    #[must_use]
    pub fn listening(mut self, endpoint: &str) -> Self {
        self.listen.push(endpoint.to_owned());
        self
    }

    /// The same link, connected to one more endpoint.
    #[must_use]
    pub fn connecting(mut self, endpoint: &str) -> Self {
        self.connect.push(endpoint.to_owned());
        self
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`LinkError::Config`] naming the field and the remedy.
    pub fn check(&self) -> Result<(), LinkError> {
        for (field, name) in [("robot", &self.robot), ("node", &self.node)] {
            if !is_name(name) {
                let message =
                    format!("{name:?} is not a name of 1 to 64 letters, digits, `_` or `-`");
                return Err(LinkError::Config { field, message });
            }
        }
        self.check_endpoints("listen", &self.listen)?;
        self.check_endpoints("connect", &self.connect)
    }

    fn check_endpoints(&self, field: &'static str, endpoints: &[String]) -> Result<(), LinkError> {
        let refuse = |message| Err(LinkError::Config { field, message });
        if endpoints.len() > MAX_ENDPOINTS {
            return refuse(format!(
                "{} endpoints, at most {MAX_ENDPOINTS}",
                endpoints.len()
            ));
        }
        for endpoint in endpoints {
            let Some((host, port)) = host_and_port(endpoint) else {
                return refuse(format!(
                    "{endpoint:?} is not `tcp/<address>:<port>`, for example `tcp/127.0.0.1:7450`"
                ));
            };
            if field == "connect" && port == 0 {
                return refuse(format!("{endpoint:?}: nobody answers on port 0"));
            }
            if !self.allow_remote && !is_loopback(host) {
                return refuse(format!(
                    "{endpoint:?} reaches beyond this machine, unencrypted and without a password; \
                     use 127.0.0.1, or set `allow_remote = true` on a network that is yours alone"
                ));
            }
        }
        Ok(())
    }

    /// Whether each endpoint can be listened on, so that the error names the one that cannot.
    pub(crate) fn probe_listen(&self) -> Result<(), LinkError> {
        for endpoint in &self.listen {
            let Some((host, port)) = host_and_port(endpoint) else {
                continue;
            };
            if let Err(source) = TcpListener::bind((host.trim_matches(['[', ']']), port)) {
                let endpoint = endpoint.clone();
                return Err(match source.kind() {
                    std::io::ErrorKind::AddrInUse => LinkError::PortTaken { endpoint },
                    _ => LinkError::Listen { endpoint, source },
                });
            }
        }
        Ok(())
    }

    pub(crate) fn to_zenoh(&self) -> Result<zenoh::Config, LinkError> {
        let json = |value: &[String]| serde_json::Value::from(value.to_vec()).to_string();
        let settings = [
            ("mode", "\"peer\"".to_owned()),
            ("listen/endpoints", json(&self.listen)),
            ("listen/exit_on_failure", "true".to_owned()),
            ("connect/endpoints", json(&self.connect)),
            (
                "connect/timeout_ms",
                self.connect_timeout_millis.to_string(),
            ),
            ("connect/exit_on_failure", "true".to_owned()),
            // A process of the same launch file may start a moment later: ask again soon.
            (
                "connect/retry",
                r#"{"period_init_ms":50,"period_max_ms":500,"period_increase_factor":2}"#
                    .to_owned(),
            ),
            ("scouting/multicast/enabled", "false".to_owned()),
            ("scouting/gossip/enabled", "false".to_owned()),
            ("scouting/delay", "0".to_owned()),
            ("adminspace/enabled", "false".to_owned()),
            ("timestamping/enabled", "false".to_owned()),
            // The default of 2 drops commands whenever the sending thread is a few milliseconds late.
            ("transport/link/tx/queue/size/real_time", "16".to_owned()),
        ];
        let mut config = zenoh::Config::default();
        for (key, value) in settings {
            config
                .insert_json5(key, &value)
                .map_err(|error| LinkError::Config {
                    field: "endpoints",
                    message: format!("zenoh refuses `{key}` = {value}: {error}"),
                })?;
        }
        Ok(config)
    }
}

/// A TCP endpoint on this machine that nobody listened on a moment ago, chosen by the system.
///
/// # Errors
/// [`LinkError::Listen`] if the machine has no free port.
pub fn free_loopback_endpoint() -> Result<String, LinkError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| format!("tcp/{address}"))
        .map_err(|source| LinkError::Listen {
            endpoint: "tcp/127.0.0.1:0".to_owned(),
            source,
        })
}

/// Whether a text may be one part of a key, and be printed as it is.
pub(crate) fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(fine)
}

/// Splits `tcp/<host>:<port>`. zenoh's own options behind `?` and `#` are not accepted: one of them
/// (`bind`, `iface`) could undo the check of the address.
fn host_and_port(endpoint: &str) -> Option<(&str, u16)> {
    let address = endpoint.strip_prefix("tcp/")?;
    if address.contains(['?', '#', '/']) {
        return None;
    }
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then_some(())?;
    Some((host, port.parse().ok()?))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, allow_remote: bool) -> Result<(), String> {
        let mut config = LinkConfig::for_robot("fr3").listening(listen);
        config.allow_remote = allow_remote;
        config.check().map_err(|error| error.to_string())
    }

    #[test]
    fn only_loopback_is_allowed_unless_asked_for() {
        for fine in ["tcp/127.0.0.1:0", "tcp/localhost:7450", "tcp/[::1]:7450"] {
            assert_eq!(check(fine, false), Ok(()));
        }
        for remote in [
            "tcp/0.0.0.0:7450",
            "tcp/[::]:7450",
            "tcp/10.0.0.2:7450",
            "tcp/cell:1",
        ] {
            let shown = check(remote, false).expect_err("beyond loopback");
            assert!(
                shown.contains("allow_remote") && shown.contains(remote),
                "{shown}"
            );
            assert_eq!(check(remote, true), Ok(()));
        }
    }

    #[test]
    fn malformed_endpoints_are_refused() {
        for bad in [
            "127.0.0.1:7450",
            "udp/127.0.0.1:1",
            "tcp/127.0.0.1",
            "tcp/127.0.0.1:99999",
            "tcp/:7450",
            "tcp/127.0.0.1:7450#iface=eth0",
            "",
        ] {
            assert!(check(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_robot_name_cannot_widen_a_key() {
        for bad in ["", "**", "a/b", "@", "fr3 "] {
            assert!(LinkConfig::for_robot(bad).check().is_err(), "{bad:?}");
        }
    }
}
