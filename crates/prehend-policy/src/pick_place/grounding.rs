//! Tells a policy that has to be told: which points are of the object to take, and which of where it goes.
//!
//! The network is asked once, before the arm moves: what can be grasped, and where that could be put down.
//! From then on both are followed from one cloud to the next. Nothing of it needs labels.

use nalgebra::{Point3, Vector3};
use prehend_cloud::{Neighbourhood, Quotas, bottom_centre, sample_by_role};
use prehend_types::{
    ActionChunk, Observation, PointCloud, Policy, PolicyError, Stream, Tally, derive_seed,
};

use super::decode::{ProposedGrasp, ProposedPlace};
use super::lumps::lumps;
use super::marks::{CLEAR_OF_TABLE, Marks};
use super::network::SceneNetwork;
use super::outline::Outline;
use super::picker::{Cell, hold, see_grasps, see_places};
use crate::inputs::check_frame;

/// What a policy is shown at most: the shares of the clouds that it was trained on.
const QUOTAS: Quotas = Quotas {
    target: 192,
    receptacle: 128,
    other: 192,
};
/// Fewest points of something that is looked into, and how high it reaches at least, m: what is lower is table
/// that noise and calibration raised.
const FEWEST: usize = 25;
const LOWEST_TOP: f32 = 0.012;
/// Things that are looked into as what could be taken.
const MOST_ASKED: usize = 4;
/// A point this near to a thing's own points is of it: its floor, say, hardly stands out of the table, m.
const OF_IT: f32 = 0.008;
/// Least sum of confidences that makes something a place to put things: one sure point is none.
const LEAST_ROOM: f64 = 2.0;

/// A policy that needs roles, behind the pick-and-place network that supplies them.
pub struct Grounded {
    policy: Box<dyn Policy>,
    network: SceneNetwork,
    cell: Cell,
    seed: u64,
    n_looks: u64,
    /// Looks that showed nothing to put into anything.
    n_in_vain: u64,
    marks: Option<Marks>,
}

impl Grounded {
    /// `policy` acts on what `network` finds in `cell`: an object over its area to pick from, and where that
    /// goes over its area to place.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>, network: SceneNetwork, cell: Cell) -> Self {
        Self {
            policy,
            network,
            cell,
            seed: 0,
            n_looks: 0,
            n_in_vain: 0,
            marks: None,
        }
    }

    /// The pair of things for which the network is surest that the one can be taken and put into the other, if
    /// there is one.
    fn mark(&mut self, now: &Observation, seed: u64) -> Result<Option<Marks>, PolicyError> {
        let things = things(&now.cloud.points);
        let proposed = see_grasps(&mut self.network, &self.cell, now, seed)?;
        let mut takable: Vec<(f64, usize)> = (0..things.len())
            .map(|index| (sureness(&things[index], &proposed), index))
            .filter(|(sure, _)| *sure > 0.0)
            .collect();
        takable.sort_by(|a, b| b.0.total_cmp(&a.0));
        let ground: Vec<Outline> = things.iter().map(|thing| Outline::of(thing)).collect();
        let mut best: Option<(f64, usize, usize)> = None;
        for (sure, taken) in takable.into_iter().take(MOST_ASKED) {
            let places = self.see_room_for(&things[taken], now, seed)?;
            // Nothing goes into what is smaller than itself, whatever the network says of things that size.
            let larger =
                (0..things.len()).filter(|onto| ground[*onto].area() > ground[taken].area());
            for onto in larger {
                let room = room(&ground[onto], &places);
                if room > LEAST_ROOM && best.is_none_or(|(most, ..)| sure * room > most) {
                    best = Some((sure * room, taken, onto));
                }
            }
        }
        let marks = best.map(|(_, taken, onto)| {
            let (target, receptacle) = (things[taken].clone(), things[onto].clone());
            Marks::new(target, receptacle, now)
        });
        tracing::debug!(things = things.len(), found = marks.is_some(), "marked");
        Ok(marks)
    }

    /// Where a thing could be put, if it hung in the hand as it stands.
    fn see_room_for(
        &mut self,
        thing: &[[f32; 3]],
        now: &Observation,
        seed: u64,
    ) -> Result<Vec<ProposedPlace>, PolicyError> {
        let Some(bottom) = bottom_centre(thing) else {
            return Ok(Vec::new());
        };
        let origin = bottom.coords.cast::<f32>();
        let held: Vec<[f32; 3]> = thing
            .iter()
            .map(|p| (Vector3::from(*p) - origin).into())
            .collect();
        let own = Neighbourhood::new(thing, OF_IT);
        let is_left = |point: &&[f32; 3]| !is_of(&own, point);
        let scene: Vec<[f32; 3]> = now.cloud.points.iter().filter(is_left).copied().collect();
        see_places(&mut self.network, &self.cell, &scene, &held, seed)
    }
}

/// Points of what stands apart on the table.
fn things(cloud: &[[f32; 3]]) -> Vec<Vec<[f32; 3]>> {
    let above: Vec<[f32; 3]> = cloud
        .iter()
        .copied()
        .filter(|p| p[2] > CLEAR_OF_TABLE)
        .collect();
    let stands = |lump: &Vec<usize>| {
        let high = lump.iter().filter(|index| above[**index][2] > LOWEST_TOP);
        high.count() >= FEWEST
    };
    lumps(&above)
        .into_iter()
        .filter(stands)
        .map(|lump| lump.into_iter().map(|index| above[index]).collect())
        .collect()
}

fn is_of(thing: &Neighbourhood, point: &[f32; 3]) -> bool {
    let mut is_near = false;
    thing.each(point, |_| is_near = true);
    is_near
}

/// How sure the network is that a thing can be grasped.
fn sureness(thing: &[[f32; 3]], proposed: &[ProposedGrasp]) -> f64 {
    let near = Neighbourhood::new(thing, OF_IT);
    let own = proposed.iter().filter(|proposed| {
        let at: [f32; 3] = proposed.grasp.contact.cast::<f32>().into();
        is_of(&near, &at)
    });
    own.map(|proposed| proposed.confidence).fold(0.0, f64::max)
}

/// How much the network sees of places in a thing.
fn room(thing: &Outline, places: &[ProposedPlace]) -> f64 {
    let at = |point: &Point3<f64>| -> [f32; 3] { point.cast::<f32>().into() };
    let own = places
        .iter()
        .filter(|place| thing.contains(&at(&place.point)));
    own.map(|place| place.confidence).sum()
}

impl Policy for Grounded {
    fn name(&self) -> &str {
        self.policy.name()
    }

    fn reset(&mut self, seed: u64) {
        self.policy.reset(seed);
        self.seed = seed;
        self.n_looks = 0;
        self.n_in_vain = 0;
        self.marks = None;
    }

    fn act(&mut self, observation: &Observation) -> Result<ActionChunk, PolicyError> {
        check_frame(&observation.cloud)?;
        self.n_looks += 1;
        let seed = derive_seed(self.seed, Stream::Policy, self.n_looks);
        if self.marks.is_none() {
            self.marks = self.mark(observation, seed)?;
        }
        let Some(marks) = &mut self.marks else {
            // The next cloud is another chance.
            self.n_in_vain += 1;
            return hold(observation, 1.0);
        };
        let (mut points, mut roles) = marks.follow(observation);
        sample_by_role(&mut points, &mut roles, &QUOTAS, seed);
        self.policy.act(&Observation {
            stamp: observation.stamp,
            cloud: PointCloud {
                stamp: observation.cloud.stamp,
                frame: observation.cloud.frame.clone(),
                points,
                roles,
            },
            state: observation.state,
            base_from_tcp: observation.base_from_tcp,
            committed: observation.committed.clone(),
        })
    }

    fn tally(&self) -> Tally {
        let mut tally = self.policy.tally();
        if self.n_in_vain > 0 {
            tally.insert("marked_nothing", self.n_in_vain);
        }
        tally
    }
}

impl std::fmt::Debug for Grounded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grounded")
            .field("policy", &self.policy.name())
            .field("is_marked", &self.marks.is_some())
            .finish_non_exhaustive()
    }
}
