//! Turns received commands into accepted ones, or into counted reasons why not.
//!
//! Pure: time comes in as an argument. It must not know joint limits; it knows which session may move
//! the arm, which command is newer, and for how long each holds.

use std::time::Duration;

use prehend_types::{self as types, Stamp, ahead};
use serde::{Deserialize, Serialize};

use crate::messages::{CommandMode, JointCommand};
use crate::{Received, SenderId};

/// How far in the future a command may claim to have been sent. All processes of one machine share the
/// clock, so anything more is another machine's clock, by which nothing can be timed.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(1);

/// How far a command's number may be ahead of the newest: more than a month of them at 1 kHz. What is further
/// ahead is no number of this session, and must not make its own look old.
const FURTHEST: i64 = 1 << 32;

/// Why a command was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It is for another robot: keys are crossed, or somebody means another arm.
    #[error("it is for another robot")]
    OtherRobot,
    /// It belongs to another session: a sender that missed a stop or a new episode.
    #[error("epoch {got}, the session is {current}")]
    Epoch {
        /// Epoch of the command.
        got: u64,
        /// Epoch of the session.
        current: u64,
    },
    /// It repeats or precedes an accepted one, or is too far ahead to follow it.
    #[error("sequence number {got} does not follow {newest}")]
    NotNewer {
        /// Number of the command.
        got: u64,
        /// Newest accepted number.
        newest: u64,
    },
    /// Another sender moves the arm in this epoch.
    #[error("another sender moves the arm in this epoch")]
    OtherSender,
    /// Its time to live had passed on arrival.
    #[error("expired {late:?} before it arrived")]
    Expired {
        /// How long before.
        late: Duration,
    },
    /// It claims to be sent in the future.
    #[error("sent {ahead:?} after it arrived: sender and receiver do not share a clock")]
    FromFuture {
        /// How far.
        ahead: Duration,
    },
    /// A number is NaN or infinite.
    #[error("a value is not finite")]
    NonFinite,
    /// It is for an arm with another number of joints.
    #[error("{got} joints, the arm has {expected}")]
    JointCount {
        /// Joints of the command.
        got: usize,
        /// Joints of the arm.
        expected: usize,
    },
}

/// A command that may be executed until it expires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accepted {
    /// Its sequence number.
    pub seq: u64,
    /// When it was sent.
    pub sent: Stamp,
    /// Moment that the setpoint is meant for.
    pub stamp: Stamp,
    /// It must not be executed at or after this moment.
    pub expires: Stamp,
    /// Follow, or stop.
    pub mode: CommandMode,
    /// The setpoint.
    pub command: types::JointCommand,
}

/// How many commands were accepted, and how many refused for each reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCounts {
    /// Accepted.
    pub accepted: u64,
    /// Refused: for another robot.
    pub other_robot: u64,
    /// Refused: of another session.
    pub wrong_epoch: u64,
    /// Refused: repeated, overtaken, or too far ahead.
    pub not_newer: u64,
    /// Refused: of another sender than the one that moves the arm.
    pub other_sender: u64,
    /// Refused: expired on arrival.
    pub expired: u64,
    /// Refused: sent in the future.
    pub from_future: u64,
    /// Refused: NaN or infinite.
    pub non_finite: u64,
    /// Refused: wrong number of joints.
    pub joint_count: u64,
}

/// Decides which commands may move an arm.
#[derive(Debug, Clone)]
pub struct CommandGate {
    robot: String,
    n_joints: usize,
    max_valid_for: Duration,
    epoch: u64,
    newest: Option<u64>,
    /// Who moves the arm in this epoch: the first whose command was accepted.
    sender: Option<Option<SenderId>>,
    counts: GateCounts,
}

impl CommandGate {
    /// Longest time to live that a receiver grants by default.
    pub const MAX_VALID_FOR: Duration = Duration::from_millis(200);

    /// A gate for the arm of `robot`, of `n_joints`, in session `epoch`, granting at most `max_valid_for`.
    #[must_use]
    pub fn new(robot: &str, n_joints: usize, epoch: u64, max_valid_for: Duration) -> Self {
        Self {
            robot: robot.to_owned(),
            n_joints,
            max_valid_for,
            epoch,
            newest: None,
            sender: None,
            counts: GateCounts::default(),
        }
    }

    /// Starts another session: only its commands pass from now on, from any sequence number.
    pub fn arm(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.newest = None;
        self.sender = None;
    }

    /// The session whose commands pass.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What happened so far, over all sessions.
    #[must_use]
    pub fn counts(&self) -> GateCounts {
        self.counts
    }

    /// Decides about a command. A stop passes from anybody.
    ///
    /// # Errors
    /// [`Rejection`], already counted.
    pub fn admit(&mut self, received: &Received<JointCommand>) -> Result<Accepted, Rejection> {
        let verdict = self.judge(received);
        let counter = match &verdict {
            Ok(accepted) => {
                if accepted.mode == CommandMode::Track {
                    self.newest = Some(accepted.seq);
                    self.sender = Some(received.sender);
                }
                &mut self.counts.accepted
            }
            Err(Rejection::OtherRobot) => &mut self.counts.other_robot,
            Err(Rejection::OtherSender) => &mut self.counts.other_sender,
            Err(Rejection::Epoch { .. }) => &mut self.counts.wrong_epoch,
            Err(Rejection::NotNewer { .. }) => &mut self.counts.not_newer,
            Err(Rejection::Expired { .. }) => &mut self.counts.expired,
            Err(Rejection::FromFuture { .. }) => &mut self.counts.from_future,
            Err(Rejection::NonFinite) => &mut self.counts.non_finite,
            Err(Rejection::JointCount { .. }) => &mut self.counts.joint_count,
        };
        *counter += 1;
        verdict
    }

    fn judge(&self, received: &Received<JointCommand>) -> Result<Accepted, Rejection> {
        let (message, arrived) = (&received.message, received.at);
        if message.robot != self.robot {
            return Err(Rejection::OtherRobot);
        }
        if message.epoch != self.epoch {
            return Err(Rejection::Epoch {
                got: message.epoch,
                current: self.epoch,
            });
        }
        let moves = message.mode == CommandMode::Track;
        if moves && self.sender.is_some_and(|sender| sender != received.sender) {
            return Err(Rejection::OtherSender);
        }
        if let Some(newest) = self.newest
            && moves
            && !(1..=FURTHEST).contains(&ahead(message.seq, newest))
        {
            return Err(Rejection::NotNewer {
                got: message.seq,
                newest,
            });
        }
        let sent = message.sent();
        let ahead = sent.saturating_since(arrived);
        if ahead > CLOCK_TOLERANCE {
            return Err(Rejection::FromFuture { ahead });
        }
        let valid_for = Duration::from_nanos(message.valid_for_nanos).min(self.max_valid_for);
        let expires = sent.min(arrived).after(valid_for);
        if arrived >= expires {
            return Err(Rejection::Expired {
                late: arrived.saturating_since(expires),
            });
        }
        let mismatch = |got| Rejection::JointCount {
            got,
            expected: self.n_joints,
        };
        let command = message
            .setpoint()
            .ok_or_else(|| mismatch(message.q_d.len()))?;
        if command.q_d.len() != self.n_joints || command.dq_d.len() != self.n_joints {
            return Err(mismatch(command.q_d.len()));
        }
        let finite = command.q_d.is_finite()
            && command.dq_d.is_finite()
            && command.gripper.opening.is_finite();
        if !finite {
            return Err(Rejection::NonFinite);
        }
        Ok(Accepted {
            seq: message.seq,
            sent,
            stamp: message.stamp(),
            expires,
            mode: message.mode,
            command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const EPOCH: u64 = 7;

    /// Sent at 1,000 ms with 50 ms to live.
    fn command(seq: u64) -> JointCommand {
        JointCommand {
            robot: "fr3".to_owned(),
            epoch: EPOCH,
            seq,
            stamp_nanos: 1000 * MS,
            sent_nanos: 1000 * MS,
            valid_for_nanos: 50 * MS,
            q_d: vec![0.1; 7],
            dq_d: vec![0.0; 7],
            gripper_opening: 1.0,
            mode: CommandMode::Track,
        }
    }

    fn gate() -> CommandGate {
        CommandGate::new("fr3", 7, EPOCH, CommandGate::MAX_VALID_FOR)
    }

    fn admit(
        gate: &mut CommandGate,
        message: &JointCommand,
        at: Stamp,
    ) -> Result<Accepted, Rejection> {
        gate.admit(&from(1, message, at))
    }

    fn from(sender: u8, message: &JointCommand, at: Stamp) -> Received<JointCommand> {
        Received {
            message: message.clone(),
            at,
            sender: Some([sender; 16]),
        }
    }

    fn at_millis(millis: u64) -> Stamp {
        Stamp::from_nanos(millis * MS)
    }

    #[test]
    fn one_sender_moves_the_arm_and_anybody_stops_it() {
        let mut gate = gate();
        let now = at_millis(1001);
        assert!(gate.admit(&from(1, &command(5), now)).is_ok());
        let second = gate.admit(&from(2, &command(6), now));
        assert_eq!(second, Err(Rejection::OtherSender));
        let nameless = Received {
            sender: None,
            ..from(1, &command(7), now)
        };
        assert_eq!(gate.admit(&nameless), Err(Rejection::OtherSender));
        let stop = JointCommand {
            mode: CommandMode::Stop,
            ..command(0)
        };
        assert!(gate.admit(&from(2, &stop, now)).is_ok());
        assert!(
            gate.admit(&from(1, &command(6), now)).is_ok(),
            "its own go on"
        );
        assert_eq!(gate.counts().other_sender, 2);
        gate.arm(EPOCH);
        assert!(
            gate.admit(&from(2, &command(0), now)).is_ok(),
            "a new session"
        );
    }

    #[test]
    fn the_command_for_another_robot_never_passes_whatever_else_it_gets_right() {
        let mut gate = gate();
        for robot in ["fr3-left", "FR3", "fr", ""] {
            for mode in [CommandMode::Track, CommandMode::Stop] {
                let crossed = JointCommand {
                    robot: robot.to_owned(),
                    mode,
                    ..command(1)
                };
                let verdict = admit(&mut gate, &crossed, at_millis(1001));
                assert_eq!(verdict, Err(Rejection::OtherRobot), "{robot:?}");
            }
        }
        assert_eq!((gate.counts().other_robot, gate.counts().accepted), (8, 0));
        assert!(admit(&mut gate, &command(0), at_millis(1001)).is_ok());
    }

    #[test]
    fn a_fresh_command_passes_until_it_expires() {
        let accepted = admit(&mut gate(), &command(0), at_millis(1010)).expect("fresh");
        assert_eq!(accepted.expires, at_millis(1050));
        let late = admit(&mut gate(), &command(0), at_millis(1050));
        assert_eq!(
            late,
            Err(Rejection::Expired {
                late: Duration::ZERO
            })
        );
    }

    #[test]
    fn another_epoch_never_passes_and_does_not_disturb() {
        let mut gate = gate();
        for epoch in [0, EPOCH - 1, EPOCH + 1, u64::MAX] {
            let old = JointCommand {
                epoch,
                seq: u64::MAX,
                ..command(0)
            };
            assert!(matches!(
                admit(&mut gate, &old, at_millis(1001)),
                Err(Rejection::Epoch { .. })
            ));
        }
        assert!(admit(&mut gate, &command(0), at_millis(1001)).is_ok());
        gate.arm(EPOCH + 1);
        assert!(
            admit(&mut gate, &command(1), at_millis(1001)).is_err(),
            "the epoch has passed"
        );
        assert_eq!(gate.counts().wrong_epoch, 5);
    }

    #[test]
    fn repeated_and_reordered_commands_are_refused() {
        let mut gate = gate();
        for (seq, passes) in [
            (3, true),
            (3, false),
            (2, false),
            (4, true),
            (2, false),
            (1 << 20, true),
            (4, false),
            (1 << 40, false),
            (u64::MAX, false),
        ] {
            assert_eq!(
                admit(&mut gate, &command(seq), at_millis(1001)).is_ok(),
                passes,
                "{seq}"
            );
        }
        assert_eq!((gate.counts().accepted, gate.counts().not_newer), (3, 6));
    }

    /// Numbers begin anew after the last of u64, and nothing happens at the last of u32.
    #[test]
    fn numbers_go_on_after_the_last() {
        for last in [u64::from(u32::MAX), u64::MAX] {
            let mut gate = gate();
            let numbers: Vec<u64> = (0..5).map(|k| (last - 2).wrapping_add(k)).collect();
            for seq in &numbers {
                assert!(
                    admit(&mut gate, &command(*seq), at_millis(1001)).is_ok(),
                    "{seq}"
                );
            }
            for seq in numbers {
                let again = admit(&mut gate, &command(seq), at_millis(1001));
                assert!(matches!(again, Err(Rejection::NotNewer { .. })), "{seq}");
            }
        }
    }

    #[test]
    fn time_to_live_is_cut_to_the_receivers_maximum() {
        let eternal = JointCommand {
            valid_for_nanos: u64::MAX,
            ..command(0)
        };
        let accepted = admit(&mut gate(), &eternal, at_millis(1001)).expect("fresh");
        assert_eq!(accepted.expires, at_millis(1200));
    }

    #[test]
    fn a_time_to_live_of_nothing_never_passes() {
        let none = JointCommand {
            valid_for_nanos: 0,
            ..command(0)
        };
        assert!(admit(&mut gate(), &none, at_millis(1000)).is_err());
    }

    #[test]
    fn the_future_is_refused_and_buys_no_time() {
        assert!(matches!(
            admit(&mut gate(), &command(0), at_millis(900)),
            Err(Rejection::FromFuture { .. })
        ));
        let end = JointCommand {
            sent_nanos: u64::MAX,
            ..command(0)
        };
        assert!(admit(&mut gate(), &end, at_millis(1000)).is_err());
        let slightly = Stamp::from_nanos(1000 * MS - 1000);
        let accepted = admit(&mut gate(), &command(0), slightly).expect("within tolerance");
        assert_eq!(accepted.expires, slightly.after(Duration::from_millis(50)));
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_and_counted() {
        let mut gate = gate();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut q = command(0);
            q.q_d[6] = bad;
            let mut dq = command(0);
            dq.dq_d[0] = bad;
            let gripper = JointCommand {
                gripper_opening: bad,
                ..command(0)
            };
            for message in [q, dq, gripper] {
                assert_eq!(
                    admit(&mut gate, &message, at_millis(1001)),
                    Err(Rejection::NonFinite)
                );
            }
        }
        assert_eq!(gate.counts().non_finite, 9);
        assert!(
            admit(&mut gate, &command(0), at_millis(1001)).is_ok(),
            "a refused number is not used up"
        );
    }

    #[test]
    fn another_arm_is_refused() {
        for n in [0, 6, 8, 9] {
            let other = JointCommand {
                q_d: vec![0.0; n],
                dq_d: vec![0.0; n],
                ..command(0)
            };
            let verdict = admit(&mut gate(), &other, at_millis(1001));
            assert_eq!(
                verdict,
                Err(Rejection::JointCount {
                    got: n,
                    expected: 7
                })
            );
        }
    }
}
