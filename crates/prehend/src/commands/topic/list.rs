//! Every topic of a run, as a visitor sees it.

use std::fmt;

use clap::Args;
use prehend_link::Topic;
use prehend_runtime::Place;
use serde::Serialize;

use super::{Look, listen};
use crate::exit::{Failure, Verdict};
use crate::live::number;
use crate::session::Session;

/// Arguments of `prehend topic list`.
#[derive(Debug, Args)]
#[command(after_help = super::EXAMPLES)]
pub struct List {
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Serialize)]
struct Body {
    robot: String,
    nodes: Vec<PlaceRow>,
    listened_s: f64,
    topics: Vec<Row>,
}

/// An endpoint that was tried.
#[derive(Debug, Serialize)]
pub struct PlaceRow {
    node: Option<&'static str>,
    endpoint: String,
    reached: bool,
}

impl From<&Place> for PlaceRow {
    fn from(place: &Place) -> Self {
        Self {
            node: place.node.map(|node| node.name()),
            endpoint: place.endpoint.clone(),
            reached: place.reached,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    r#type: &'static str,
    key: String,
    senders: Vec<listen::Sender>,
    receivers: Vec<String>,
    /// Null for a topic that a visitor does not listen to.
    messages: Option<u64>,
    rate_hz: Option<f64>,
    mean_bytes: Option<f64>,
}

impl List {
    /// Listens, then prints.
    ///
    /// # Errors
    /// Nobody could be attached to, or nothing was heard.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let visit = self.look.attach.visit()?.visit;
        let before = visit.presence()?;
        let monitors = listen::all(&visit)?;
        let listened = listen::until(self.look.deadline(), session, &visit, before)?;
        let row = |topic: Topic| {
            let monitor = monitors.iter().find(|monitor| monitor.topic() == topic);
            let traffic = monitor.map(|monitor| monitor.traffic());
            let heard = traffic.clone().unwrap_or_default();
            Row {
                name: topic.name(),
                r#type: topic.type_name(),
                key: topic.key(visit.robot()),
                senders: listen::senders(topic, &heard, &listened),
                receivers: listen::receivers(topic, &listened.presence),
                messages: traffic.map(|traffic| traffic.messages),
                rate_hz: listen::rate_hz(heard.messages, &listened),
                mean_bytes: heard.bytes.mean(),
            }
        };
        let is_seen = |row: &Row| !(row.senders.is_empty() && row.receivers.is_empty());
        let body = Body {
            robot: visit.robot().to_owned(),
            nodes: visit.places().iter().map(PlaceRow::from).collect(),
            listened_s: listened.seconds,
            topics: Topic::ALL.map(row).into_iter().filter(is_seen).collect(),
        };
        if body.topics.is_empty() {
            let what = format!("no topic of robot `{}` was seen", body.robot);
            return Err(self
                .look
                .nothing(&what, "is --robot the name that the run uses?"));
        }
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:13} {:31} {:>9} {:>9}  senders",
            "topic", "type", "rate, Hz", "bytes"
        )?;
        for row in &self.topics {
            let (rate, bytes) = (number(row.rate_hz, 1), number(row.mean_bytes, 0));
            let senders = listen::names(&row.senders);
            write!(
                f,
                "\n{:13} {:31} {rate:>9} {bytes:>9}  {senders}",
                row.name, row.r#type
            )?;
        }
        for place in self.nodes.iter().filter(|place| !place.reached) {
            let node = place.node.unwrap_or("nobody");
            write!(f, "\n{node} does not answer at {}", place.endpoint)?;
        }
        Ok(())
    }
}
