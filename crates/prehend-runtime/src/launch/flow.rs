//! Checks the data flow that a launch file claims: topics against what the nodes do, and that whoever
//! shares a topic is connected.

use prehend_link::{LinkConfig, LinkError, Topic};

use super::{Fault, LaunchFile, Wires, has_port_zero, need};
use crate::NodeKind;

/// What a node really sends and receives.
const fn topics(node: NodeKind) -> (&'static [Topic], &'static [Topic]) {
    use Topic::{
        Chunk, Cloud, Command, Event, Inquiry, JointState, Report, Request, Statistics, Status,
        Stop, Swap, SwapAnswer,
    };
    match node {
        NodeKind::Driver => (
            &[Status, JointState, Cloud, Event, Report],
            &[Command, Request, Stop, Inquiry],
        ),
        NodeKind::Policy => (&[Chunk, Inquiry, SwapAnswer], &[Status, Cloud, Event, Swap]),
        NodeKind::Control => (&[Command, Statistics], &[Status, Chunk]),
        NodeKind::Operator => (
            &[Request, Inquiry],
            &[Status, Chunk, Event, Report, Statistics],
        ),
    }
}

/// Whether one of the two sends the topic and the other receives it.
pub(super) fn talk(one: NodeKind, other: NodeKind, topic: Topic) -> bool {
    let goes = |from: NodeKind, to: NodeKind| {
        topics(from).0.contains(&topic) && topics(to).1.contains(&topic)
    };
    goes(one, other) || goes(other, one)
}

/// One topic between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// What is sent.
    pub topic: Topic,
    /// Who sends it.
    pub from: NodeKind,
    /// Who receives it.
    pub to: NodeKind,
}

impl LaunchFile {
    /// The data flow, topic by topic. The same for every launch file: what a file says is checked against it.
    #[must_use]
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for topic in Topic::ALL {
            for from in NodeKind::ALL
                .into_iter()
                .filter(|node| topics(*node).0.contains(&topic))
            {
                let receivers = NodeKind::ALL.into_iter();
                let receivers = receivers.filter(|node| topics(*node).1.contains(&topic));
                edges.extend(receivers.map(|to| Edge { topic, from, to }));
            }
        }
        edges
    }
}

pub(super) fn check(file: &LaunchFile) -> Result<(), Fault> {
    for node in NodeKind::ALL {
        let wires = file.wires(node);
        let (sends, receives) = topics(node);
        same_topics(node, "sends", &wires.sends, sends)?;
        same_topics(node, "receives", &wires.receives, receives)?;
        check_connections(file, node, wires)?;
    }
    check_endpoints(file)?;
    for sender in NodeKind::ALL {
        for receiver in NodeKind::ALL {
            check_pair(file, sender, receiver)?;
        }
    }
    check_commands(file)?;
    check_statistics(file)?;
    for node in NodeKind::ALL {
        // Says what is wrong with an endpoint or with the robot's name. What a node connects to is
        // what another listens on, where port 0 is fine until somebody has chosen one.
        let own = LinkConfig {
            connect: Vec::new(),
            connect_commands: Vec::new(),
            connect_statistics: Vec::new(),
            ..file.link_config(node)
        };
        own.check().map_err(|error| Fault {
            field: match &error {
                LinkError::Config { field: "robot", .. } => "link.robot".to_owned(),
                LinkError::Config {
                    field: "listen_commands",
                    ..
                } => format!("{node}.wires.listen_commands"),
                LinkError::Config {
                    field: "listen_statistics",
                    ..
                } => format!("{node}.wires.listen_statistics"),
                _ => format!("{node}.wires.listen"),
            },
            message: error.to_string(),
        })?;
    }
    Ok(())
}

fn same_topics(
    node: NodeKind,
    field: &str,
    written: &[String],
    real: &[Topic],
) -> Result<(), Fault> {
    let field = format!("{node}.wires.{field}");
    for (index, name) in written.iter().enumerate() {
        let is_real = real.iter().any(|topic| topic.name() == name);
        let known = real
            .iter()
            .map(|topic| topic.name())
            .collect::<Vec<_>>()
            .join("`, `");
        need(
            is_real,
            &field,
            format!("`{name}` is none of this node's topics here, which are `{known}`"),
        )?;
        need(
            !written[..index].contains(name),
            &field,
            format!("`{name}` is written twice"),
        )?;
    }
    for topic in real {
        need(
            written.iter().any(|name| name == topic.name()),
            &field,
            format!(
                "`{}` is missing: the node uses it, and the file must say so",
                topic.name()
            ),
        )?;
    }
    Ok(())
}

fn check_connections(file: &LaunchFile, node: NodeKind, wires: &Wires) -> Result<(), Fault> {
    let field = format!("{node}.wires.connect");
    for (index, other) in wires.connect.iter().enumerate() {
        need(
            *other != node,
            &field,
            "a process does not connect to itself",
        )?;
        need(
            !wires.connect[..index].contains(other),
            &field,
            format!("`{other}` is written twice"),
        )?;
        need(
            file.endpoints(*other).next().is_some(),
            &field,
            format!("`{other}` listens on nothing; give it `listen = \"tcp/127.0.0.1:0\"`"),
        )?;
    }
    Ok(())
}

/// Two sessions cannot listen on one port: the second would not start.
fn check_endpoints(file: &LaunchFile) -> Result<(), Fault> {
    let mut taken: Vec<(String, &str)> = Vec::new();
    for node in NodeKind::ALL {
        let wires = file.wires(node);
        for (field, endpoint) in [
            ("listen", wires.listen.as_deref()),
            ("listen_commands", wires.listen_commands.as_deref()),
            ("listen_statistics", wires.listen_statistics.as_deref()),
        ] {
            let Some(endpoint) = endpoint.filter(|endpoint| !has_port_zero(endpoint)) else {
                continue;
            };
            let field = format!("{node}.wires.{field}");
            if let Some((other, _)) = taken.iter().find(|(_, taken)| *taken == endpoint) {
                let message =
                    format!("`{other}` already listens on {endpoint}; take another port here");
                return Err(Fault { field, message });
            }
            taken.push((field, endpoint));
        }
    }
    Ok(())
}

/// Commands go over a session of their own: who receives them listens for it, nobody else does, and who
/// sends them connects to it.
fn check_commands(file: &LaunchFile) -> Result<(), Fault> {
    for node in NodeKind::ALL {
        let field = format!("{node}.wires.listen_commands");
        let listens = file.wires(node).listen_commands.is_some();
        if topics(node).1.contains(&Topic::Command) {
            need(
                listens,
                &field,
                "is missing: commands have a session of their own; write `listen_commands = \"tcp/127.0.0.1:0\"`",
            )?;
        } else {
            need(
                !listens,
                &field,
                "this node receives no commands; take it out",
            )?;
        }
        for other in NodeKind::ALL.into_iter().filter(|other| *other != node) {
            let sends = topics(node).0.contains(&Topic::Command)
                && topics(other).1.contains(&Topic::Command);
            need(
                !sends || file.wires(node).connect.contains(&other),
                &format!("{node}.wires.connect"),
                format!(
                    "`{other}` takes commands from here only if it is called; add `\"{other}\"`"
                ),
            )?;
        }
    }
    Ok(())
}

/// Statistics go over a session of their own: who sends them listens for it, nobody else does, and who
/// receives them connects to it.
fn check_statistics(file: &LaunchFile) -> Result<(), Fault> {
    for node in NodeKind::ALL {
        let field = format!("{node}.wires.listen_statistics");
        let listens = file.wires(node).listen_statistics.is_some();
        if topics(node).0.contains(&Topic::Statistics) {
            need(
                listens,
                &field,
                "is missing: statistics have a session of their own; write `listen_statistics = \"tcp/127.0.0.1:0\"`",
            )?;
        } else {
            need(
                !listens,
                &field,
                "this node sends no statistics; take it out",
            )?;
        }
        for other in NodeKind::ALL.into_iter().filter(|other| *other != node) {
            let hears = topics(node).1.contains(&Topic::Statistics)
                && topics(other).0.contains(&Topic::Statistics);
            need(
                !hears || file.wires(node).connect.contains(&other),
                &format!("{node}.wires.connect"),
                format!(
                    "`{other}` tells its statistics here only if it is called; add `\"{other}\"`"
                ),
            )?;
        }
    }
    Ok(())
}

/// Peers do not relay, so every pair that shares a topic needs a connection of its own.
fn check_pair(file: &LaunchFile, sender: NodeKind, receiver: NodeKind) -> Result<(), Fault> {
    let shared = topics(sender)
        .0
        .iter()
        .find(|topic| topics(receiver).1.contains(topic));
    let connects = |from: NodeKind, to: NodeKind| file.wires(from).connect.contains(&to);
    let Some(topic) = shared.filter(|_| sender != receiver) else {
        return Ok(());
    };
    need(
        connects(sender, receiver) || connects(receiver, sender),
        &format!("{receiver}.wires.connect"),
        format!(
            "`{sender}` sends `{}` to `{receiver}`, but neither connects to the other; add \
             `\"{sender}\"` here",
            topic.name()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_let_every_node_do_what_it_does() {
        for node in NodeKind::ALL {
            let (sends, receives) = topics(node);
            let role = node.role();
            for topic in sends {
                assert!(role.may_send().contains(topic), "{node} sends {topic:?}");
            }
            for topic in receives {
                assert!(role.may_hear().contains(topic), "{node} hears {topic:?}");
            }
        }
    }
}
