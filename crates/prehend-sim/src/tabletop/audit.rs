//! Do labels say what physics does? Some of a scene's placements and grasps, tried.

use nalgebra::{Point3, Vector3};
use prehend_cloud::N_TURNS;
use prehend_robot::Jaw;
use prehend_types::stats::SuccessRate;

use super::labelled::LabelledScene;
use super::placing::Placing;
use super::trial::{PlaceOutcome, TrialOutcome, try_grasp, try_place};
use super::view::TableView;

/// One in so many points is tried; odd, so that the turns take turns.
const PLACE_STRIDE: usize = 97;
/// Grasps of a view that are tried at most.
const N_GRASPS: usize = 6;

/// How often labels and physics agree. Points and turns whose label says that it is unsure are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelAudit {
    /// Placements that the labels [forbid, allow], of which so many [fail, stand].
    pub places: [[u64; 2]; 2],
    /// Labelled grasps that [miss or lose, hold] their object.
    pub grasps: [u64; 2],
}

impl LabelAudit {
    /// Tries some of a scene's labels: always the same ones.
    #[must_use]
    pub fn of(scene: &LabelledScene, jaw: &Jaw) -> Self {
        let mut own = Self::default();
        for placing in &scene.placings {
            own.try_places(placing, jaw);
        }
        own.try_grasps(scene, &scene.picking, jaw);
        own
    }

    fn try_places(&mut self, placing: &Placing, jaw: &Jaw) {
        let Some(held) = &placing.view.held else {
            return;
        };
        let points = placing.view.points.iter().zip(&held.turns).enumerate();
        for (index, (point, turns)) in points.step_by(PLACE_STRIDE) {
            let turn = index % N_TURNS;
            if turns.unsure >> turn & 1 == 1 {
                continue;
            }
            let point = Point3::from(Vector3::from(*point).cast::<f64>());
            let outcome = try_place(&placing.rest.bodies, &placing.carried, jaw, &point, turn);
            let stands = usize::from(outcome == PlaceOutcome::Stands);
            self.places[usize::from(turns.fit >> turn & 1)][stands] += 1;
        }
    }

    fn try_grasps(&mut self, scene: &LabelledScene, view: &TableView, jaw: &Jaw) {
        let stride = view.grasps.len().div_ceil(N_GRASPS).max(1);
        for grasp in view.grasps.iter().step_by(stride) {
            let object = view.objects[usize::from(grasp.point)].map(usize::from);
            let outcome = try_grasp(&scene.arrangement.bodies, jaw, &grasp.at(&view.points));
            let holds = object.is_some_and(|body| outcome == TrialOutcome::Held { body });
            self.grasps[usize::from(holds)] += 1;
        }
    }

    /// Takes over what another scene gave.
    pub fn add(&mut self, other: &Self) {
        let own = self.places.iter_mut().flatten().chain(&mut self.grasps);
        let others = other.places.iter().flatten().chain(&other.grasps);
        for (sum, count) in own.zip(others) {
            *sum += count;
        }
    }

    /// Placements of which labels and physics say the same.
    #[must_use]
    pub fn places_agree(&self) -> SuccessRate {
        let [[failed, _], [_, stood]] = self.places;
        let n = self.places.iter().flatten().sum();
        SuccessRate::new(failed + stood, n)
    }

    /// Allowed placements that stand.
    #[must_use]
    pub fn allowed_places_stand(&self) -> SuccessRate {
        let [failed, stood] = self.places[1];
        SuccessRate::new(stood, failed + stood)
    }

    /// Forbidden placements that fail.
    #[must_use]
    pub fn forbidden_places_fail(&self) -> SuccessRate {
        let [failed, stood] = self.places[0];
        SuccessRate::new(failed, failed + stood)
    }

    /// Labelled grasps that hold.
    #[must_use]
    pub fn grasps_hold(&self) -> SuccessRate {
        let [lost, held] = self.grasps;
        SuccessRate::new(held, lost + held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_to_rates() {
        let mut sum = LabelAudit {
            places: [[10, 1], [2, 20]],
            grasps: [1, 9],
        };
        sum.add(&LabelAudit {
            places: [[5, 0], [0, 2]],
            grasps: [0, 3],
        });
        let counts = |rate: SuccessRate| (rate.successes, rate.n);
        assert_eq!(counts(sum.places_agree()), (37, 40));
        assert_eq!(counts(sum.allowed_places_stand()), (22, 24));
        assert_eq!(counts(sum.forbidden_places_fail()), (15, 16));
        assert_eq!(counts(sum.grasps_hold()), (12, 13));
    }
}
