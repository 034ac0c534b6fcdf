//! The data flow of a run: what its launch file says, and what of it is alive on the wire.

use std::fmt;

use clap::Args;
use prehend_link::messages::RobotStatus;
use prehend_link::{Topic, TopicMonitor, Traffic, Way, decode};
use prehend_runtime::{LaunchFile, NodeKind, Visit};
use serde::Serialize;

use super::{Look, listen};
use crate::commands::topic::listen::Listened;
use crate::exit::{Failure, Verdict};
use crate::live::number;
use crate::session::Session;

/// Arguments of `prehend topic graph`.
#[derive(Debug, Args)]
#[command(after_help = super::EXAMPLES)]
pub struct Graph {
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    robot: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

#[derive(Debug, Serialize)]
struct Node {
    node: String,
    endpoint: Option<String>,
    /// Null if it cannot be told from here.
    alive: Option<bool>,
    because: &'static str,
}

#[derive(Debug, Serialize)]
struct Edge {
    topic: &'static str,
    r#type: &'static str,
    /// Null if no process that could be reached sends it.
    from: Option<String>,
    /// Null if no process that could be reached receives it.
    to: Option<String>,
    /// As heard by this visitor; null for what it cannot hear.
    rate_hz: Option<f64>,
    /// Whether both ends are; null if that cannot be told from here.
    alive: Option<bool>,
}

/// What was found on the wire.
struct Wire {
    /// Who was there when the listening ended.
    listened: Listened,
    heard: Vec<(Topic, Traffic)>,
    /// Whether the driver's statuses name newer and newer commands; `None` if it sent fewer than two.
    follows_commands: Option<bool>,
}

impl Graph {
    /// Listens, then prints.
    ///
    /// # Errors
    /// Nobody could be attached to, or nothing was there.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let attached = self.look.attach.visit()?;
        let visit = &attached.visit;
        let monitors = listen::all(visit)?;
        let statuses = listen::attach(TopicMonitor::keeping(Topic::Status), visit)?;
        let listened = listen::until(self.look.deadline(), session, visit, Vec::new())?;
        let wire = Wire {
            listened,
            heard: monitors.iter().map(|m| (m.topic(), m.traffic())).collect(),
            follows_commands: follows_commands(&statuses),
        };
        let mut body = match &attached.launch {
            Some(launch) => wire.of_launch(launch, visit),
            None => wire.of_presence(),
        };
        visit.robot().clone_into(&mut body.robot);
        if body.edges.is_empty() {
            let what = format!(
                "nobody who sends or receives for robot `{}` was seen",
                body.robot
            );
            return Err(self
                .look
                .nothing(&what, "is --robot the name that the run uses?"));
        }
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

fn follows_commands(statuses: &TopicMonitor) -> Option<bool> {
    let messages = std::iter::from_fn(|| statuses.wait(std::time::Duration::ZERO));
    let mut seqs = messages
        .filter_map(|raw| decode::<RobotStatus>(&raw.payload).ok())
        .map(|status| status.command_age().map(|_| status.command_seq));
    let (first, last) = (seqs.next()?, seqs.last()?);
    Some(first != last && last.is_some())
}

impl Wire {
    fn of_launch(&self, launch: &LaunchFile, visit: &Visit) -> Body {
        let nodes: Vec<Node> = NodeKind::ALL.map(|kind| self.node(kind, visit)).into();
        let alive = |kind: NodeKind| {
            let node = nodes.iter().find(|node| node.node == kind.name());
            node.and_then(|node| node.alive)
        };
        let edges = launch.edges().into_iter().map(|edge| {
            let ends = [(edge.from, Way::Sends), (edge.to, Way::Receives)];
            let ends = ends.map(|(kind, way)| {
                let is_reached = is_reached(kind, visit);
                let says_so = self.is_present(kind.name(), way, edge.topic);
                if is_reached {
                    Some(says_so)
                } else {
                    alive(kind)
                }
            });
            Edge {
                topic: edge.topic.name(),
                r#type: edge.topic.type_name(),
                from: Some(edge.from.name().to_owned()),
                to: Some(edge.to.name().to_owned()),
                rate_hz: self.rate_hz(edge.topic, edge.from.name()),
                alive: both(ends),
            }
        });
        let edges = edges.collect();
        Body {
            nodes,
            edges,
            ..Body::default()
        }
    }

    fn node(&self, kind: NodeKind, visit: &Visit) -> Node {
        let place = visit.places().iter().find(|place| place.node == Some(kind));
        let (alive, because) = match (place, kind, self.follows_commands) {
            (Some(place), ..) if place.reached => (Some(true), "it answers"),
            (Some(_), ..) => (Some(false), "it does not answer"),
            (None, NodeKind::Control, Some(true)) => (
                Some(true),
                "the driver's statuses name newer and newer commands",
            ),
            (None, NodeKind::Control, Some(false)) => (
                None,
                "it listens on nothing, and the driver follows no commands now",
            ),
            (None, ..) => (None, "it listens on nothing, so it cannot be asked"),
        };
        Node {
            node: kind.name().to_owned(),
            endpoint: place.map(|place| place.endpoint.clone()),
            alive,
            because,
        }
    }

    /// Without a launch file only those are known that say that they are there.
    fn of_presence(&self) -> Body {
        let mut names: Vec<&str> = self
            .listened
            .presence
            .iter()
            .map(|seen| seen.node.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let nodes = names.iter().map(|name| Node {
            node: (*name).to_owned(),
            endpoint: None,
            alive: Some(true),
            because: "it says so",
        });
        let mut edges = Vec::new();
        for topic in Topic::ALL {
            let ends = |way| {
                let mut ends: Vec<Option<&str>> = names
                    .iter()
                    .filter(|name| self.is_present(name, way, topic))
                    .map(|name| Some(*name))
                    .collect();
                if ends.is_empty() {
                    ends.push(None);
                }
                ends
            };
            for from in ends(Way::Sends) {
                for to in ends(Way::Receives)
                    .into_iter()
                    .filter(|to| from.or(*to).is_some())
                {
                    edges.push(Edge {
                        topic: topic.name(),
                        r#type: topic.type_name(),
                        from: from.map(str::to_owned),
                        to: to.map(str::to_owned),
                        rate_hz: from.and_then(|from| self.rate_hz(topic, from)),
                        alive: (from.is_some() && to.is_some()).then_some(true),
                    });
                }
            }
        }
        Body {
            nodes: nodes.collect(),
            edges,
            ..Body::default()
        }
    }

    fn is_present(&self, node: &str, way: Way, topic: Topic) -> bool {
        let mut presence = self.listened.presence.iter();
        presence.any(|seen| seen.node == node && seen.way == way && seen.topic == topic.name())
    }

    fn rate_hz(&self, topic: Topic, node: &str) -> Option<f64> {
        let (_, traffic) = self.heard.iter().find(|(heard, _)| *heard == topic)?;
        let senders = listen::senders(topic, traffic, &self.listened);
        let own = senders
            .iter()
            .filter(|sender| sender.node.as_deref() == Some(node));
        own.filter_map(|sender| sender.rate_hz)
            .reduce(|sum, rate| sum + rate)
    }
}

fn is_reached(kind: NodeKind, visit: &Visit) -> bool {
    let mut places = visit.places().iter();
    places.any(|place| place.node == Some(kind) && place.reached)
}

/// One dead end is enough to know.
fn both(ends: [Option<bool>; 2]) -> Option<bool> {
    match ends {
        [Some(false), _] | [_, Some(false)] => Some(false),
        [Some(true), Some(true)] => Some(true),
        _ => None,
    }
}

fn said(alive: Option<bool>) -> &'static str {
    match alive {
        Some(true) => "alive",
        Some(false) => "dead",
        None => "unknown",
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let endpoint = node.endpoint.as_deref().unwrap_or("");
            writeln!(
                f,
                "{:10} {:8} {} {endpoint}",
                node.node,
                said(node.alive),
                node.because
            )?;
        }
        for edge in &self.edges {
            let end = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
            let (from, to) = (end(&edge.from), end(&edge.to));
            let arrow = format!("{from} --{}--> {to}", edge.topic);
            let rate = number(edge.rate_hz, 1);
            write!(f, "\n{arrow:40} {:8} {rate:>7} Hz", said(edge.alive))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prehend_link::Presence;

    use super::*;

    #[test]
    fn an_edge_is_alive_only_if_both_ends_are_known_to_be() {
        assert_eq!(both([Some(true), Some(true)]), Some(true));
        assert_eq!(both([Some(true), None]), None);
        assert_eq!(both([None, Some(false)]), Some(false));
    }

    #[test]
    fn without_a_launch_file_ends_that_nobody_has_stay_open() {
        let seen = |node: &str, way, topic: Topic| Presence {
            node: node.to_owned(),
            way,
            topic: topic.name(),
            id: [7; 16],
        };
        let wire = Wire {
            listened: Listened {
                presence: vec![
                    seen("driver", Way::Sends, Topic::Status),
                    seen("driver", Way::Receives, Topic::Command),
                    seen("policy", Way::Receives, Topic::Status),
                ],
                seconds: 1.0,
            },
            heard: Vec::new(),
            follows_commands: None,
        };
        let edges = wire.of_presence().edges;
        let shown: Vec<_> = edges
            .iter()
            .map(|edge| {
                (
                    edge.topic,
                    edge.from.as_deref(),
                    edge.to.as_deref(),
                    edge.alive,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("status", Some("driver"), Some("policy"), Some(true)),
                ("command", None, Some("driver"), None),
            ]
        );
    }
}
