//! How regularly a topic is sent.

use std::fmt;

use clap::Args;
use prehend_link::{SenderTraffic, Topic, TopicMonitor};
use serde::Serialize;

use super::{Look, listen};
use crate::exit::{Failure, Verdict};
use crate::live::number;
use crate::session::Session;

/// Arguments of `prehend topic hz`.
#[derive(Debug, Args)]
#[command(after_help = super::EXAMPLES)]
pub struct Hz {
    /// Name of the topic.
    #[arg(value_name = "TOPIC", value_parser = super::topic)]
    topic: Topic,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Serialize)]
struct Body {
    name: &'static str,
    messages: u64,
    /// By the time between messages, of all senders together; null if none sent two.
    rate_hz: Option<f64>,
    /// Each with a period of its own.
    senders: Vec<Row>,
    /// Messages of senders beyond those that are told apart.
    of_further_senders: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    id: Option<String>,
    node: Option<String>,
    messages: u64,
    rate_hz: Option<f64>,
    period_ms: Period,
    /// Jumps of the running number, and the messages that are missing in them.
    gaps: u64,
    lost: u64,
    out_of_order: u64,
}

#[derive(Debug, Serialize)]
struct Period {
    mean: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    std: Option<f64>,
}

impl Hz {
    /// Listens, then prints.
    ///
    /// # Errors
    /// Nobody could be attached to, or nothing was sent.
    pub fn run(&self, session: &Session) -> Result<Verdict, Failure> {
        let visit = self.look.attach.visit()?.visit;
        let before = visit.presence()?;
        let monitor = listen::attach(TopicMonitor::counting(self.topic), &visit)?;
        let listened = listen::until(self.look.deadline(), session, &visit, before)?;
        let traffic = monitor.traffic();
        if traffic.messages == 0 {
            return Err(self.look.silent(self.topic));
        }
        let named = listen::senders(self.topic, &traffic, &listened);
        let rows = traffic.senders.iter().zip(named);
        let rates = traffic.senders.iter().filter_map(SenderTraffic::rate_hz);
        let body = Body {
            name: self.topic.name(),
            messages: traffic.messages,
            rate_hz: rates.reduce(|sum, rate| sum + rate),
            senders: rows
                .map(|(sender, named)| Row::new(sender, named))
                .collect(),
            of_further_senders: traffic.of_further_senders,
        };
        session.report(None, &body, &body)?;
        Ok(Verdict::Passed)
    }
}

impl Row {
    fn new(sender: &SenderTraffic, named: listen::Sender) -> Self {
        let millis = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
        let period = &sender.period_s;
        Self {
            id: named.id,
            node: named.node,
            messages: sender.messages,
            rate_hz: sender.rate_hz(),
            period_ms: Period {
                mean: millis(period.mean()),
                min: millis(period.min()),
                max: millis(period.max()),
                std: millis(period.std()),
            },
            gaps: sender.gaps,
            lost: sender.lost,
            out_of_order: sender.out_of_order,
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, row) in self.senders.iter().enumerate() {
            let separator = if idx > 0 { "\n" } else { "" };
            let name = row
                .node
                .as_deref()
                .or(row.id.as_deref())
                .unwrap_or("somebody");
            let Period { min, max, std, .. } = &row.period_ms;
            let (rate, std) = (number(row.rate_hz, 2), number(*std, 3));
            let (min, max) = (number(*min, 3), number(*max, 3));
            write!(
                f,
                "{separator}{name}: {rate} Hz, period {min} to {max} ms, std {std} ms; {} messages, \
                 {} gaps, {} lost, {} out of order",
                row.messages, row.gaps, row.lost, row.out_of_order
            )?;
        }
        if self.of_further_senders > 0 {
            write!(f, "\nfurther senders: {} messages", self.of_further_senders)?;
        }
        Ok(())
    }
}
