//! The whole loss, and what it says about the network.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use prehend_cloud::N_TURNS;
use prehend_nets::pick_place::{Prediction, Stage, TOUCH_DIM, touch_frames};
use rand_chacha::ChaCha8Rng;

use super::config::Tasks;
use super::hard::Masks;
use super::matching::{Said, assign, sigmoid};
use super::sample::Sample;
use super::touch::Touches;

/// Weights (M2T2): objectness, masks, control points (per metre), widths.
const OBJECTNESS: f32 = 2.0;
const MASK: f32 = 5.0;
const CONTROL: f32 = 100.0;
/// A token without an object counts this much: there are about as many of them.
const NO_OBJECT: f32 = 0.5;
/// Points of a mask that are looked at, at least: of a grasp's, of a placement's.
const HARDEST: [usize; 2] = [64, 96];

/// A loss and its parts.
pub(super) struct Loss {
    pub total: Tensor<1>,
    pub parts: Parts,
}

/// What a batch says about the network: sums, with what they are divided by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts {
    /// Loss, batches.
    pub loss: [f64; 2],
    /// Angle to the nearest allowed grasp and of random orientations, rad; points.
    pub angles: [f64; 2],
    pub n_touches: f64,
    /// Confidence at graspable points; such points.
    pub confidence: [f64; 2],
    /// Objects found (a token over one half whose mask overlaps by half), objects, tokens over one half.
    pub found: [f64; 3],
    /// Points of places: in both, in either.
    pub places: [f64; 2],
    /// The same of grasp masks of matched tokens.
    pub masks: [f64; 2],
}

impl Parts {
    pub fn add(&mut self, other: &Self) {
        let sum = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        sum(&mut self.loss, &other.loss);
        sum(&mut self.angles, &other.angles);
        self.n_touches += other.n_touches;
        sum(&mut self.confidence, &other.confidence);
        sum(&mut self.found, &other.found);
        sum(&mut self.places, &other.places);
        sum(&mut self.masks, &other.masks);
    }
}

/// What is fitted, and how directions are at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Emphasis {
    pub tasks: Tasks,
    /// Weight of the angles' own loss.
    pub angles: f32,
    /// Whether a grasp that is wrong may be answered by less confidence: not before masks are there.
    pub by_confidence: bool,
}

pub(super) fn loss(
    said: &Prediction,
    samples: &[Sample],
    control: &[[f32; 2]],
    emphasis: Emphasis,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Loss {
    let mut parts = Parts::default();
    let mut total = Tensor::<1>::zeros([1], device);
    let last = said.stages.len() - 1;
    let mut tokens_of = Vec::new();
    for (index, stage) in said.stages.iter().enumerate() {
        let (loss, tokens) = stage_loss(stage, samples, emphasis.tasks, device);
        total = total + loss;
        if index == last {
            tokens_of = tokens;
        }
    }
    let stage = &said.stages[last];
    count(stage, samples, &tokens_of, &mut parts);

    let [n_views, n_points, _] = said.touch.dims();
    let touch = touch_frames(said.touch.clone().reshape([n_views * n_points, TOUCH_DIM]));
    let touch_data: Vec<f32> = touch.to_data().iter::<f32>().collect();
    let masks: Vec<f32> = stage.grasps.to_data().iter::<f32>().collect();
    let n_tokens = stage.grasps.dims()[2];
    let mut touches = Touches::default();
    for (view, sample) in samples.iter().enumerate() {
        let entry = |row: u32| {
            let objects = sample.labels.objects.iter().zip(&tokens_of[view]);
            let own = objects.filter(|(rows, _)| rows.binary_search(&row).is_ok());
            let entries = own.map(|(_, token)| (view * n_points + row as usize) * n_tokens + token);
            entries.max_by(|a, b| masks[*a].total_cmp(&masks[*b]))
        };
        let own = &touch_data[view * n_points * TOUCH_DIM..][..n_points * TOUCH_DIM];
        touches.push(view, sample, own, control, entry, rng);
        let known = sample.labels.touches.iter();
        let sure = known.filter_map(|(row, _)| Some(sigmoid(f64::from(masks[entry(*row)?]))));
        parts.confidence[0] += sure.sum::<f64>();
        parts.confidence[1] += sample.labels.touches.len() as f64;
    }
    parts.angles = touches.angles;
    parts.n_touches = touches.len() as f64;
    let logits = stage
        .grasps
        .clone()
        .reshape([n_views * n_points * n_tokens]);
    let logits = emphasis.by_confidence.then_some(logits);
    let losses = touches.losses(&touch, logits, control, device);
    if let Some([distance, angles, widths]) = losses.filter(|_| emphasis.tasks.grasp()) {
        total = total + distance * CONTROL + angles * emphasis.angles + widths;
    }
    parts.loss = [f64::from(total.clone().into_scalar::<f32>()), 1.0];
    Loss { total, parts }
}

/// Masks and objectness of one stage; and which token stands for which object, view by view.
fn stage_loss(
    stage: &Stage,
    samples: &[Sample],
    tasks: Tasks,
    device: &Device,
) -> (Tensor<1>, Vec<Vec<usize>>) {
    let [n_views, n_points, n_tokens] = stage.grasps.dims();
    let grasps: Vec<f32> = stage.grasps.to_data().iter::<f32>().collect();
    let places: Vec<f32> = stage.places.to_data().iter::<f32>().collect();
    let objectness: Vec<f32> = stage.objectness.to_data().iter::<f32>().collect();
    let (mut grasp_masks, mut place_masks) = (Masks::default(), Masks::default());
    let mut is_object = vec![0.0_f32; n_views * n_tokens];
    let mut tokens_of = Vec::with_capacity(n_views);
    for (view, sample) in samples.iter().enumerate() {
        let labels = &sample.labels;
        let own = &grasps[view * n_points * n_tokens..][..n_points * n_tokens];
        let said = Said {
            objectness: &objectness[view * n_tokens..][..n_tokens],
            masks: own,
        };
        let tokens = assign(&said, &labels.objects, &labels.is_known);
        for (rows, token) in labels.objects.iter().zip(&tokens) {
            is_object[view * n_tokens + token] = 1.0;
            grasp_masks.push(
                view * n_tokens + token,
                (0..n_points).map(|row| own[row * n_tokens + token]),
                |row| rows.binary_search(&(row as u32)).is_ok(),
                |row| labels.is_known[row],
                HARDEST[0],
            );
        }
        tokens_of.push(tokens);
        if labels.turns.is_empty() {
            continue;
        }
        let own = &places[view * n_points * N_TURNS..][..n_points * N_TURNS];
        for turn in 0..N_TURNS {
            place_masks.push(
                view * N_TURNS + turn,
                (0..n_points).map(|row| own[row * N_TURNS + turn]),
                |row| labels.turns[row][0] >> turn & 1 == 1,
                |row| labels.turns[row][1] >> turn & 1 == 0,
                HARDEST[1],
            );
        }
    }
    let is_object = Tensor::<2>::from_data(TensorData::new(is_object, [n_views, n_tokens]), device);
    let x = stage.objectness.clone();
    let entropy =
        relu(x.clone()) + (x.clone().abs().neg().exp() + 1.0).log() - x * is_object.clone();
    let weights = is_object * (1.0 - NO_OBJECT) + NO_OBJECT;
    let is_object = (entropy * weights).mean() * OBJECTNESS;
    let columns =
        |x: &Tensor<3>, n: usize| x.clone().swap_dims(1, 2).reshape([n_views * n, n_points]);
    let mut total = Tensor::<1>::zeros([1], device);
    let mut masks = Vec::new();
    if tasks.grasp() {
        total = total + is_object;
        masks.extend(grasp_masks.loss(&columns(&stage.grasps, n_tokens), device));
    }
    if tasks.place() {
        masks.extend(place_masks.loss(&columns(&stage.places, N_TURNS), device));
    }
    for mask in masks {
        total = total + mask * MASK;
    }
    (total, tokens_of)
}

fn count(stage: &Stage, samples: &[Sample], tokens_of: &[Vec<usize>], parts: &mut Parts) {
    let [_, n_points, n_tokens] = stage.grasps.dims();
    let grasps: Vec<f32> = stage.grasps.to_data().iter::<f32>().collect();
    let places: Vec<f32> = stage.places.to_data().iter::<f32>().collect();
    let objectness: Vec<f32> = stage.objectness.to_data().iter::<f32>().collect();
    for (view, sample) in samples.iter().enumerate() {
        let labels = &sample.labels;
        let own = &objectness[view * n_tokens..][..n_tokens];
        parts.found[2] += own.iter().filter(|x| **x > 0.0).count() as f64;
        for (rows, token) in labels.objects.iter().zip(&tokens_of[view]) {
            let is_said = |row: usize| grasps[(view * n_points + row) * n_tokens + token] > 0.0;
            let both = rows.iter().filter(|row| is_said(**row as usize)).count() as f64;
            let said = (0..n_points)
                .filter(|row| labels.is_known[*row] && is_said(*row))
                .count() as f64;
            let either = said + rows.len() as f64 - both;
            parts.masks[0] += both;
            parts.masks[1] += either;
            parts.found[1] += 1.0;
            if own[*token] > 0.0 && both > 0.5 * either {
                parts.found[0] += 1.0;
            }
        }
        for (row, [fit, unsure]) in labels.turns.iter().enumerate() {
            for turn in 0..N_TURNS {
                if unsure >> turn & 1 == 1 {
                    continue;
                }
                let is_said = places[(view * n_points + row) * N_TURNS + turn] > 0.0;
                let fits = fit >> turn & 1 == 1;
                parts.places[0] += f64::from(u8::from(is_said && fits));
                parts.places[1] += f64::from(u8::from(is_said || fits));
            }
        }
    }
}
