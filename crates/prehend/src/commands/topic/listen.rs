//! Listens to topics for a while, and tells who is behind what was heard.

use std::time::{Duration, Instant};

use prehend_link::{Presence, SenderId, Topic, TopicMonitor, Traffic, Way};
use prehend_runtime::Visit;
use serde::Serialize;

use crate::exit::Failure;
use crate::session::Session;

const LOOK: Duration = Duration::from_millis(20);

/// Starts to listen to a topic on every link.
pub fn attach(mut monitor: TopicMonitor, visit: &Visit) -> Result<TopicMonitor, Failure> {
    for link in visit.links() {
        monitor.attach(link)?;
    }
    Ok(monitor)
}

/// Every topic that a visitor may listen to.
pub fn all(visit: &Visit) -> Result<Vec<TopicMonitor>, Failure> {
    let topics = Topic::ALL
        .into_iter()
        .filter(|topic| !topic.waits_for_receivers());
    topics
        .map(|topic| attach(TopicMonitor::counting(topic), visit))
        .collect()
}

/// A time of listening that is over.
pub struct Listened {
    /// Who was there at its begin or at its end.
    pub presence: Vec<Presence>,
    /// How long it took.
    pub seconds: f64,
}

/// Waits until the deadline, or until the user has heard enough. Whoever was there `before` is still known
/// by name if it ends meanwhile.
pub fn until(
    deadline: Instant,
    session: &Session,
    visit: &Visit,
    before: Vec<Presence>,
) -> Result<Listened, Failure> {
    let begun = Instant::now();
    while Instant::now() < deadline && !session.interrupt.is_set() {
        std::thread::sleep(LOOK.min(deadline.saturating_duration_since(Instant::now())));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut presence = before;
    presence.extend(visit.presence()?);
    presence.sort();
    presence.dedup();
    Ok(Listened { presence, seconds })
}

/// One sender of a topic, heard or only present.
#[derive(Debug, Clone, Serialize)]
pub struct Sender {
    /// Its id, 32 hexadecimal digits; null for those that say none.
    pub id: Option<String>,
    /// What its process calls itself; null if it does not say.
    pub node: Option<String>,
    /// Messages heard.
    pub messages: u64,
    /// Messages per second of listening; null without any.
    pub rate_hz: Option<f64>,
}

/// Senders of a topic: those that were heard, then those that only say that they are there.
pub fn senders(topic: Topic, traffic: &Traffic, listened: &Listened) -> Vec<Sender> {
    let present = || {
        let seen = listened.presence.iter();
        seen.filter(|seen| seen.topic == topic.name() && seen.way == Way::Sends)
    };
    let heard = traffic.senders.iter().map(|sender| {
        let known = present().find(|seen| Some(seen.id) == sender.id);
        Sender {
            id: sender.id.as_ref().map(hex),
            node: known.map(|seen| seen.node.clone()),
            messages: sender.messages,
            rate_hz: rate_hz(sender.messages, listened),
        }
    });
    let is_heard = |seen: &&Presence| traffic.senders.iter().any(|s| s.id == Some(seen.id));
    let silent = present().filter(|seen| !is_heard(seen)).map(|seen| Sender {
        id: Some(hex(&seen.id)),
        node: Some(seen.node.clone()),
        messages: 0,
        rate_hz: None,
    });
    heard.chain(silent).collect()
}

/// Names of the processes that receive a topic, each once.
pub fn receivers(topic: Topic, presence: &[Presence]) -> Vec<String> {
    let on_topic = presence.iter().filter(|seen| seen.topic == topic.name());
    let mut nodes: Vec<String> = on_topic
        .filter(|seen| seen.way == Way::Receives)
        .map(|seen| seen.node.clone())
        .collect();
    nodes.sort();
    nodes.dedup();
    nodes
}

/// Names for people; an id where there is no name.
pub fn names(senders: &[Sender]) -> String {
    let mut names: Vec<&str> = senders
        .iter()
        .map(|sender| {
            sender
                .node
                .as_deref()
                .or(sender.id.as_deref())
                .unwrap_or("somebody")
        })
        .collect();
    names.dedup();
    if names.is_empty() {
        return "-".to_owned();
    }
    names.join(", ")
}

/// Messages per second of listening; `None` without any. Not by the time between messages: of two events
/// that happen to follow each other nobody would say that they come at that rate.
pub fn rate_hz(messages: u64, listened: &Listened) -> Option<f64> {
    (messages > 0 && listened.seconds > 0.0).then(|| messages as f64 / listened.seconds)
}

/// An id as it is printed.
pub fn hex(id: &SenderId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
