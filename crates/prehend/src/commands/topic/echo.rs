//! The messages of a topic, as lines.

use std::fmt;
use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use prehend_link::{RawMessage, Topic, TopicMonitor};
use serde::Serialize;

use super::{Look, listen};
use crate::exit::{Failure, Verdict};
use crate::session::{Session, put_line};

const LOOK: Duration = Duration::from_millis(50);

/// Arguments of `prehend topic echo`.
#[derive(Debug, Args)]
#[command(after_help = super::EXAMPLES)]
pub struct Echo {
    /// Name of the topic.
    #[arg(value_name = "TOPIC", value_parser = super::topic)]
    topic: Topic,
    /// End after this many messages.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    n: Option<u64>,
    #[command(flatten)]
    look: Look,
}

/// One message.
#[derive(Debug, Serialize)]
struct Line {
    topic: &'static str,
    /// Arrival, monotonic.
    at_nanos: u64,
    sender: Option<String>,
    sequence: Option<i64>,
    bytes: usize,
    /// Null if it was refused.
    message: Option<serde_json::Value>,
    /// Why.
    refused: Option<String>,
}

#[derive(Debug, Serialize)]
struct Body {
    name: &'static str,
    messages: u64,
    refused: u64,
    /// Messages that came faster than they could be printed.
    dropped: u64,
}

impl Echo {
    /// Prints messages until there are enough, or the time is up, or nobody reads any more.
    ///
    /// # Errors
    /// Nobody could be attached to, or nothing was sent.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let visit = self.look.attach.visit()?.visit;
        let monitor = listen::attach(TopicMonitor::keeping(self.topic), &visit)?;
        let deadline = self.look.deadline();
        let (mut messages, mut refused, mut is_read) = (0, 0, true);
        while is_read
            && messages < self.n.unwrap_or(u64::MAX)
            && Instant::now() < deadline
            && !session.interrupt.is_set()
        {
            if let Some(raw) = monitor.wait(LOOK) {
                let line = Line::new(self.topic, &raw);
                messages += 1;
                refused += u64::from(line.refused.is_some());
                // Plain data with field names always has a JSON form.
                is_read = put_line(&serde_json::to_string(&line).unwrap_or_default())?;
            }
        }
        if messages == 0 && monitor.traffic().messages == 0 {
            return Err(self.look.silent(self.topic));
        }
        let body = Body {
            name: self.topic.name(),
            messages,
            refused,
            dropped: monitor.overflowed() + monitor.traffic().oversized,
        };
        if session.json {
            session.report(None, &body, &body)?;
        } else {
            // Every line of stdout is a message.
            let _ = writeln!(std::io::stderr(), "{body}");
        }
        Ok(Verdict::Passed)
    }
}

impl Line {
    fn new(topic: Topic, raw: &RawMessage) -> Self {
        let (message, refused) = match topic.to_json(&raw.payload) {
            Ok(message) => (Some(message), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            topic: topic.name(),
            at_nanos: raw.at.as_nanos(),
            sender: raw.sender.as_ref().map(listen::hex),
            sequence: raw.sequence,
            bytes: raw.payload.len(),
            message,
            refused,
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            messages,
            refused,
            dropped,
        } = self;
        write!(
            f,
            "{name}: {messages} messages, {refused} of them refused; {dropped} more dropped here"
        )
    }
}
