//! Training samples per second of the flow policy on this machine.
//!
//! `cargo run --release -p prehend-nets --example throughput -- [points] [noise draws]`

#![allow(clippy::print_stdout, reason = "a program")]

use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use prehend_nets::{ActionScale, FlowPolicyConfig, FlowPolicyNet, PolicyBatch};

const STEPS: usize = 12;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse::<usize>().ok());
    let n_points = arguments.next().unwrap_or(288);
    let draws = arguments.next().unwrap_or(4);
    for n_batch in [64, 128, 256] {
        let samples_per_s = measure(n_batch, n_points, draws);
        println!("batch {n_batch}, {n_points} points, {draws} draws: {samples_per_s:.0} samples/s");
    }
}

/// Median over a few whole steps: forward, backward, AdamW.
fn measure(n_batch: usize, n_points: usize, draws: usize) -> f64 {
    let device = Device::flex().autodiff();
    let config = FlowPolicyConfig::default();
    let mut net = FlowPolicyNet::new(&config, &ActionScale::default(), 1, &device);
    println!("{} parameters", net.num_params());
    let mut optimiser = AdamWConfig::new().init();
    let uniform = Distribution::Uniform(-0.5, 0.5);
    let third = n_points / 3;
    let roles = [third, third, n_points - 2 * third]
        .into_iter()
        .enumerate()
        .map(|(role, n)| {
            let column = |c: usize| {
                Tensor::<3>::full([n_batch, n, 1], f32::from(u8::from(c == role)), &device)
            };
            Tensor::cat((0..3).map(column).collect(), 2)
        });
    let batch = PolicyBatch {
        points: Tensor::random([n_batch, n_points, 3], uniform, &device),
        roles: Tensor::cat(roles.collect(), 1),
        proprio: Tensor::random([n_batch, 12], uniform, &device),
    };
    let target = Tensor::<2>::random([n_batch * draws, 56], uniform, &device);
    let sigma = Tensor::<2>::random([n_batch * draws, 1], uniform, &device);
    let mut times: Vec<f64> = (0..STEPS)
        .map(|_| {
            let start = Instant::now();
            let condition = net.encode(batch.clone()).repeat_dim(0, draws);
            let error =
                net.velocity(condition, target.clone(), sigma.clone(), None) - target.clone();
            let loss = (error.clone() * error).mean();
            let grads = GradientsParams::from_grads(loss.backward(), &net);
            net = optimiser.step(1e-3, net.clone(), grads);
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    n_batch as f64 / times[STEPS / 2]
}
