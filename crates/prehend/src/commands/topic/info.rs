//! One topic: what it carries, between whom, and how.

use std::fmt;
use std::time::Instant;

use clap::Args;
use prehend_link::{Topic, TopicMonitor};
use serde::Serialize;

use super::{Look, listen};
use crate::exit::{Failure, Verdict};
use crate::live::number;
use crate::session::Session;

/// Arguments of `prehend topic info`.
#[derive(Debug, Args)]
#[command(after_help = super::EXAMPLES)]
pub struct Info {
    /// Name of the topic.
    #[arg(value_name = "TOPIC", value_parser = super::topic)]
    topic: Topic,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Serialize)]
struct Body {
    name: &'static str,
    r#type: &'static str,
    key: String,
    senders: Vec<listen::Sender>,
    receivers: Vec<String>,
    /// Null for a topic that a visitor does not listen to.
    messages: Option<u64>,
    rate_hz: Option<f64>,
    bytes: Bytes,
    /// Whether a sender waits for receivers that do not keep up; else what is late is dropped.
    waits_for_receivers: bool,
}

#[derive(Debug, Serialize)]
struct Bytes {
    min: Option<f64>,
    mean: Option<f64>,
    max: Option<f64>,
    /// More are refused.
    limit: usize,
}

impl Info {
    /// Listens, then prints.
    ///
    /// # Errors
    /// Nobody could be attached to, or nobody sends or receives the topic.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let topic = self.topic;
        let visit = self.look.attach.visit()?.visit;
        let before = visit.presence()?;
        let (monitor, deadline) = match topic.waits_for_receivers() {
            true => (None, Instant::now()),
            false => {
                let monitor = listen::attach(TopicMonitor::counting(topic), &visit)?;
                (Some(monitor), self.look.deadline())
            }
        };
        let listened = listen::until(deadline, session, &visit, before)?;
        let traffic = monitor.map(|monitor| monitor.traffic());
        let heard = traffic.clone().unwrap_or_default();
        let body = Body {
            name: topic.name(),
            r#type: topic.type_name(),
            key: topic.key(visit.robot()),
            senders: listen::senders(topic, &heard, &listened),
            receivers: listen::receivers(topic, &listened.presence),
            messages: traffic.map(|traffic| traffic.messages),
            rate_hz: listen::rate_hz(heard.messages, &listened),
            bytes: Bytes {
                min: heard.bytes.min(),
                mean: heard.bytes.mean(),
                max: heard.bytes.max(),
                limit: topic.max_bytes(),
            },
            waits_for_receivers: topic.waits_for_receivers(),
        };
        if body.senders.is_empty() && body.receivers.is_empty() {
            return Err(self.look.silent(topic));
        }
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "type       {}", self.r#type)?;
        writeln!(f, "key        {}", self.key)?;
        writeln!(f, "senders    {}", listen::names(&self.senders))?;
        let receivers = self.receivers.join(", ");
        writeln!(
            f,
            "receivers  {}",
            if receivers.is_empty() {
                "-"
            } else {
                &receivers
            }
        )?;
        match self.messages {
            Some(messages) => writeln!(
                f,
                "rate       {} Hz, {messages} messages",
                number(self.rate_hz, 1)
            )?,
            None => writeln!(
                f,
                "rate       not listened to: its senders would wait for this visitor"
            )?,
        }
        let Bytes {
            min,
            mean,
            max,
            limit,
        } = &self.bytes;
        let (min, mean, max) = (number(*min, 0), number(*mean, 0), number(*max, 0));
        writeln!(
            f,
            "bytes      mean {mean}, {min} to {max}, at most {limit} are accepted"
        )?;
        let carried = match self.waits_for_receivers {
            true => "senders wait for receivers",
            false => "what a receiver does not take in time is dropped",
        };
        write!(f, "carried    {carried}")
    }
}
