//! Replacing a policy while it runs: every short order of events, with policies that do as they are told.

use std::time::Duration;

use prehend_policy::{PolicySlot, SwapEvent, SwapTerms};
use prehend_types::{Action, ActionChunk, Observation, Policy, PolicyError, Tally};

use crate::fixture::observation;

/// What a policy does at its next looks; the last goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Works,
    Disagrees,
    GivesNan,
    Fails,
    Panics,
    /// For as long as the test runs.
    Sleeps,
}

const DEEDS: [Does; 4] = [Does::Works, Does::Disagrees, Does::GivesNan, Does::Fails];

struct Told {
    name: &'static str,
    plan: Vec<Does>,
    at: usize,
}

impl Told {
    fn boxed(name: &'static str, plan: &[Does]) -> Box<dyn Policy> {
        let plan = plan.to_vec();
        Box::new(Self { name, plan, at: 0 })
    }
}

impl Policy for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        if seen.cloud.is_empty() {
            let reason = "empty".to_owned();
            return Err(PolicyError::BadObservation { reason });
        }
        let does = self.plan[self.at.min(self.plan.len() - 1)];
        self.at += 1;
        let opening = match does {
            Does::Works => 0.5,
            Does::Disagrees => 0.75,
            Does::GivesNan => f64::NAN,
            Does::Fails => {
                let reason = "told so".to_owned();
                return Err(PolicyError::Inference { reason });
            }
            Does::Panics => panic!("told so"),
            Does::Sleeps => loop {
                std::thread::park();
            },
        };
        // Long enough for any look on a busy machine.
        let dt = Duration::from_secs(100);
        Ok(ActionChunk::new(seen.stamp, dt, 4, &[Action::hold(opening); 8]).expect("fits"))
    }
}

/// One look of everybody; the candidate's is over afterwards.
fn look(slot: &mut PolicySlot, seen: &Observation) -> Result<ActionChunk, PolicyError> {
    let result = slot.act(seen);
    if let Ok(chunk) = &result {
        slot.shadow(seen, chunk);
        while slot.is_candidate_looking() {
            std::thread::yield_now();
        }
    }
    result
}

/// Every plan of `n` deeds.
fn plans(n: u32) -> impl Iterator<Item = Vec<Does>> {
    (0..4_usize.pow(n)).map(move |number| {
        let digit = |place| DEEDS[number / 4_usize.pow(place) % 4];
        (0..n).map(digit).collect()
    })
}

fn works(does: Does) -> bool {
    matches!(does, Does::Works | Does::Disagrees)
}

#[test]
fn every_candidate_of_four_looks_takes_over_only_if_it_may_and_the_old_one_never_fails_the_arm() {
    let seen = observation(1, 100);
    let mut outcomes = [0_u32; 4];
    for plan in plans(4) {
        for (shadow_looks, probation_looks, agrees, force) in (1..=3).flat_map(|n| {
            (0..=3).flat_map(move |m| (0..4).map(move |k| (n, m, k & 1 != 0, k & 2 != 0)))
        }) {
            let terms = SwapTerms {
                shadow_looks,
                agree_within: agrees.then_some(0.1),
                probation_looks,
                force,
            };
            let mut slot = PolicySlot::new(Told::boxed("old", &[Does::Works]));
            slot.offer(Told::boxed("new", &plan), terms)
                .ok()
                .expect("is free");
            let (mut events, mut served) = (Vec::new(), Vec::new());
            for _ in 0..4 {
                served.push(slot.name().to_owned());
                let result = look(&mut slot, &seen);
                let happened = slot.take_events();
                assert_eq!(slot.is_first(), slot.name() == "old");
                // Only one that is settled in, with nobody behind it, may leave the arm without a chunk.
                let is_alone = slot.name() == "new" && slot.is_settled();
                let is_good =
                    result.is_ok_and(|chunk| chunk.actions().iter().all(Action::is_finite));
                assert!(is_good || is_alone, "{plan:?} {terms:?}");
                events.extend(happened);
            }
            // The reference: what the terms say of the plan.
            let (n, m) = (shadow_looks as usize, probation_looks as usize);
            let passes = |does: &Does| works(*does) && (*does == Does::Works || !agrees || force);
            let is_accepted = plan[..n].iter().all(passes);
            let on_probation = &plan[n..(n + m).min(4)];
            let is_rolled_back = is_accepted && !on_probation.iter().all(|does| works(*does));
            let kind = |event: &SwapEvent| match event {
                SwapEvent::Refused { .. } => 0,
                SwapEvent::Accepted { .. } => 1,
                SwapEvent::RolledBack { .. } => 2,
                SwapEvent::Settled { .. } => 3,
            };
            let kinds: Vec<usize> = events.iter().map(kind).collect();
            let expected = match (is_accepted, is_rolled_back) {
                (false, _) => vec![0],
                (true, true) => vec![1, 2],
                (true, false) if m > 0 && n + m <= 4 => vec![1, 3],
                (true, false) => vec![1],
            };
            assert_eq!(kinds, expected, "{plan:?} {terms:?}");
            assert!(
                served[..n].iter().all(|name| name == "old"),
                "not before its looks"
            );
            let ends_with = if is_accepted && !is_rolled_back {
                "new"
            } else {
                "old"
            };
            assert_eq!(slot.name(), ends_with, "{plan:?} {terms:?}");
            kinds.into_iter().for_each(|kind| outcomes[kind] += 1);
        }
    }
    assert!(outcomes.iter().all(|n| *n > 100), "{outcomes:?}");
}

#[test]
fn one_change_at_a_time() {
    let seen = observation(1, 100);
    let mut slot = PolicySlot::new(Told::boxed("old", &[Does::Works]));
    let terms = SwapTerms {
        shadow_looks: 1,
        probation_looks: 1,
        ..SwapTerms::default()
    };
    let offer =
        |slot: &mut PolicySlot, name| slot.offer(Told::boxed(name, &[Does::Works]), terms).is_ok();
    assert!(offer(&mut slot, "first"));
    assert!(!offer(&mut slot, "second"), "one looks on");
    look(&mut slot, &seen).expect("works");
    assert_eq!(slot.take_events().len(), 1);
    assert_eq!(slot.name(), "first");
    assert!(!offer(&mut slot, "second"), "one is on probation");
    look(&mut slot, &seen).expect("works");
    assert!(offer(&mut slot, "second"));
}

#[test]
fn an_observation_that_nobody_can_use_decides_nothing() {
    let (seen, empty) = (observation(1, 100), observation(1, 0));
    let mut slot = PolicySlot::new(Told::boxed("old", &[Does::Works]));
    let terms = SwapTerms {
        shadow_looks: 1,
        ..SwapTerms::default()
    };
    assert!(
        slot.offer(Told::boxed("new", &[Does::Works]), terms)
            .is_ok()
    );
    look(&mut slot, &empty).expect_err("empty");
    assert_eq!(slot.name(), "old");
    assert!(slot.take_events().is_empty());
    look(&mut slot, &seen).expect("works");
    assert_eq!(slot.take_events().len(), 1);
    look(&mut slot, &empty).expect_err("empty");
    assert_eq!(slot.name(), "new", "no failure of its own, no way back");
}

#[test]
fn how_far_a_candidate_is_off_is_said() {
    let seen = observation(1, 100);
    let mut slot = PolicySlot::new(Told::boxed("old", &[Does::Works]));
    let mut terms = SwapTerms {
        shadow_looks: 2,
        agree_within: Some(0.1),
        ..SwapTerms::default()
    };
    assert!(
        slot.offer(Told::boxed("new", &[Does::Disagrees]), terms)
            .is_ok()
    );
    look(&mut slot, &seen).expect("works");
    match slot.take_events().as_slice() {
        [SwapEvent::Refused { name, reason }] => {
            assert!(name == "new" && reason.contains("0.2500"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    terms.force = true;
    assert!(
        slot.offer(Told::boxed("new", &[Does::Disagrees]), terms)
            .is_ok()
    );
    look(&mut slot, &seen).expect("works");
    look(&mut slot, &seen).expect("works");
    let accepted = SwapEvent::Accepted {
        name: "new".to_owned(),
        difference: 0.25,
    };
    assert_eq!(slot.take_events(), [accepted]);
}

#[test]
fn a_candidate_that_panics_is_refused_and_on_probation_goes_back() {
    let seen = observation(1, 100);
    let terms = SwapTerms {
        shadow_looks: 1,
        ..SwapTerms::default()
    };
    for plan in [&[Does::Panics][..], &[Does::Works, Does::Panics]] {
        let mut slot = PolicySlot::new(Told::boxed("old", &[Does::Works]));
        assert!(slot.offer(Told::boxed("new", plan), terms).is_ok());
        let mut events = Vec::new();
        for _ in 0..2 {
            look(&mut slot, &seen).expect("the old one works");
            events.extend(slot.take_events());
        }
        match events.last() {
            Some(SwapEvent::Refused { reason, .. } | SwapEvent::RolledBack { reason, .. }) => {
                assert!(reason.contains("it panicked: told so"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((events.len(), slot.name()), (plan.len(), "old"));
    }
}

/// A policy of short chunks, so that any look takes too long for them.
struct Hasty;

impl Policy for Hasty {
    fn name(&self) -> &str {
        "hasty"
    }

    fn reset(&mut self, _seed: u64) {}

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        let dt = Duration::from_nanos(1);
        Ok(ActionChunk::new(seen.stamp, dt, 1, &[Action::hold(0.5)]).expect("fits"))
    }
}

#[test]
fn a_candidate_that_never_answers_is_refused_and_nobody_waits_for_it() {
    let seen = observation(1, 100);
    let mut slot = PolicySlot::new(Box::new(Hasty));
    for (candidate, word) in [
        (Does::Sleeps, "no answer yet"),
        (Does::Works, "executed for"),
    ] {
        let candidate = Told::boxed("slow", &[candidate]);
        assert!(slot.offer(candidate, SwapTerms::default()).is_ok());
        let events = loop {
            let chunk = slot.act(&seen).expect("the running one works");
            slot.shadow(&seen, &chunk);
            let events = slot.take_events();
            if !events.is_empty() {
                break events;
            }
        };
        match events.as_slice() {
            [SwapEvent::Refused { name, reason }] => {
                assert!(name == "slow" && reason.contains(word), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        assert!(slot.is_settled() && slot.name() == "hasty");
    }
}

/// Counts its looks.
struct Counts {
    name: &'static str,
    looks: u64,
    fails_at: u64,
}

impl Policy for Counts {
    fn name(&self) -> &str {
        self.name
    }

    fn reset(&mut self, _seed: u64) {
        self.looks = 0;
    }

    fn act(&mut self, seen: &Observation) -> Result<ActionChunk, PolicyError> {
        self.looks += 1;
        if self.looks == self.fails_at {
            let reason = "told so".to_owned();
            return Err(PolicyError::Inference { reason });
        }
        let dt = Duration::from_secs(100);
        Ok(ActionChunk::new(seen.stamp, dt, 4, &[Action::hold(0.5); 8]).expect("fits"))
    }

    fn tally(&self) -> Tally {
        Tally::from([(self.name, self.looks)])
    }
}

#[test]
fn what_a_policy_counted_outlives_it_until_the_episode_ends() {
    let seen = observation(1, 100);
    let counts = |name, fails_at| {
        Box::new(Counts {
            name,
            looks: 0,
            fails_at,
        })
    };
    let mut slot = PolicySlot::new(counts("old", 0));
    let terms = SwapTerms {
        shadow_looks: 1,
        ..SwapTerms::default()
    };
    look(&mut slot, &seen).expect("works");
    assert!(slot.offer(counts("new", 3), terms).is_ok());
    look(&mut slot, &seen).expect("works");
    assert_eq!(slot.take_events().len(), 1, "it takes over");
    look(&mut slot, &seen).expect("works");
    assert_eq!(slot.tally(), Tally::from([("old", 2), ("new", 2)]));
    look(&mut slot, &seen).expect("the old one's");
    assert_eq!(slot.take_events().len(), 1, "it goes back");
    assert_eq!(slot.tally(), Tally::from([("old", 3), ("new", 3)]));
    slot.reset(1);
    assert_eq!(slot.tally(), Tally::from([("old", 0)]));
}
