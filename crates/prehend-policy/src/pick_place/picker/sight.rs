//! What the network is asked, and what it proposes, from one observation.

use prehend_cloud::{NORMAL_RADIUS, Neighbourhood, is_in_hand};
use prehend_types::{Observation, PolicyError};

use super::cell::{Area, Cell};
use crate::pick_place::{
    LEAST_PLACE, ProposedGrasp, ProposedPlace, RawScene, SceneInputs, SceneNetwork, check_cloud,
    grasps, places,
};

/// Surer than this a grasp is considered at all.
const LEAST: f64 = 0.15;
/// What surrounds an area is looked at as well, m.
const AROUND: f32 = 0.05;
/// Fewer points than this show nothing of an area.
const FEWEST: usize = 64;

/// Grasps in the area to pick from, surest first.
pub(in crate::pick_place) fn see_grasps(
    network: &mut SceneNetwork,
    cell: &Cell,
    now: &Observation,
    seed: u64,
) -> Result<Vec<ProposedGrasp>, PolicyError> {
    let is_inside = |at| cell.pick.contains(at, 0.0);
    grasps_in(network, cell, &cell.pick, is_inside, now, seed)
}

/// Grasps of what lies astray, surest first.
pub(super) fn see_astray(
    network: &mut SceneNetwork,
    cell: &Cell,
    now: &Observation,
    seed: u64,
) -> Result<Vec<ProposedGrasp>, PolicyError> {
    if cell.astray.is_none() {
        return Ok(Vec::new());
    }
    grasps_in(
        network,
        cell,
        &cell.place,
        |at| cell.is_astray(at),
        now,
        seed,
    )
}

fn grasps_in(
    network: &mut SceneNetwork,
    cell: &Cell,
    area: &Area,
    is_meant: impl Fn([f32; 3]) -> bool,
    now: &Observation,
    seed: u64,
) -> Result<Vec<ProposedGrasp>, PolicyError> {
    let said = ask(network, cell, area, &now.cloud.points, &[], seed)?;
    let Some((inputs, said)) = said else {
        return Ok(Vec::new());
    };
    let proposed = grasps(&said, &inputs, LEAST).into_iter();
    let at = |proposed: &ProposedGrasp| proposed.grasp.contact.cast::<f32>().into();
    Ok(proposed.filter(|proposed| is_meant(at(proposed))).collect())
}

/// Places in the area to put things, surest first: on what `scene` shows, for `held`, whose points are along
/// the base's axes from its bottom centre, m.
pub(in crate::pick_place) fn see_places(
    network: &mut SceneNetwork,
    cell: &Cell,
    scene: &[[f32; 3]],
    held: &[[f32; 3]],
    seed: u64,
) -> Result<Vec<ProposedPlace>, PolicyError> {
    let Some((inputs, said)) = ask(network, cell, &cell.place, scene, held, seed)? else {
        return Ok(Vec::new());
    };
    let proposed = places(&said, &inputs, LEAST_PLACE).into_iter();
    let is_inside =
        |place: &ProposedPlace| cell.place.contains(place.point.cast::<f32>().into(), 0.0);
    Ok(proposed.filter(is_inside).collect())
}

/// Everything that does not hang in the raised hand.
pub(super) fn see_below(now: &Observation) -> Vec<[f32; 3]> {
    let tool = now.base_from_tcp.translation.vector.into();
    let points = now.cloud.points.iter().copied();
    points.filter(|point| !is_in_hand(point, &tool)).collect()
}

/// What the network says of an area; `None` if next to nothing is seen there.
fn ask(
    network: &mut SceneNetwork,
    cell: &Cell,
    area: &Area,
    cloud: &[[f32; 3]],
    held: &[[f32; 3]],
    seed: u64,
) -> Result<Option<(SceneInputs, RawScene)>, PolicyError> {
    // Before anything is cut off: what is wrong with a cloud shows in all of it.
    check_cloud(cloud, &vec![[0.0; 3]; cloud.len()])?;
    let near = Neighbourhood::new(cloud, NORMAL_RADIUS);
    let inside = cloud.iter().copied();
    let points: Vec<[f32; 3]> = inside.filter(|p| area.contains(*p, AROUND)).collect();
    if points.len() < FEWEST {
        return Ok(None);
    }
    let up = [0.0, 0.0, f32::MAX];
    let normal = |index: usize| cell.facing(&points[index], near.normal(&points[index], &up));
    let (inputs, _) = SceneInputs::look(network.manifest(), &points, normal, held, None, seed);
    let said = network.infer(&inputs)?;
    Ok(Some((inputs, said)))
}
