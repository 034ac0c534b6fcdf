//! One scene: who proposes what, and what becomes of it.

use std::time::Instant;

use nalgebra::Point3;
use prehend_cloud::{NORMAL_RADIUS, Neighbourhood, SURFACE};
use prehend_policy::pick_place::{
    FreePlace, HandFilter, LEAST_PLACE, ProposedGrasp, ProposedPlace, RawScene, SceneInputs,
    SceneNetwork, antipodal_grasps, centroid_grasps, check_cloud, free_place, grasps, places,
    surest_apart,
};
use prehend_robot::Jaw;
use prehend_sim::tabletop::{
    Arrangement, Attempt, InHand, LabelledScene, Measured, ObjectSource, PlaceOutcome, Placing,
    TableView, TrialOutcome, attempt_grasp, try_grasp, try_place,
};
use prehend_types::{Stream, TableGrasp, derive_seed};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Executed, PickThenPlace, Proposer, SceneResult, Stratum};
use crate::exit::{Class, Failure};

/// Surer than this a grasp is proposed at all: what is best is for the scorer to say.
const LEAST: f64 = 0.03;
/// Surer than this a placement counts as one that the network says.
const LEAST_SAID: f64 = 0.2;
/// Within this of a predicted grasp or place an allowed one is covered, m.
const COVERED: f64 = 0.02;
/// Allowed grasps of one scene that coverage is counted over.
const MOST_ALLOWED: usize = 200;
/// Objects of a round of clearing, and failures in a row that end it.
const ROUND: usize = 5;
const STOP_AFTER: u32 = 2;
const ALL_TURNS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
/// Points above the table that pairs are looked for among.
const MOST_FACING: usize = 1280;
/// Points of a dense cloud: the filter sees only what was measured.
const DENSE: usize = 20_000;

/// A network with what it needs to look at a scene.
pub struct Evaluator<'a> {
    /// The network under test.
    pub network: SceneNetwork,
    /// The gripper.
    pub jaw: &'a Jaw,
    /// Which objects.
    pub objects: ObjectSource,
    /// Whether tables of five objects are cleared too.
    pub clears: bool,
}

impl Evaluator<'_> {
    fn look(
        &mut self,
        points: &[[f32; 3]],
        normals: &[[f32; 3]],
        held: &[[f32; 3]],
        focus: Option<[f32; 2]>,
        seed: u64,
        timing: &mut Vec<f64>,
    ) -> Result<(SceneInputs, RawScene, Vec<usize>), Failure> {
        let begun = Instant::now();
        check_cloud(points, normals).map_err(|error| Failure::new(Class::Runtime, error))?;
        let manifest = self.network.manifest();
        let normal = |index: usize| normals[index];
        let (inputs, chosen) = SceneInputs::look(manifest, points, normal, held, focus, seed);
        // What is stored has its normals; a robot has to find those of the points that it shows.
        let near = Neighbourhood::new(points, NORMAL_RADIUS);
        for point in &inputs.points {
            std::hint::black_box(near.normal(point, &[0.0, 0.0, 1.0]));
        }
        let raw = self.network.infer(&inputs);
        timing.push(begun.elapsed().as_secs_f64() * 1e3);
        let raw = raw.map_err(|error| Failure::new(Class::Runtime, error))?;
        Ok((inputs, raw, chosen))
    }

    /// Everything about the scene of one seed; `None` if nothing came to rest.
    ///
    /// # Errors
    /// The network failed.
    pub fn scene(&mut self, seed: u64) -> Result<Option<SceneResult>, Failure> {
        let Some(scene) = LabelledScene::new(seed, &self.objects, None, self.jaw) else {
            return Ok(None);
        };
        let mut result = SceneResult {
            stratum: scene.visible_share().map(Stratum::of),
            ..SceneResult::default()
        };
        self.grasp(&scene, seed, &mut result)?;
        for placing in &scene.placings {
            self.place(placing, seed, &mut result)?;
        }
        for proposer in [Proposer::Network, Proposer::Centroid] {
            if let Some(end) = self.pick_then_place(&scene, proposer, seed)? {
                result.pick_then_place.insert(proposer, end);
            }
        }
        if self.clears {
            for proposer in [Proposer::Network, Proposer::Centroid, Proposer::Antipodal] {
                let count = self.clear(proposer, seed)?;
                result.cleared.insert(proposer, count);
            }
        }
        Ok(Some(result))
    }

    fn grasp(
        &mut self,
        scene: &LabelledScene,
        seed: u64,
        result: &mut SceneResult,
    ) -> Result<(), Failure> {
        let view = &scene.picking;
        let allowed = allowed(view, seed);
        if allowed.is_empty() {
            return Ok(());
        }
        let bodies = &scene.arrangement.bodies;
        let (inputs, raw, _) = self.look(
            &view.points,
            &view.normals,
            &[],
            None,
            seed,
            &mut result.empty_looks_ms,
        )?;
        let proposed = grasps(&raw, &inputs, LEAST);
        let jaw = self.jaw;
        let run = |grasp: &TableGrasp| try_grasp(bodies, jaw, grasp).is_held();
        let begun = Instant::now();
        let filter = HandFilter::new(jaw, &view.points);
        let ranked = self
            .network
            .rank_until_good(&proposed, &view.points, &filter);
        let ranked = ranked.map_err(|error| Failure::new(Class::Runtime, error))?;
        if let Some(look) = result.empty_looks_ms.last_mut() {
            *look += begun.elapsed().as_secs_f64() * 1e3;
        }
        for refusal in &ranked.refused {
            *result.refused.entry(refusal.of_grasp()).or_default() += 1;
        }
        let feasible = |grasp: &TableGrasp| filter.check(grasp, |_| true).ok();
        let first = |grasps: &[TableGrasp]| {
            let grasp = grasps.iter().find_map(feasible);
            grasp.is_some_and(|grasp| run(&grasp))
        };
        let centroid = first(&centroid_grasps(&view.points));
        let antipodal = first(&self.facing(&view.points, &view.normals, seed));
        let said: Vec<TableGrasp> = proposed.iter().map(|proposal| proposal.grasp).collect();
        let unscored = first(&said);
        let unfiltered = proposed.first().is_some_and(|p| run(&p.grasp));

        result.n_allowed = allowed.len() as u64;
        let covered = |grasp: &TableGrasp| {
            let middle = |grasp: &TableGrasp| grasp.base_from_tool().translation.vector;
            let all = allowed.iter().enumerate();
            let near = all.filter(|(_, own)| (middle(own) - middle(grasp)).norm() < COVERED);
            near.map(|(index, _)| index as u32).collect()
        };
        let execute = |proposal: &ProposedGrasp, is_good: bool| Executed {
            confidence: proposal.confidence,
            is_good,
            covers: covered(&proposal.grasp),
            scene: seed,
        };
        // As the network says them, and as they are carried out; what is the same is tried once.
        let mut known: Vec<(TableGrasp, bool)> = Vec::new();
        let [surest, _] = surest_apart(&proposed);
        for proposal in surest {
            let is_good = run(&proposal.grasp);
            known.push((proposal.grasp, is_good));
            result.said.push(execute(&proposal, is_good));
        }
        for proposal in &ranked.grasps {
            let same = known.iter().find(|(grasp, _)| *grasp == proposal.grasp);
            let is_good = same.map_or_else(|| run(&proposal.grasp), |(_, is_good)| *is_good);
            result.executed.push(execute(proposal, is_good));
        }
        let best = result.executed.first();
        result.calibration = best.map(|best| (best.confidence, best.is_good));
        result.top_grasp.extend([
            (Proposer::Network, best.is_some_and(|best| best.is_good)),
            (Proposer::NetworkUnscored, unscored),
            (Proposer::NetworkUnfiltered, unfiltered),
            (Proposer::Oracle, run(&allowed[0])),
            (Proposer::Centroid, centroid),
            (Proposer::Antipodal, antipodal),
        ]);
        Ok(())
    }

    fn facing(&self, points: &[[f32; 3]], normals: &[[f32; 3]], seed: u64) -> Vec<TableGrasp> {
        let width = self.jaw.max_width_m - 0.006;
        antipodal_grasps(points, normals, width, 60, seed)
    }

    fn place(
        &mut self,
        placing: &Placing,
        seed: u64,
        result: &mut SceneResult,
    ) -> Result<(), Failure> {
        let view = &placing.view;
        let Some(held) = &view.held else {
            return Ok(());
        };
        let mut look_ms = Vec::new();
        let (points, normals, shape) = (&view.points, &view.normals, &held.points);
        let (inputs, raw, chosen) =
            self.look(points, normals, shape, held.focus, seed, &mut look_ms)?;
        // Where there is a slot, the object has to go into it.
        let counts = |point: &Point3<f64>| placing.slot.is_none_or(|slot| slot.contains(point));
        let labels = view.points.iter().zip(&held.turns);
        let is_solvable = labels.clone().any(|(point, turns)| {
            turns.fit != 0 && counts(&Point3::from(nalgebra::Vector3::from(*point).cast()))
        });
        if !is_solvable {
            return Ok(());
        }
        // In a slot the network is told where to look, as an operator says where things go; and, to compare, not.
        let unfocused = match held.focus {
            None => None,
            Some(_) => {
                let (inputs, raw, _) =
                    self.look(points, normals, shape, None, seed, &mut Vec::new())?;
                let inside = places(&raw, &inputs, LEAST_PLACE).into_iter();
                Some(
                    inside
                        .filter(|place| counts(&place.point))
                        .collect::<Vec<_>>(),
                )
            }
        };
        let jaw = self.jaw;
        let run = |point: &Point3<f64>, turn: usize| {
            let outcome = try_place(&placing.rest.bodies, &placing.carried, jaw, point, turn);
            outcome == PlaceOutcome::Stands
        };
        let proposed: Vec<_> = places(&raw, &inputs, LEAST_PLACE)
            .into_iter()
            .filter(|place| counts(&place.point))
            .collect();
        let fits_straight = labels.clone().any(|(point, turns)| {
            let is_straight = (turns.fit | turns.unsure) & 1 == 1;
            is_straight && counts(&Point3::from(nalgebra::Vector3::from(*point).cast()))
        });
        let task = match (placing.slot.is_some(), fits_straight) {
            (false, _) => "",
            (true, true) => "slot_",
            (true, false) => "reorient_",
        };
        let room = placing.slot.map(|slot| slot.room);
        let stratum = room.filter(|_| task == "reorient_").map(tightness);
        let refused = &mut result.refused;
        let top_place = &mut result.top_place;
        let mut say = |name: &str, is_good| {
            for task in [task].into_iter().chain(stratum) {
                top_place.push((format!("{task}{name}"), is_good));
            }
        };
        let begun = Instant::now();
        let filter = HandFilter::new(jaw, points);
        let carried = &placing.carried;
        let refusal = |place: &ProposedPlace| {
            let (tool, bottom) = (&carried.base_from_tool, &carried.bottom);
            filter.check_place(tool, bottom, carried.opening, place)
        };
        let place = |place: Option<&ProposedPlace>| {
            place.is_some_and(|place| run(&place.point, place.turn))
        };
        let all = || proposed.iter();
        let ranked = self.network.rank_places(&proposed, points, shape, refusal);
        let ranked = ranked.map_err(|error| Failure::new(Class::Runtime, error))?;
        let ranking_ms = begun.elapsed().as_secs_f64() * 1e3;
        let looked = look_ms.into_iter().map(|look| look + ranking_ms);
        result.held_looks_ms.extend(looked);
        for refusal in &ranked.refused {
            *refused.entry(refusal.of_place()).or_default() += 1;
        }
        say("network", place(ranked.places.first()));
        let unscored = all().find(|place| refusal(place).is_ok());
        say("network_unscored", place(unscored));
        say("network_unfiltered", place(proposed.first()));
        if let Some(unfocused) = &unfocused {
            let first = unfocused.iter().find(|place| refusal(place).is_ok());
            say("network_unfocused", place(first));
        }
        let straight = all().find(|place| place.turn == 0 && refusal(place).is_ok());
        say("network_turn_0", place(straight));
        for (how, turns, name) in [
            (FreePlace::Random, &[0][..], "random_free"),
            (FreePlace::Roomiest, &[0], "footprint"),
            (FreePlace::Roomiest, &ALL_TURNS, "footprint_turned"),
        ] {
            let place = free_place(&view.points, &held.points, how, turns, seed, counts);
            say(name, place.is_some_and(|(point, turn)| run(&point, turn)));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let fitting: Vec<(Point3<f64>, usize)> = labels
            .flat_map(|(point, turns)| {
                let point = Point3::from(nalgebra::Vector3::from(*point).cast::<f64>());
                let fit = turns.fit;
                (0..8)
                    .filter(move |turn| fit >> turn & 1 == 1)
                    .map(move |turn| (point, turn))
            })
            .filter(|(point, _)| counts(point))
            .collect();
        if let Some((point, turn)) = fitting.choose(&mut rng) {
            say("oracle", run(point, *turn));
        }
        // Coverage over the points that the network was shown, against their labels.
        let mut allowed: Vec<(Point3<f64>, usize)> = Vec::new();
        for index in chosen.iter().step_by(8) {
            let point = Point3::from(nalgebra::Vector3::from(view.points[*index]).cast::<f64>());
            let fit = held.turns[*index].fit;
            allowed.extend(
                (0..8)
                    .filter(|turn| fit >> turn & 1 == 1)
                    .map(|turn| (point, turn)),
            );
        }
        let first_allowed = result.n_allowed_places;
        result.n_allowed_places += allowed.len() as u64;
        let rows = raw.places.chunks_exact(8).zip(&chosen);
        for (row, index) in rows.step_by(4) {
            let turns = held.turns[*index];
            let at = Point3::from(nalgebra::Vector3::from(view.points[*index]).cast::<f64>());
            for (turn, confidence) in row.iter().enumerate() {
                if turns.unsure >> turn & 1 == 1 || f64::from(*confidence) < LEAST_SAID {
                    continue;
                }
                let covers = allowed
                    .iter()
                    .enumerate()
                    .filter(|(_, (point, own))| *own == turn && (point - at).norm() < COVERED);
                result.placed.push(Executed {
                    confidence: f64::from(*confidence),
                    is_good: turns.fit >> turn & 1 == 1,
                    covers: covers
                        .map(|(index, _)| first_allowed as u32 + index as u32)
                        .collect(),
                    scene: seed,
                });
            }
        }
        Ok(())
    }

    /// One object is taken up and put down elsewhere: by the network with what it sees at each moment, or
    /// by the two geometric rules, across the narrow side and where there is most room. `None` if there is
    /// nothing that can be grasped.
    fn pick_then_place(
        &mut self,
        scene: &LabelledScene,
        proposer: Proposer,
        seed: u64,
    ) -> Result<Option<PickThenPlace>, Failure> {
        if scene.picking.grasps.is_empty() {
            return Ok(None);
        }
        let table = &scene.arrangement;
        let seen = table.measure(derive_seed(seed, Stream::Camera, 50), DENSE);
        let proposed = self.propose(proposer, &seen, seed)?;
        let filter = HandFilter::new(self.jaw, &seen.points);
        let grasp = proposed
            .iter()
            .find_map(|grasp| filter.check(grasp, |_| true).ok());
        let Some(grasp) = grasp else {
            return Ok(Some(PickThenPlace::NoGrasp));
        };
        let attempt = attempt_grasp(&table.bodies, self.jaw, &grasp);
        let TrialOutcome::Held { body } = attempt.outcome else {
            return Ok(Some(PickThenPlace::NotHeld));
        };
        let look_seed = derive_seed(seed, Stream::Camera, 51);
        let (poses, tool) = (&attempt.poses, &attempt.base_from_tool);
        let Some(in_hand) = table.taken(body, poses, tool, &grasp, self.jaw, look_seed) else {
            return Ok(Some(PickThenPlace::NotSeen));
        };
        let InHand { seen, held, .. } = &in_hand;
        let place = match proposer {
            Proposer::Network => {
                let (inputs, raw, _) = self.look(
                    &seen.points,
                    &seen.normals,
                    held,
                    None,
                    seed,
                    &mut Vec::new(),
                )?;
                let filter = HandFilter::new(self.jaw, &seen.points);
                let proposed = places(&raw, &inputs, LEAST_PLACE);
                let carried = &in_hand.carried;
                let ranked = self
                    .network
                    .rank_places(&proposed, &seen.points, held, |place| {
                        let (tool, bottom) = (&carried.base_from_tool, &carried.bottom);
                        filter.check_place(tool, bottom, carried.opening, place)
                    });
                let ranked = ranked.map_err(|error| Failure::new(Class::Runtime, error))?;
                let best = ranked.places.first();
                best.map(|place| (place.point, place.turn))
            }
            _ => free_place(&seen.points, held, FreePlace::Roomiest, &[0], seed, |_| {
                true
            }),
        };
        let rest = &in_hand.rest.bodies;
        let Some((point, turn)) = place else {
            return Ok(Some(PickThenPlace::NoPlace));
        };
        let outcome = try_place(rest, &in_hand.carried, self.jaw, &point, turn);
        Ok(Some(match outcome {
            PlaceOutcome::Stands => PickThenPlace::Stands,
            PlaceOutcome::Collided => PickThenPlace::Collided,
            PlaceOutcome::Fell => PickThenPlace::Fell,
            PlaceOutcome::Disturbed => PickThenPlace::Disturbed,
        }))
    }

    /// Grasps for what a camera sees, best first.
    fn propose(
        &mut self,
        proposer: Proposer,
        seen: &Measured,
        seed: u64,
    ) -> Result<Vec<TableGrasp>, Failure> {
        Ok(match proposer {
            Proposer::Centroid => centroid_grasps(&seen.points),
            Proposer::Antipodal => {
                let own: Vec<usize> = (0..seen.points.len())
                    .filter(|i| seen.points[*i][2] > SURFACE)
                    .take(MOST_FACING)
                    .collect();
                let of = |all: &[[f32; 3]]| own.iter().map(|i| all[*i]).collect::<Vec<_>>();
                self.facing(&of(&seen.points), &of(&seen.normals), seed)
            }
            _ => {
                let (inputs, raw, _) = self.look(
                    &seen.points,
                    &seen.normals,
                    &[],
                    None,
                    seed,
                    &mut Vec::new(),
                )?;
                let proposed = grasps(&raw, &inputs, LEAST);
                let filter = HandFilter::new(self.jaw, &seen.points);
                let ranked = self
                    .network
                    .rank_until_good(&proposed, &seen.points, &filter);
                let ranked = ranked.map_err(|error| Failure::new(Class::Runtime, error))?;
                ranked
                    .grasps
                    .iter()
                    .map(|proposal| proposal.grasp)
                    .collect()
            }
        })
    }

    /// Objects taken off a table of five, and how many there were.
    fn clear(&mut self, proposer: Proposer, seed: u64) -> Result<[u64; 2], Failure> {
        let Some(mut table) = Arrangement::new(seed, &self.objects, Some(ROUND)) else {
            return Ok([0; 2]);
        };
        let (mut cleared, mut failures, mut look) = (0, 0, 0);
        while failures < STOP_AFTER && !table.instances.is_empty() {
            look += 1;
            let seed = derive_seed(seed, Stream::Camera, 100 + look);
            let seen = table.measure(seed, DENSE);
            let proposed = self.propose(proposer, &seen, seed)?;
            let filter = HandFilter::new(self.jaw, &seen.points);
            let chosen = proposed
                .iter()
                .find_map(|grasp| filter.check(grasp, |_| true).ok());
            let Some(grasp) = chosen else {
                failures += 1;
                continue;
            };
            let Attempt { outcome, poses, .. } = attempt_grasp(&table.bodies, self.jaw, &grasp);
            let after = match outcome {
                TrialOutcome::Held { body } if body < table.instances.len() => {
                    cleared += 1;
                    failures = 0;
                    let mut rest = table.clone();
                    rest.bodies.remove(body);
                    rest.instances.remove(body);
                    let mut poses = poses;
                    poses.remove(body);
                    rest.moved(&poses)
                }
                _ => {
                    failures += 1;
                    table.moved(&poses)
                }
            };
            // Something left the table or never came to rest.
            let Some(after) = after else { break };
            table = after;
        }
        Ok([cleared, ROUND as u64])
    }
}

/// What a slot that wants a turn is counted under too, by the room in it, m.
fn tightness(room: f64) -> &'static str {
    match room {
        room if room < 0.032 => "reorient_18_to_32_mm_",
        room if room < 0.046 => "reorient_32_to_46_mm_",
        _ => "reorient_46_to_60_mm_",
    }
}

/// Allowed grasps of a view in random order.
fn allowed(view: &TableView, seed: u64) -> Vec<TableGrasp> {
    let mut all: Vec<TableGrasp> = view.grasps.iter().map(|g| g.at(&view.points)).collect();
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    all.truncate(MOST_ALLOWED);
    all
}
