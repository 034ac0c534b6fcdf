//! The settings of a link: who it is, where it listens and whom it calls.

use serde::{Deserialize, Serialize};

use crate::session::Carries;
use crate::{LinkError, TlsConfig, endpoint};

const MAX_ENDPOINTS: usize = 16;
/// Where a process listens and whom it calls. There is no discovery: peers meet only on the
/// endpoints written here, and peers do not relay, so every pair that talks needs a connection.
///
/// Commands have a session of their own wherever endpoints for it are given: nothing else is queued
/// before them, waits on their connection, or fills its buffers. So has what a control loop says of itself:
/// whoever watches it is connected to nothing else of it. Without such endpoints one session carries all.
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
    /// Endpoints that the session for commands listens on. Default none.
    #[serde(default)]
    pub listen_commands: Vec<String>,
    /// Endpoints that the session for commands connects to. Default none.
    #[serde(default)]
    pub connect_commands: Vec<String>,
    /// Endpoints that the session for statistics listens on. Default none.
    #[serde(default)]
    pub listen_statistics: Vec<String>,
    /// Endpoints that the session for statistics connects to. Default none.
    #[serde(default)]
    pub connect_statistics: Vec<String>,
    /// How long `open` retries until all of them answer, ms. Default 10,000.
    #[serde(default = "default_connect_timeout_millis")]
    pub connect_timeout_millis: u32,
    /// Encrypts everything, and lets in only whom the same authority signed, each to what its role may do.
    /// Endpoints then are `tls/…`, and may lie beyond this machine. Default none: nothing is encrypted, and
    /// nobody beyond this machine can connect.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
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
            listen_commands: Vec::new(),
            connect_commands: Vec::new(),
            listen_statistics: Vec::new(),
            connect_statistics: Vec::new(),
            connect_timeout_millis: default_connect_timeout_millis(),
            tls: None,
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
                // Whoever sends ten thousand letters does not get them all back.
                let shown: String = name.chars().take(64).collect();
                let message =
                    format!("{shown:?} is not a name of 1 to 64 letters, digits, `_` or `-`");
                return Err(LinkError::Config { field, message });
            }
        }
        self.check_endpoints("listen", &self.listen)?;
        self.check_endpoints("connect", &self.connect)?;
        self.check_endpoints("listen_commands", &self.listen_commands)?;
        self.check_endpoints("connect_commands", &self.connect_commands)?;
        self.check_endpoints("listen_statistics", &self.listen_statistics)?;
        self.check_endpoints("connect_statistics", &self.connect_statistics)
    }

    /// Where the session for this listens, and whom it calls.
    pub(crate) fn endpoints(&self, carries: Carries) -> (&[String], &[String]) {
        match carries {
            Carries::Commands => (&self.listen_commands, &self.connect_commands),
            Carries::Statistics => (&self.listen_statistics, &self.connect_statistics),
            Carries::Rest => (&self.listen, &self.connect),
        }
    }

    /// Whether these have a session of their own.
    pub(crate) fn separates(&self, carries: Carries) -> bool {
        let (listen, connect) = self.endpoints(carries);
        !(listen.is_empty() && connect.is_empty())
    }

    fn check_endpoints(&self, field: &'static str, endpoints: &[String]) -> Result<(), LinkError> {
        let refuse = |message| Err(LinkError::Config { field, message });
        if endpoints.len() > MAX_ENDPOINTS {
            return refuse(format!(
                "{} endpoints, at most {MAX_ENDPOINTS}",
                endpoints.len()
            ));
        }
        let role = self.tls.as_ref().map(|tls| tls.role);
        for endpoint in endpoints {
            endpoint::check(endpoint, role, field.starts_with("listen")).or_else(refuse)?;
        }
        Ok(())
    }
}

/// Whether a text may be one part of a key, and be printed as it is.
pub(crate) fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Role;

    fn plain() -> LinkConfig {
        LinkConfig::for_robot("fr3")
    }

    fn encrypted(role: Role) -> LinkConfig {
        LinkConfig {
            tls: Some(TlsConfig::of_folder(Path::new("certs"), role)),
            ..plain()
        }
    }

    fn refused(config: &LinkConfig, words: &[&str]) {
        let shown = config.check().expect_err("not allowed").to_string();
        for word in words {
            assert!(shown.contains(word), "{word:?} is not in: {shown}");
        }
    }

    #[test]
    fn nothing_leaves_this_machine_unencrypted() {
        for fine in ["tcp/127.0.0.1:0", "tcp/localhost:7450", "tcp/[::1]:7450"] {
            plain().listening(fine).check().expect("loopback");
        }
        for remote in [
            "tcp/0.0.0.0:7450",
            "tcp/[::]:7450",
            "tcp/10.0.0.2:7450",
            "tcp/cell:1",
        ] {
            let words = [remote, "unencrypted", "prehend certs new", "[link.tls]"];
            refused(&plain().listening(remote), &words);
            refused(&plain().connecting(remote), &words);
            refused(&encrypted(Role::Driver).listening(remote), &words);
            let commands = LinkConfig {
                listen_commands: vec![remote.to_owned()],
                ..plain()
            };
            refused(&commands, &words);
        }
        refused(
            &plain().listening("tls/127.0.0.1:1"),
            &["without certificates"],
        );
    }

    #[test]
    fn with_certificates_other_machines_are_reached_but_no_network_by_accident() {
        for fine in ["tls/127.0.0.1:0", "tls/10.0.0.2:7450", "tls/cell.local:1"] {
            let config = encrypted(Role::Driver).listening(fine);
            config.check().expect("encrypted");
        }
        for wildcard in [
            "tls/0.0.0.0:7450",
            "tls/[::]:7450",
            "tls/[::ffff:0.0.0.0]:7450",
        ] {
            let config = encrypted(Role::Driver).listening(wildcard);
            refused(&config, &["every network", "address of one"]);
        }
        let config = encrypted(Role::Driver).listening("tcp/127.0.0.1:1");
        refused(&config, &["with certificates"]);
        let config = encrypted(Role::Viewer).listening("tls/127.0.0.1:1");
        refused(&config, &["viewer", "connect instead"]);
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
            "tls/127.0.0.1:7450#enable_mtls=false",
            "tls/127.0.0.1:7450?rel=0",
            "tls/0:7450",
            "tls/0x0:7450",
            "tls/*:7450",
            "tls/cell\u{202e}:7450",
            "",
        ] {
            assert!(plain().listening(bad).check().is_err(), "{bad}");
            let config = encrypted(Role::Driver).listening(bad);
            assert!(config.check().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_cannot_widen_a_key_or_fool_a_terminal() {
        let long = "x".repeat(10 << 10);
        for bad in [
            "",
            "**",
            "*",
            "$*",
            "a/b",
            "a/../b",
            "@",
            "fr3 ",
            "fr3\n",
            "\u{202e}3rf",
            "\u{1b}[2J",
            &long,
        ] {
            refused(&LinkConfig::for_robot(bad), &["robot"]);
            let node = LinkConfig {
                node: bad.to_owned(),
                ..plain()
            };
            let error = node.check().expect_err("no name").to_string();
            let escaped = error.chars().all(|c| !c.is_control() && c != '\u{202e}');
            assert!(escaped && error.len() < 400, "{error}");
        }
    }
}
