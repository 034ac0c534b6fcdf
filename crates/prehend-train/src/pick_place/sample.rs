//! From stored views to batches: choice of points, augmentation, neighbours, labels.

use burn::tensor::{Device, Int, Tensor, TensorData};
use prehend_cloud::{CLEARANCE_DIM, N_TURNS};
use prehend_nets::pick_place::{FEATURE_DIM, PickPlaceConfig, SceneBatch};
use prehend_policy::pick_place::SceneInputs;
use prehend_sim::tabletop::{PointLabel, TableView};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Noise on top of the camera's, m.
const JITTER: f32 = 0.001;
/// Largest share of points that is left out before the choice.
const DROPOUT: f64 = 0.3;
/// Shift of the whole scene along each axis of the table, m.
const SHIFT: f32 = 0.08;

/// Share of samples that look closely at where the object is wanted; at anything, where it is not.
const FOCUS_WANTED: f64 = 0.75;
const FOCUS_ANYWHERE: f64 = 0.15;

/// A direction pair with its width, as the network should say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Touch {
    pub closing: [f32; 3],
    pub approach: [f32; 3],
    pub width: f32,
}

/// What is known of one sampled view.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    /// For each graspable object, the points it can be grasped at.
    pub objects: Vec<Vec<u32>>,
    /// Points whose grasps are known.
    pub is_known: Vec<bool>,
    /// For each graspable point, its grasps.
    pub touches: Vec<(u32, Vec<Touch>)>,
    /// For each point, turns that fit and turns that are unsure; empty if nothing is held.
    pub turns: Vec<[u8; 2]>,
}

/// One view, ready for the network.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub inputs: SceneInputs,
    pub labels: Labels,
}

/// A rigid motion of the table's plane, perhaps mirrored.
struct Motion {
    cos: f32,
    sin: f32,
    mirror: f32,
    shift: [f32; 2],
}

impl Motion {
    const NONE: Self = Self {
        cos: 1.0,
        sin: 0.0,
        mirror: 1.0,
        shift: [0.0; 2],
    };

    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let angle = rng.random_range(0.0..std::f32::consts::TAU);
        Self {
            cos: libm::cosf(angle),
            sin: libm::sinf(angle),
            mirror: if rng.random_bool(0.5) { -1.0 } else { 1.0 },
            shift: [0; 2].map(|_| rng.random_range(-SHIFT..SHIFT)),
        }
    }

    fn turn(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let y = self.mirror * y;
        [self.cos * x - self.sin * y, self.sin * x + self.cos * y, z]
    }

    fn carry(&self, point: [f32; 3], about: [f32; 2]) -> [f32; 3] {
        let [x, y, z] = self.turn([point[0] - about[0], point[1] - about[1], point[2]]);
        [
            x + about[0] + self.shift[0],
            y + about[1] + self.shift[1],
            z,
        ]
    }

    /// Turns of the held object run the other way in a mirror.
    fn turns(&self, bits: u8) -> u8 {
        if self.mirror > 0.0 {
            return bits;
        }
        (0..N_TURNS).fold(0, |all, turn| {
            all | (bits >> turn & 1) << ((N_TURNS - turn) % N_TURNS)
        })
    }
}

impl Sample {
    /// Inputs that nothing is known of.
    pub fn of(inputs: SceneInputs) -> Self {
        Self {
            inputs,
            labels: Labels::default(),
        }
    }

    /// With random choice of points and, for training, random motion, noise and holes.
    pub fn new(
        view: &TableView,
        config: &PickPlaceConfig,
        is_augmented: bool,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let motion = if is_augmented {
            Motion::draw(rng)
        } else {
            Motion::NONE
        };
        let keep = if is_augmented {
            1.0 - rng.random_range(0.0..DROPOUT)
        } else {
            1.0
        };
        let mut order: Vec<usize> = (0..view.points.len())
            .filter(|_| keep >= 1.0 || rng.random_bool(keep))
            .collect();
        order.shuffle(rng);
        let focus = focus(view, is_augmented, rng);
        let n_points = config.grouping.n_points;
        let chosen = SceneInputs::choose(&view.points, &order, n_points, focus);
        let about = [0.47, 0.0];
        let mut noisy = |point: [f32; 3]| {
            if !is_augmented {
                return point;
            }
            point.map(|v| {
                let z: f32 = StandardNormal.sample(rng);
                v + JITTER * z
            })
        };
        let points: Vec<[f32; 3]> = chosen
            .iter()
            .map(|index| noisy(motion.carry(view.points[*index], about)))
            .collect();
        let normals = chosen.iter().map(|index| motion.turn(view.normals[*index]));
        let normals: Vec<[f32; 3]> = normals.collect();
        let held: Vec<[f32; 3]> = match &view.held {
            Some(held) => held.points.iter().map(|p| noisy(motion.turn(*p))).collect(),
            None => Vec::new(),
        };
        let inputs = SceneInputs::new(&config.grouping, points, &normals, &held, config.n_held);
        Self {
            labels: labels(view, &chosen, &motion),
            inputs,
        }
    }
}

/// Where this sample looks closely: where the object is wanted, or somewhere.
fn focus(view: &TableView, is_augmented: bool, rng: &mut ChaCha8Rng) -> Option<[f32; 2]> {
    let wanted = view.held.as_ref().and_then(|held| held.focus);
    if !is_augmented {
        return wanted;
    }
    if wanted.is_some() {
        return wanted.filter(|_| rng.random_bool(FOCUS_WANTED));
    }
    let [x, y, _] = *view.points.choose(rng)?;
    rng.random_bool(FOCUS_ANYWHERE).then_some([x, y])
}

fn labels(view: &TableView, chosen: &[usize], motion: &Motion) -> Labels {
    let mut own = Labels::default();
    let mut first = vec![0; view.points.len() + 1];
    for grasp in &view.grasps {
        first[usize::from(grasp.point) + 1] += 1;
    }
    for index in 0..view.points.len() {
        first[index + 1] += first[index];
    }
    let mut columns: Vec<(u8, Vec<u32>)> = Vec::new();
    for (row, &index) in chosen.iter().enumerate() {
        own.is_known.push(view.labels[index] != PointLabel::Unknown);
        if let Some(held) = &view.held {
            let turns = held.turns[index];
            own.turns
                .push([motion.turns(turns.fit), motion.turns(turns.unsure)]);
        }
        let grasps = &view.grasps[first[index]..first[index + 1]];
        let Some(object) = view.objects[index].filter(|_| !grasps.is_empty()) else {
            continue;
        };
        let touches = grasps.iter().map(|grasp| Touch {
            closing: motion.turn(grasp.closing),
            approach: motion.turn(grasp.approach),
            width: grasp.width,
        });
        own.touches.push((row as u32, touches.collect()));
        match columns.iter_mut().find(|(known, _)| *known == object) {
            Some((_, rows)) => rows.push(row as u32),
            None => columns.push((object, vec![row as u32])),
        }
    }
    own.objects = columns.into_iter().map(|(_, rows)| rows).collect();
    own
}

/// The tensors of some samples.
pub(super) fn tensors(samples: &[Sample], config: &PickPlaceConfig, device: &Device) -> SceneBatch {
    let n = samples.len();
    let n_points = config.grouping.n_points;
    let flat = |of: fn(&SceneInputs) -> Vec<f32>| -> Vec<f32> {
        samples
            .iter()
            .flat_map(|sample| of(&sample.inputs))
            .collect()
    };
    let float = |values: Vec<f32>, shape: [usize; 3]| {
        Tensor::<3>::from_data(TensorData::new(values, shape), device)
    };
    let indices: Vec<i64> = samples
        .iter()
        .flat_map(|sample| sample.inputs.grouped.indices.iter().map(|i| i64::from(*i)))
        .collect();
    let weights: Vec<f32> = samples
        .iter()
        .flat_map(|sample| sample.inputs.grouped.weights.iter().copied())
        .collect();
    SceneBatch {
        points: float(flat(|i| i.points.as_flattened().to_vec()), [n, n_points, 3]),
        features: float(
            flat(|i| i.features.as_flattened().to_vec()),
            [n, n_points, FEATURE_DIM],
        ),
        indices: Tensor::<2, Int>::from_data(
            TensorData::new(indices, [n, config.grouping.n_indices()]),
            device,
        ),
        weights: Tensor::<2>::from_data(
            TensorData::new(weights, [n, config.grouping.n_weights()]),
            device,
        ),
        held: float(
            flat(|i| i.held.as_flattened().to_vec()),
            [n, config.n_held, 3],
        ),
        clearances: float(
            flat(|i| i.clearances.clone()),
            [n, n_points, N_TURNS * CLEARANCE_DIM],
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_turns_turns_round_twice_to_what_they_were() {
        let mirror = Motion {
            mirror: -1.0,
            ..Motion::NONE
        };
        for bits in 0..=255_u8 {
            assert_eq!(mirror.turns(mirror.turns(bits)), bits);
        }
        assert_eq!(mirror.turns(0b0000_0011), 0b1000_0001);
    }
}
