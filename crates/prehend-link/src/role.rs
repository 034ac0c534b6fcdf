//! Who a process is to the others, and which topics that lets it send and hear.

use serde::{Deserialize, Serialize};

use crate::Topic;

/// What a process may do on an encrypted link. It is the common name of its certificate, and nothing
/// else that a process says of itself counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Moves the arm: the only one that may send commands.
    Controller,
    /// Owns the arm and the cameras.
    Driver,
    /// Turns what the driver sees into chunks.
    Policy,
    /// Asks for sessions: after one, the arm may move again; and for other policies.
    Operator,
    /// Looks.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Controller,
        Self::Driver,
        Self::Policy,
        Self::Operator,
        Self::Viewer,
    ];

    /// The common name of its certificate, and the name of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Driver => "driver",
            Self::Policy => "policy",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether others may call it, the controller for what it says of itself: its certificate then also holds for
    /// a server. The other roles only call, so that a viewer's certificate is of no use to pose as the driver.
    #[must_use]
    pub const fn listens(self) -> bool {
        matches!(self, Self::Driver | Self::Policy | Self::Controller)
    }

    /// Topics that it may send. Everybody may stop the arm.
    #[must_use]
    pub const fn may_send(self) -> &'static [Topic] {
        use Topic::{
            Chunk, Cloud, Command, Event, Inquiry, JointState, Report, Request, Statistics, Status,
            Stop, Swap, SwapAnswer,
        };
        match self {
            Self::Controller => &[Command, Stop, Statistics],
            Self::Driver => &[Status, JointState, Cloud, Event, Report],
            Self::Policy => &[Chunk, Inquiry, Stop, SwapAnswer],
            Self::Operator => &[Request, Inquiry, Stop, Swap],
            Self::Viewer => &[Stop],
        }
    }

    /// Topics that it may hear.
    #[must_use]
    pub const fn may_hear(self) -> &'static [Topic] {
        use Topic::{
            Chunk, Cloud, Command, Event, Inquiry, JointState, Report, Request, Statistics, Status,
            Stop, Swap, SwapAnswer,
        };
        match self {
            Self::Controller => &[Status, Chunk],
            Self::Driver => &[Command, Request, Stop, Inquiry],
            Self::Policy => &[Status, Cloud, Event, Swap],
            Self::Operator | Self::Viewer => &[
                Status, JointState, Cloud, Chunk, Event, Report, Statistics, SwapAnswer,
            ],
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::named(text).ok_or_else(|| format!("no role is called {text:?}; there are {names}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(may: impl Fn(Role) -> &'static [Topic], topic: Topic) -> Vec<Role> {
        Role::ALL
            .into_iter()
            .filter(|role| may(*role).contains(&topic))
            .collect()
    }

    #[test]
    fn one_role_moves_one_asks_and_all_that_listen_stop() {
        assert_eq!(who(Role::may_send, Topic::Command), [Role::Controller]);
        assert_eq!(who(Role::may_send, Topic::Request), [Role::Operator]);
        let stops = who(Role::may_send, Topic::Stop);
        assert_eq!(stops.len(), Role::ALL.len() - 1, "all but the driver");
        for topic in [Topic::Command, Topic::Request, Topic::Stop, Topic::Inquiry] {
            assert_eq!(who(Role::may_hear, topic), [Role::Driver]);
        }
        assert_eq!(who(Role::may_send, Topic::Swap), [Role::Operator]);
        assert_eq!(who(Role::may_hear, Topic::Swap), [Role::Policy]);
    }
}
