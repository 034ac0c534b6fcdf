//! Says which process sends and receives what, so that a visitor can see the data flow.
//!
//! Every publisher and subscription declares a zenoh liveliness token, which vanishes with its process.
//! Its key is `prehend/<robot>/alive/<node>/<sends|receives>/<topic>/<id>`. Peers do not relay: a visitor
//! sees the tokens of the processes that it is connected to, and of no others.
//!
//! Who has to know at once that a sender is gone, its process or the way to it, follows the tokens: see
//! [`Senders`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zenoh::Wait;
use zenoh::liveliness::LivelinessToken;
use zenoh::sample::{Sample, SampleKind};

use crate::closing::OpenSession;
use crate::config::is_name;
use crate::publisher::PublisherId;
use crate::{Link, LinkError, SenderId, Topic};

/// Most tokens that are looked at: far above what a cell has, far below what would hurt.
const MAX_TOKENS: usize = 1024;

/// Which end of a topic a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It publishes.
    Sends,
    /// It subscribes.
    Receives,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Sends => "sends",
            Self::Receives => "receives",
        }
    }
}

/// One process's end of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    /// Name that the process gave itself, see [`LinkConfig::node`](crate::LinkConfig::node).
    pub node: String,
    /// Which end.
    pub way: Way,
    /// Name of the topic.
    pub topic: &'static str,
    /// New for every publisher and subscription; a publisher's messages carry it.
    pub id: SenderId,
}

/// Keeps a presence shown until it is dropped.
#[derive(Debug)]
pub(crate) struct PresenceToken {
    _tokens: Vec<LivelinessToken>,
}

/// Shows one end of a topic to visitors.
pub(crate) fn declare(
    link: &Link,
    way: Way,
    topic: Topic,
    id: PublisherId,
) -> Result<PresenceToken, LinkError> {
    let (node, way, name) = (&link.node, way.name(), topic.name());
    let id = u128::from_be_bytes(id.0);
    let key = format!(
        "prehend/{}/alive/{node}/{way}/{name}/{id:032x}",
        link.robot()
    );
    let tokens = link.shown_on().map(|session| {
        let token = session.liveliness().declare_token(key.clone()).wait();
        token.map_err(|error| LinkError::Topic {
            key: key.clone(),
            reason: error.to_string(),
        })
    });
    Ok(PresenceToken {
        _tokens: tokens.collect::<Result<_, _>>()?,
    })
}

/// Keys under which a process may show itself that sends and receives these topics.
pub(crate) fn keys_of(robot: &str, sends: &[Topic], receives: &[Topic]) -> Vec<String> {
    let keys = |way: Way, topics: &[Topic]| {
        let key = |topic: &Topic| {
            let (way, name) = (way.name(), topic.name());
            format!("prehend/{robot}/alive/*/{way}/{name}/*")
        };
        topics.iter().map(key).collect::<Vec<_>>()
    };
    [keys(Way::Sends, sends), keys(Way::Receives, receives)].concat()
}

/// The key that all of them match.
pub(crate) fn key_of_all(robot: &str) -> String {
    format!("prehend/{robot}/alive/*/*/*/*")
}

impl Link {
    /// What the processes that this one is connected to send and receive, sorted. Waits for their answers,
    /// at most `timeout`. What is not a presence as above is left out.
    ///
    /// # Errors
    /// [`LinkError::Topic`] when the session is closed.
    pub fn presence(&self, timeout: Duration) -> Result<Vec<Presence>, LinkError> {
        let key = key_of_all(self.robot());
        let (sender, replies) = crossbeam_channel::bounded(MAX_TOKENS);
        self.session
            .liveliness()
            .get(key.clone())
            .timeout(timeout)
            .callback(move |reply| {
                if let Ok(sample) = reply.result() {
                    // More than that is nothing a cell would say.
                    let _ = sender.try_send(sample.key_expr().to_string());
                }
            })
            .wait()
            .map_err(|error| LinkError::Topic {
                key,
                reason: error.to_string(),
            })?;
        // Ends when zenoh drops the callback: all have answered, or the time is up.
        let mut seen: Vec<Presence> = replies.iter().filter_map(|key| parse(&key)).collect();
        seen.sort();
        seen.dedup();
        Ok(seen)
    }
}

/// Who sends on a topic: everybody that this process is connected to who has come and not gone.
///
/// A process that ends, however it ends, is gone as soon as its connection closes; one that only hangs is
/// still there.
#[derive(Debug)]
pub struct Senders {
    // Held for its drop, which ends it.
    _inner: zenoh::pubsub::Subscriber<()>,
    // zenoh's subscriber does not keep its session open.
    _session: Arc<OpenSession>,
    register: Arc<Mutex<Register>>,
}

/// Senders by their ids; the oldest are forgotten.
#[derive(Debug, Default)]
struct Register {
    there: VecDeque<SenderId>,
    gone: VecDeque<SenderId>,
}

impl Link {
    /// Follows who sends on a topic from now on, those included who do already.
    ///
    /// # Errors
    /// [`LinkError::Topic`].
    pub fn senders(&self, topic: Topic) -> Result<Senders, LinkError> {
        let key = format!(
            "prehend/{}/alive/*/{}/{}/*",
            self.robot(),
            Way::Sends.name(),
            topic.name()
        );
        let register = Arc::<Mutex<Register>>::default();
        let own = Arc::clone(&register);
        let session = self.session(topic);
        let inner = session
            .liveliness()
            .declare_subscriber(key.clone())
            .history(true)
            .callback(move |sample: Sample| {
                if let Some(presence) = parse(sample.key_expr()) {
                    let came = sample.kind() == SampleKind::Put;
                    lock(&own).note(presence.id, came);
                }
            })
            .wait()
            .map_err(|error| LinkError::Topic {
                key,
                reason: error.to_string(),
            })?;
        Ok(Senders {
            _inner: inner,
            _session: Arc::clone(session),
            register,
        })
    }
}

impl Senders {
    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        lock(&self.register).there.is_empty()
    }

    /// Whether this one was there and is gone.
    #[must_use]
    pub fn has_left(&self, id: &SenderId) -> bool {
        lock(&self.register).gone.contains(id)
    }
}

impl Register {
    fn note(&mut self, id: SenderId, came: bool) {
        let (to, from) = match came {
            true => (&mut self.there, &mut self.gone),
            false => (&mut self.gone, &mut self.there),
        };
        from.retain(|other| *other != id);
        if !to.contains(&id) {
            to.push_back(id);
        }
        if to.len() > MAX_TOKENS {
            to.pop_front();
        }
    }
}

/// A panic elsewhere leaves two lists of ids that are as good as any.
fn lock(register: &Mutex<Register>) -> MutexGuard<'_, Register> {
    register.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse(key: &str) -> Option<Presence> {
    let parts: Vec<&str> = key.split('/').collect();
    let [_, _, "alive", node, way, topic, id] = parts[..] else {
        return None;
    };
    let ways = [Way::Sends, Way::Receives];
    Some(Presence {
        node: is_name(node).then(|| node.to_owned())?,
        way: ways.into_iter().find(|known| known.name() == way)?,
        topic: Topic::named(topic)?.name(),
        id: u128::from_str_radix(id, 16).ok()?.to_be_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_and_comes_back_is_there() {
        let mut register = Register::default();
        let [a, b] = [[1; 16], [2; 16]];
        for (id, came) in [(a, true), (a, true), (b, true), (a, false)] {
            register.note(id, came);
        }
        assert_eq!(
            (register.there.len(), register.gone.contains(&a)),
            (1, true)
        );
        register.note(a, true);
        assert_eq!((register.there.len(), register.gone.len()), (2, 0));
        for k in 0..2 * MAX_TOKENS as u128 {
            register.note(k.to_be_bytes(), true);
            register.note(k.to_be_bytes(), false);
        }
        assert_eq!(register.gone.len(), MAX_TOKENS);
    }

    #[test]
    fn only_keys_of_our_own_making_are_presences() {
        let id = "000102030405060708090a0b0c0d0e0f";
        let key = |node: &str, way: &str, topic: &str| {
            parse(&format!("prehend/fr3/alive/{node}/{way}/{topic}/{id}"))
        };
        let seen = key("driver", "sends", "status").expect("ours");
        assert_eq!((seen.node.as_str(), seen.topic), ("driver", "status"));
        assert_eq!(seen.id[..3], [0, 1, 2]);
        assert_eq!(key("dri\u{1b}[2Jver", "sends", "status"), None);
        assert_eq!(key("driver", "steals", "status"), None);
        assert_eq!(key("driver", "sends", "secrets"), None);
        assert_eq!(parse("prehend/fr3/alive/driver/sends/status/xyz"), None);
        assert_eq!(parse("prehend/fr3/alive/driver/sends/status"), None);
    }
}
