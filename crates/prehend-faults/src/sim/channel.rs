//! One direction of a link: what goes in comes out late, twice, in another order, or not at all.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What one direction does to messages; times are nanoseconds of the logical clock.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// Share of messages that never arrive.
    pub loss: f64,
    /// Share of messages that arrive twice, the second time up to 20 ms later.
    pub duplicate: f64,
    /// Every message takes a time drawn evenly from this range; a wide one reorders.
    pub delay: Range<u64>,
    /// What is sent meanwhile never arrives.
    pub cuts: Vec<Range<u64>>,
    /// What is sent meanwhile arrives in one bunch at its end, as a stalled connection delivers it.
    pub holds: Vec<Range<u64>>,
}

impl Default for Weather {
    /// A loopback: 0.2 ms, nothing lost.
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicate: 0.0,
            delay: 200_000..200_001,
            cuts: Vec::new(),
            holds: Vec::new(),
        }
    }
}

/// Messages on their way.
#[derive(Debug)]
pub(crate) struct Channel<M> {
    pub weather: Weather,
    rng: ChaCha8Rng,
    on_the_way: BinaryHeap<Reverse<Flight<M>>>,
    sent: u64,
}

#[derive(Debug)]
struct Flight<M> {
    due: u64,
    number: u64,
    message: M,
}

impl<M> Flight<M> {
    fn order(&self) -> (u64, u64) {
        (self.due, self.number)
    }
}

impl<M> PartialEq for Flight<M> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<M> Eq for Flight<M> {}

impl<M> PartialOrd for Flight<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Flight<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<M: Clone> Channel<M> {
    pub fn new(weather: Weather, rng: ChaCha8Rng) -> Self {
        Self {
            weather,
            rng,
            on_the_way: BinaryHeap::new(),
            sent: 0,
        }
    }

    pub fn send(&mut self, now: u64, message: M) {
        let weather = &self.weather;
        // Drawn in any case, so that a cut does not change the fate of what is sent after it.
        let [lost, repeated] = [weather.loss, weather.duplicate].map(|p| self.rng.random_bool(p));
        let delay = self.rng.random_range(weather.delay.clone());
        let again = self.rng.random_range(0..20_000_000);
        if lost || weather.cuts.iter().any(|cut| cut.contains(&now)) {
            return;
        }
        let held = weather.holds.iter().find(|hold| hold.contains(&now));
        let due = held.map_or(now, |hold| hold.end) + delay;
        if repeated {
            self.fly(due + again, message.clone());
        }
        self.fly(due, message);
    }

    /// The next message that has arrived by `now`, and when it did.
    pub fn arrived(&mut self, now: u64) -> Option<(u64, M)> {
        if self.on_the_way.peek()?.0.due > now {
            return None;
        }
        let Reverse(flight) = self.on_the_way.pop()?;
        Some((flight.due, flight.message))
    }

    fn fly(&mut self, due: u64, message: M) {
        self.sent += 1;
        self.on_the_way.push(Reverse(Flight {
            due,
            number: self.sent,
            message,
        }));
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn channel(weather: Weather) -> Channel<u64> {
        Channel::new(weather, ChaCha8Rng::seed_from_u64(7))
    }

    fn all(channel: &mut Channel<u64>, now: u64) -> Vec<u64> {
        std::iter::from_fn(|| channel.arrived(now).map(|(_, message)| message)).collect()
    }

    #[test]
    fn cuts_lose_and_holds_bunch() {
        let mut channel = channel(Weather {
            delay: 1..2,
            ..Weather::default()
        });
        channel.weather.cuts.push(10..20);
        channel.weather.holds.push(20..30);
        for now in [5, 15, 22, 25] {
            channel.send(now, now);
        }
        assert_eq!(all(&mut channel, 29), [5]);
        assert_eq!(all(&mut channel, 31), [22, 25]);
    }

    #[test]
    fn a_wide_delay_reorders_and_every_message_may_come_twice() {
        let mut channel = channel(Weather {
            duplicate: 1.0,
            delay: 0..1000,
            ..Weather::default()
        });
        for now in 0..50 {
            channel.send(now, now);
        }
        let mut got = all(&mut channel, u64::MAX);
        assert_eq!(got.len(), 100);
        assert!(!got.is_sorted());
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.len(), 50);
    }
}
