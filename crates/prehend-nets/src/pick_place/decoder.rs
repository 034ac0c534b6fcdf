//! The masked transformer decoder (Cheng et al. 2022, "Mask2Former", in the form of M2T2).
//!
//! M2T2's grasp tokens are learned alone. With a thousandth of its training they never took objects apart
//! (masks overlapped theirs by nothing after 2,000 steps): here each starts from a point of the cloud
//! that stands for what may be an object, as in Mask3D (Schult et al. 2023).

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::attention::Attention;
use super::encoder::{BOTTOM_WIDTH, Indices, Pyramid, UP_WIDTHS};
use super::net::Stage;
use super::ops::{CODE_DIM, Head, Mlp, max_of_groups, per_row, place_code, rows, transpose};
use crate::layers::{Norm, linear};
use burn::nn::Linear;
use prehend_cloud::{CLEARANCE_DIM, Grouping, N_TURNS};

/// Width of tokens.
pub(super) const WIDTH: usize = 96;
/// Width of the masks' inner product.
const MASK_WIDTH: usize = UP_WIDTHS[0];
const N_HEADS: usize = 4;
const FEEDFORWARD_WIDTH: usize = 192;
/// Width of what judges clearances.
const FIT_WIDTH: usize = 48;
/// A grasp token's mask starts as the points within this of its anchor, m: half an object.
const NEAR: f32 = 0.05;
/// How sure it starts of them, and of all others that they are not meant: a logit.
const SURE: f32 = 3.0;
/// A row whose mask logit is x below zero is attended to less by exp(-STEEP x). Mask2Former blocks it
/// altogether; a step would make results depend on the last bit of a logit, and engines differ there. At 30
/// they came to differ by 2.9e-4 in a probability, on one trained network and one view of a hundred.
const STEEP: f32 = 20.0;

/// Cross-attention to one level, self-attention, feed-forward; norms after the sums.
#[derive(Module, Debug)]
struct Layer {
    cross: Attention,
    own: Attention,
    feedforward: Head,
    norms: Vec<Norm>,
}

impl Layer {
    fn new(rng: &mut ChaCha8Rng, device: &Device) -> Self {
        Self {
            cross: Attention::new(rng, WIDTH, N_HEADS, device),
            own: Attention::new(rng, WIDTH, N_HEADS, device),
            feedforward: Head::new(rng, [WIDTH, FEEDFORWARD_WIDTH, WIDTH], device),
            norms: (0..3).map(|_| Norm::new(WIDTH, device)).collect(),
        }
    }

    fn forward(
        &self,
        tokens: Tensor<3>,
        place: &Tensor<3>,
        memory: Tensor<3>,
        handicap: &Tensor<3>,
    ) -> Tensor<3> {
        let norm = |index: usize, x: Tensor<3>| per_row(x, |x| self.norms[index].forward(x));
        let seen = self
            .cross
            .forward(tokens.clone() + place.clone(), memory, Some(handicap));
        let tokens = norm(0, tokens + seen);
        let located = tokens.clone() + place.clone();
        let told = self.own.forward(located.clone(), located, None);
        let tokens = norm(1, tokens + told);
        let thought = per_row(tokens.clone(), |x| self.feedforward.forward(x));
        norm(2, tokens + thought)
    }
}

/// What is added to every stage's masks: of grasps `[B, N, G]`, of places `[B, N, 8]`.
struct Known {
    nearness: Tensor<3>,
    fit: Tensor<3>,
}

/// One level as the tokens see it.
#[derive(Module, Debug)]
struct Memory {
    project: Linear,
    position: Head,
}

/// What is known of the held object.
pub(super) struct HeldObject {
    /// `[B, 96]`: added to the place tokens.
    pub token: Tensor<2>,
    /// `[B, N, 8 * CLEARANCE_DIM]`.
    pub clearances: Tensor<3>,
}

/// From the pyramid and the held object to masks.
#[derive(Module, Debug)]
pub struct Decoder {
    queries: Param<Tensor<2>>,
    places: Param<Tensor<2>>,
    memories: Vec<Memory>,
    layers: Vec<Layer>,
    located: Mlp,
    anchor: Linear,
    nearness: Param<Tensor<1>>,
    mask_point: Linear,
    grasp_mask: Head,
    place_mask: Head,
    fit: Head,
    objectness: Linear,
    first_norm: Norm,
    n_grasps: usize,
}

impl Decoder {
    pub(super) fn new(rng: &mut ChaCha8Rng, n_grasps: usize, device: &Device) -> Self {
        let n_tokens = n_grasps + N_TURNS;
        let mut learned = || {
            let values: Vec<f32> = (0..n_tokens * WIDTH)
                .map(|_| 2.0 * rng.random::<f32>() - 1.0)
                .collect();
            Param::from_data(TensorData::new(values, [n_tokens, WIDTH]), device)
        };
        let (queries, places) = (learned(), learned());
        let widths = [BOTTOM_WIDTH, UP_WIDTHS[2], UP_WIDTHS[1]];
        let memories = widths.map(|width| Memory {
            project: linear(rng, [width, WIDTH], 1.0, device),
            position: Head::new(rng, [CODE_DIM, WIDTH, WIDTH], device),
        });
        Self {
            queries,
            places,
            memories: memories.into(),
            layers: (0..3).map(|_| Layer::new(rng, device)).collect(),
            located: Mlp::new(rng, &[UP_WIDTHS[0] + CODE_DIM, WIDTH], device),
            nearness: Param::from_data(TensorData::new(vec![SURE], [1]), device),
            anchor: linear(rng, [WIDTH, WIDTH], 1.0, device),
            mask_point: linear(rng, [WIDTH, MASK_WIDTH], 1.0, device),
            grasp_mask: Head::new(rng, [WIDTH, WIDTH, MASK_WIDTH], device),
            place_mask: Head::new(rng, [WIDTH, WIDTH, MASK_WIDTH], device),
            fit: Head::new(rng, [CLEARANCE_DIM, FIT_WIDTH, 1], device),
            objectness: linear(rng, [WIDTH, 1], 1.0, device),
            first_norm: Norm::new(WIDTH, device),
            n_grasps,
        }
    }

    /// `points` `[B, N, 3]`, m, from the cloud's middle. Returns a stage for the tokens as they start and one after every layer.
    pub(super) fn forward(
        &self,
        grouping: &Grouping,
        pyramid: &Pyramid,
        indices: &Indices,
        points: Tensor<3>,
        held: HeldObject,
    ) -> Vec<Stage> {
        let n_batch = held.token.dims()[0];
        let n_tokens = self.n_grasps + N_TURNS;
        let device = held.token.device();
        let queries = self.queries.val().reshape([1, n_tokens, WIDTH]);
        let off = per_row(points.clone(), place_code);
        let off = off.reshape([n_batch * grouping.n_points, CODE_DIM]);
        let located = Tensor::cat(vec![pyramid.up[0].clone(), off], 1);
        let located = self.located.forward(located);
        let chosen = indices.of(grouping.anchors(), grouping.n_points);
        let anchors = self.anchor.forward(rows(&located, chosen.clone()));
        let flat = points.clone().reshape([n_batch * grouping.n_points, 3]);
        let seats = rows(&flat, chosen).reshape([n_batch, self.n_grasps, 3]);
        let nearness = self.nearness(points, seats);
        let prompt = Tensor::cat(
            vec![
                anchors.reshape([n_batch, self.n_grasps, WIDTH]),
                held.token.reshape([n_batch, 1, WIDTH])
                    + Tensor::<3>::zeros([n_batch, N_TURNS, WIDTH], &device),
            ],
            1,
        );
        let mut tokens = per_row(prompt + queries, |x| self.first_norm.forward(x));
        let place = self.places.val().reshape([1, n_tokens, WIDTH])
            + Tensor::<3>::zeros([n_batch, n_tokens, WIDTH], &device);
        let points = self.mask_point.forward(located);
        let points = points.reshape([n_batch, grouping.n_points, MASK_WIDTH]);
        let known = Known {
            nearness,
            fit: self.fit(held.clearances),
        };
        let mut stages = vec![self.stage(&tokens, &points, &known)];
        let levels = [&pyramid.bottom, &pyramid.up[2], &pyramid.up[1]];
        for (step, layer) in self.layers.iter().enumerate() {
            let level = 2 - step;
            let n_rows = grouping.levels[level].n_centres;
            let memory = &self.memories[step];
            let centres = pyramid.centres[level].clone().reshape([n_batch, n_rows, 3]);
            let position = per_row(centres, |x| memory.position.forward(place_code(x)));
            let features = memory.project.forward(levels[step].clone());
            let features = features.reshape([n_batch, n_rows, WIDTH]) + position;
            let handicap = self.handicap(grouping, indices, &stages[step], level);
            tokens = layer.forward(tokens, &place, features, &handicap);
            stages.push(self.stage(&tokens, &points, &known));
        }
        stages
    }

    /// What distances to the anchors say: `[B, N, G]`, from sure to as sure of the opposite.
    fn nearness(&self, points: Tensor<3>, anchors: Tensor<3>) -> Tensor<3> {
        let square = |x: Tensor<3>| (x.clone() * x).sum_dim(2);
        let across = points.clone().matmul(transpose(anchors.clone())) * 2.0;
        let distance = square(points) - across + transpose(square(anchors));
        let far = (distance * (1.0 / (NEAR * NEAR))).tanh();
        (far * -2.0 + 1.0) * self.nearness.val().reshape([1, 1, 1])
    }

    /// What clearances say of every point and turn, `[B, N, 8]`: an inner product of a turn's token with a
    /// point cannot say whether a shape fits between walls.
    fn fit(&self, clearances: Tensor<3>) -> Tensor<3> {
        let [n_batch, n_points, _] = clearances.dims();
        let rows = clearances.reshape([n_batch * n_points * N_TURNS, CLEARANCE_DIM]);
        self.fit.forward(rows).reshape([n_batch, n_points, N_TURNS])
    }

    fn stage(&self, tokens: &Tensor<3>, points: &Tensor<3>, known: &Known) -> Stage {
        let [n_batch, n_tokens, _] = tokens.dims();
        let part =
            |span: std::ops::Range<usize>| tokens.clone().slice([0..n_batch, span, 0..WIDTH]);
        let grasps = part(0..self.n_grasps);
        let objectness = per_row(grasps.clone(), |x| self.objectness.forward(x));
        let scale = 1.0 / (MASK_WIDTH as f32).sqrt();
        let mask = |tokens: Tensor<3>, head: &Head| {
            let embedding = per_row(tokens, |x| head.forward(x)) * scale;
            points.clone().matmul(transpose(embedding))
        };
        Stage {
            objectness: objectness.reshape([n_batch, self.n_grasps]),
            grasps: mask(grasps, &self.grasp_mask) + known.nearness.clone(),
            places: mask(part(self.n_grasps..n_tokens), &self.place_mask) + known.fit.clone(),
        }
    }

    /// What keeps tokens from rows outside their present masks: `[B, M, Q]`. A level's row is inside if
    /// any of its points is; a token whose mask is empty sees what is nearest to being inside.
    fn handicap(
        &self,
        grouping: &Grouping,
        indices: &Indices,
        stage: &Stage,
        level: usize,
    ) -> Tensor<3> {
        let [n_batch, n_points, _] = stage.grasps.dims();
        let n_tokens = self.n_grasps + N_TURNS;
        let masks = Tensor::cat(vec![stage.grasps.clone(), stage.places.clone()], 2).detach();
        let mut pooled = masks.reshape([n_batch * n_points, n_tokens]);
        for step in 0..=level {
            let near: Tensor<1, Int> =
                indices.of(grouping.neighbours(step, 0), grouping.n_above(step));
            pooled = max_of_groups(rows(&pooled, near), grouping.levels[step].n_neighbours[0]);
        }
        let n_rows = grouping.levels[level].n_centres;
        relu(pooled.neg().reshape([n_batch, n_rows, n_tokens])) * -STEEP
    }
}
