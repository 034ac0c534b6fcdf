//! The first field in which two outcomes differ, by their bits.

use std::time::Duration;

use prehend_control::rt::{SentCommand, TickOutcome};
use prehend_link::encode;
use prehend_types::ActionChunk;

use crate::command_sender::message;

/// A field with what was recorded and what came out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub name: String,
    pub recorded: String,
    pub replayed: String,
}

/// Compares field by field until one differs.
#[derive(Default)]
struct Fields(Option<Field>);

impl Fields {
    fn values<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, recorded: T, replayed: T) {
        if self.0.is_none() && recorded != replayed {
            self.0 = Some(Field {
                name: name.to_owned(),
                recorded: format!("{recorded:?}"),
                replayed: format!("{replayed:?}"),
            });
        }
    }

    /// By their bits: a NaN is itself, and the two zeros are not each other.
    fn number(&mut self, name: impl Fn() -> String, recorded: f64, replayed: f64) {
        if self.0.is_none() && recorded.to_bits() != replayed.to_bits() {
            self.0 = Some(Field {
                name: name(),
                recorded: format!("{recorded:?}"),
                replayed: format!("{replayed:?}"),
            });
        }
    }

    fn numbers(&mut self, name: &str, recorded: &[f64], replayed: &[f64]) {
        self.values(&format!("{name}.len"), recorded.len(), replayed.len());
        for (idx, (recorded, replayed)) in recorded.iter().zip(replayed).enumerate() {
            self.number(|| format!("{name}[{idx}]"), *recorded, *replayed);
        }
    }
}

/// What differs in a tick: the bytes of its command first, then the mode.
pub(super) fn ticks(
    recorded: &TickOutcome,
    replayed: &TickOutcome,
    robot: &str,
    valid_for: Duration,
) -> Option<Field> {
    let mut fields = Fields::default();
    let seq = |outcome: &TickOutcome| outcome.command.map(|command| command.seq);
    match (&recorded.command, &replayed.command) {
        (Some(recorded), Some(replayed)) => {
            let bytes = |sent| encode(&message(sent, robot, valid_for)).ok();
            let (recorded_bytes, replayed_bytes) = (bytes(recorded), bytes(replayed));
            if recorded_bytes != replayed_bytes || recorded_bytes.is_none() {
                commands(&mut fields, recorded, replayed);
                fields.values("command.bytes", recorded_bytes, replayed_bytes);
            }
        }
        (None, None) => {}
        _ => fields.values("command", seq(recorded), seq(replayed)),
    }
    fields.values("mode", recorded.mode, replayed.mode);
    fields.0
}

fn commands(fields: &mut Fields, recorded: &SentCommand, replayed: &SentCommand) {
    fields.values("command.seq", recorded.seq, replayed.seq);
    fields.values("command.epoch", recorded.epoch, replayed.epoch);
    fields.values("command.mode", recorded.mode, replayed.mode);
    let (a, b) = (&recorded.command, &replayed.command);
    fields.numbers("command.q_d", &a.q_d, &b.q_d);
    fields.numbers("command.dq_d", &a.dq_d, &b.dq_d);
    let opening = || "command.gripper".to_owned();
    fields.number(opening, a.gripper.opening, b.gripper.opening);
}

/// What differs between two answers of a policy.
pub(super) fn chunks(
    recorded: &Result<ActionChunk, String>,
    replayed: &Result<ActionChunk, String>,
) -> Option<Field> {
    let mut fields = Fields::default();
    match (recorded, replayed) {
        (Ok(a), Ok(b)) => {
            fields.values("chunk.start", a.start, b.start);
            fields.values("chunk.dt", a.dt, b.dt);
            fields.values("chunk.n_action_steps", a.n_action_steps, b.n_action_steps);
            let (a, b) = (a.actions(), b.actions());
            fields.values("chunk.actions.len", a.len(), b.len());
            for (idx, (a, b)) in a.iter().zip(b).enumerate() {
                let name = |what| format!("chunk.actions[{idx}].{what}");
                let vectors = [
                    ("translation", &a.translation, &b.translation),
                    ("rotation", &a.rotation, &b.rotation),
                ];
                for (what, a, b) in vectors {
                    fields.numbers(&name(what), a.as_slice(), b.as_slice());
                }
                fields.number(|| name("gripper"), a.gripper, b.gripper);
            }
        }
        _ => {
            let said = |outcome: &Result<ActionChunk, String>| match outcome {
                Ok(_) => "a chunk".to_owned(),
                Err(error) => error.clone(),
            };
            fields.values("chunk", said(recorded), said(replayed));
        }
    }
    fields.0
}
