//! Checks the data flow that a launch file claims: topics against what the nodes do, and that whoever
//! shares a topic is connected.

use prehend_link::{LinkConfig, LinkError, Topic};

use super::{Fault, LaunchFile, Wires, has_port_zero, need};
use crate::NodeKind;

/// What a node really sends and receives.
const fn topics(node: NodeKind) -> (&'static [Topic], &'static [Topic]) {
    use Topic::{Chunk, Cloud, Command, Event, JointState, Report, Request, Status};
    match node {
        NodeKind::Driver => (
            &[Status, JointState, Cloud, Event, Report],
            &[Command, Request],
        ),
        NodeKind::Policy => (&[Chunk, Request], &[Status, Cloud, Event]),
        NodeKind::Control => (&[Command], &[Status, Chunk]),
        NodeKind::Operator => (&[Request], &[Status, Chunk, Event, Report]),
    }
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
    for node in NodeKind::ALL {
        // Says what is wrong with an endpoint or with the robot's name. What a node connects to is
        // what another listens on, where port 0 is fine until somebody has chosen one.
        let own = LinkConfig {
            connect: Vec::new(),
            ..file.link_config(node)
        };
        own.check().map_err(|error| Fault {
            field: match &error {
                LinkError::Config { field: "robot", .. } => "link.robot".to_owned(),
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
            file.wires(*other).listen.is_some(),
            &field,
            format!("`{other}` listens on nothing; give it `listen = \"tcp/127.0.0.1:0\"`"),
        )?;
    }
    Ok(())
}

/// Two processes cannot listen on one port: the second would not start.
fn check_endpoints(file: &LaunchFile) -> Result<(), Fault> {
    let listens = |node: NodeKind| {
        let endpoint = file.wires(node).listen.as_deref();
        endpoint.filter(|endpoint| !has_port_zero(endpoint))
    };
    for (index, node) in NodeKind::ALL.into_iter().enumerate() {
        let Some(endpoint) = listens(node) else {
            continue;
        };
        let other = NodeKind::ALL[..index]
            .iter()
            .find(|other| listens(**other) == Some(endpoint));
        if let Some(other) = other {
            return Err(Fault {
                field: format!("{node}.wires.listen"),
                message: format!(
                    "`{other}` already listens on {endpoint}; give `{node}` another port"
                ),
            });
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
