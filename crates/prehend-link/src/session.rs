//! Turns the settings of a link into zenoh sessions that find nobody and are found by nobody else.

use serde_json::{Value, json};
use zenoh::Wait;

use crate::closing::OpenSession;
use crate::endpoint::protocol;
use crate::{LinkConfig, LinkError, TlsConfig, access};

/// Longest silence of a peer before its connection counts as gone, ms; it says that it is there four times
/// as often. Nothing about safety hangs on it: an arm stops when its commands expire, much earlier.
const LEASE_MILLIS: u32 = 3000;
/// A connection on which something that must arrive, the end of a subscription say, found no room for so long
/// is given up, us.
const STUCK_MICROS: u32 = 1_000_000;
/// Longest that a stranger may take to introduce itself, ms, and how many may be at it at a time.
const ACCEPT_MILLIS: u32 = 2000;
const ACCEPT_PENDING: u32 = 32;
const MAX_PEERS: u32 = 64;

/// What a zenoh session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Joint commands and nothing else.
    Commands,
    /// What the control loop says of itself, and nothing else.
    Statistics,
    /// Everything that has no session of its own.
    Rest,
}

impl Carries {
    /// Largest message that is put together from fragments, bytes. Beyond it, what a peer sends is thrown
    /// away as it comes.
    const fn max_message_bytes(self) -> u32 {
        match self {
            Self::Commands | Self::Statistics => 1 << 20,
            Self::Rest => 64 << 20,
        }
    }
}

/// Opens the session for one of the two.
pub(crate) fn open(config: &LinkConfig, carries: Carries) -> Result<OpenSession, LinkError> {
    let (listen, connect) = config.endpoints(carries);
    zenoh::open(config.to_zenoh(carries)?)
        .wait()
        .map(OpenSession::new)
        .map_err(|error| LinkError::Open {
            listen: listen.to_vec(),
            connect: connect.to_vec(),
            reason: error.to_string(),
        })
}

impl LinkConfig {
    /// The configuration of one session, every key of it written out that opens or bounds something.
    fn to_zenoh(&self, carries: Carries) -> Result<zenoh::Config, LinkError> {
        let (listen, connect) = self.endpoints(carries);
        let mut settings = vec![
            ("mode", json!("peer")),
            ("listen/endpoints", json!(listen)),
            ("listen/exit_on_failure", json!(true)),
            ("connect/endpoints", json!(connect)),
            ("connect/timeout_ms", json!(self.connect_timeout_millis)),
            ("connect/exit_on_failure", json!(true)),
            // A process of the same launch file may start a moment later: ask again soon.
            (
                "connect/retry",
                json!({ "period_init_ms": 50, "period_max_ms": 500, "period_increase_factor": 2 }),
            ),
            ("scouting/multicast/enabled", json!(false)),
            ("scouting/gossip/enabled", json!(false)),
            ("scouting/delay", json!(0)),
            ("adminspace/enabled", json!(false)),
            ("timestamping/enabled", json!(false)),
            (
                "transport/link/protocols",
                json!([protocol(self.tls.is_some())]),
            ),
            ("transport/link/tx/lease", json!(LEASE_MILLIS)),
            ("transport/unicast/accept_timeout", json!(ACCEPT_MILLIS)),
            ("transport/unicast/accept_pending", json!(ACCEPT_PENDING)),
            ("transport/unicast/max_sessions", json!(MAX_PEERS)),
            (
                "transport/link/rx/max_message_size",
                json!(carries.max_message_bytes()),
            ),
            (
                "transport/link/tx/queue/congestion_control/block/wait_before_close",
                json!(STUCK_MICROS),
            ),
            // The default of 2 drops commands whenever the sending thread is a few milliseconds late.
            ("transport/link/tx/queue/size/real_time", json!(16)),
        ];
        let tls = self.tls.as_ref();
        settings.extend(tls.map(|tls| ("access_control", access::rules(&self.robot, tls.role))));
        let mut settings: Vec<(String, Value)> = settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        for (key, value) in tls.map(TlsConfig::to_zenoh).into_iter().flatten() {
            settings.push((format!("transport/link/tls/{key}"), value));
        }
        let mut config = zenoh::Config::default();
        for (key, value) in settings {
            config
                .insert_json5(&key, &value.to_string())
                .map_err(|error| LinkError::Config {
                    field: "endpoints",
                    message: format!("zenoh refuses `{key}` = {value}: {error}"),
                })?;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Role;

    fn plain() -> LinkConfig {
        LinkConfig::for_robot("fr3")
    }

    fn encrypted() -> LinkConfig {
        LinkConfig {
            tls: Some(TlsConfig::of_folder(Path::new("certs"), Role::Driver)),
            ..plain()
        }
    }

    /// What zenoh is told, key by key: a default that opens something must not come back.
    #[test]
    fn zenoh_finds_nobody_and_takes_bounded_messages() {
        let limits = [(Carries::Commands, "1048576"), (Carries::Rest, "67108864")];
        for (carries, limit) in limits {
            for config in [plain(), encrypted()] {
                let zenoh = config.to_zenoh(carries).expect("valid");
                let get = |key: &str| zenoh.get_json(key).expect("known");
                for closed in [
                    "scouting/multicast/enabled",
                    "scouting/gossip/enabled",
                    "adminspace/enabled",
                ] {
                    assert_eq!(get(closed), "false", "{closed}");
                }
                assert_eq!(get("listen/endpoints"), "[]");
                assert_eq!(get("transport/link/rx/max_message_size"), limit);
                assert_eq!(get("transport/link/tx/lease"), "3000");
                let protocol = format!("[\"{}\"]", protocol(config.tls.is_some()));
                assert_eq!(get("transport/link/protocols"), protocol);
            }
        }
    }

    #[test]
    fn certificates_are_asked_of_both_ends_and_bound_what_passes() {
        let zenoh = encrypted().to_zenoh(Carries::Commands);
        let zenoh = zenoh.expect("valid");
        let get = |key: &str| zenoh.get_json(key).expect("known");
        for on in [
            "enable_mtls",
            "verify_name_on_connect",
            "close_link_on_expiration",
        ] {
            assert_eq!(get(&format!("transport/link/tls/{on}")), "true", "{on}");
        }
        let access: Value = serde_json::from_str(&get("access_control")).expect("JSON");
        assert_eq!(
            (&access["enabled"], &access["default_permission"]),
            (&true.into(), &"deny".into())
        );
        // The id of a session is nothing that anybody has to prove.
        assert!(
            access["subjects"]
                .as_array()
                .expect("a list")
                .iter()
                .all(|s| s["zids"].is_null())
        );
    }
}
