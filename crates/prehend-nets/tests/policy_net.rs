//! What the whole network promises about its inputs.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use prehend_nets::{ActionScale, FlowPolicyConfig, FlowPolicyNet, PolicyBatch, flatten, unflatten};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const N: usize = 13;

fn net(seed: u64) -> FlowPolicyNet {
    let config = FlowPolicyConfig {
        n_points: N,
        chunk: 3,
        point_widths: [8, 16, 24],
        condition_width: 32,
        head_width: 40,
        head_blocks: 2,
        max_committed: 0,
    };
    FlowPolicyNet::new(&config, &ActionScale::default(), seed, &Device::flex())
}

/// One observation as plain numbers.
#[derive(Clone)]
struct Scene {
    points: Vec<[f32; 3]>,
    roles: Vec<[f32; 3]>,
    tcp: [f32; 3],
    /// Heading of a tool that points down, rad.
    yaw: f32,
}

fn scene() -> Scene {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut point = || [0; 3].map(|_| rng.random_range(0.0..0.4f32));
    Scene {
        points: (0..N).map(|_| point()).collect(),
        roles: (0..N)
            .map(|i| [0, 1, 2].map(|r| f32::from(u8::from(i % 3 == r))))
            .collect(),
        tcp: [0.2, 0.1, 0.3],
        yaw: 0.4,
    }
}

fn act(net: &FlowPolicyNet, scene: &Scene) -> Vec<f32> {
    let device = Device::flex();
    let n = scene.points.len();
    let (sin, cos) = libm::sincosf(scene.yaw);
    let [x, y, z] = scene.tcp;
    // Columns 0 and 1 of Rz(yaw) Rx(pi).
    let proprio = vec![x, y, z, cos, sin, 0.0, sin, -cos, 0.0, 0.08, 1.0, 0.0];
    let cloud = |rows: &[[f32; 3]]| {
        Tensor::<3>::from_data(TensorData::new(rows.concat(), [1, n, 3]), &device)
    };
    let batch = PolicyBatch {
        points: cloud(&scene.points),
        roles: cloud(&scene.roles),
        proprio: Tensor::from_data(TensorData::new(proprio, [1, 12]), &device),
    };
    let noise: Vec<f32> = (0..21).map(|i| libm::sinf(i as f32 * 0.7)).collect();
    let noise = Tensor::from_data(TensorData::new(noise, [1, 3, 7]), &device);
    net.act(batch, noise, None, 4)
        .into_data()
        .iter::<f32>()
        .collect()
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// The scene with its tool, shifted along the table and turned about the vertical.
fn moved(scene: &Scene, angle: f32, shift: [f32; 2]) -> Scene {
    let (sin, cos) = libm::sincosf(angle);
    let place = |p: &[f32; 3]| {
        [
            cos * p[0] - sin * p[1] + shift[0],
            sin * p[0] + cos * p[1] + shift[1],
            p[2],
        ]
    };
    Scene {
        points: scene.points.iter().map(place).collect(),
        tcp: place(&scene.tcp),
        yaw: scene.yaw + angle,
        ..scene.clone()
    }
}

#[test]
fn a_scene_moved_with_its_tool_gets_the_same_actions() {
    let (net, scene) = (net(1), scene());
    let shifted = moved(&scene, 0.0, [0.2, -0.3]);
    assert!(difference(&act(&net, &scene), &act(&net, &shifted)) < 1e-4);
    // The way the tool heads does matter: the arm cannot turn for ever.
    let turned = moved(&scene, 1.1, [0.2, -0.3]);
    assert!(difference(&act(&net, &scene), &act(&net, &turned)) > 1e-4);
    // Height over the table does matter.
    let mut higher = scene.clone();
    higher.points.iter_mut().for_each(|p| p[2] += 0.1);
    higher.tcp[2] += 0.1;
    assert!(difference(&act(&net, &scene), &act(&net, &higher)) > 1e-3);
}

#[test]
fn order_and_padding_do_not_matter_but_points_and_roles_do() {
    let (net, scene) = (net(2), scene());
    let expected = act(&net, &scene);
    let mut order: Vec<usize> = (0..N).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(3));
    let mut shuffled = scene.clone();
    shuffled.points = order.iter().map(|&i| scene.points[i]).collect();
    shuffled.roles = order.iter().map(|&i| scene.roles[i]).collect();
    assert!(difference(&expected, &act(&net, &shuffled)) < 1e-5);

    let mut padded = scene.clone();
    padded.points.extend([[9.0, -9.0, 9.0]; 4]);
    padded.roles.extend([[0.0; 3]; 4]);
    assert!(difference(&expected, &act(&net, &padded)) < 1e-5);

    let mut swapped = scene.clone();
    swapped.roles.iter_mut().for_each(|roles| roles.swap(0, 1));
    assert!(difference(&expected, &act(&net, &swapped)) > 1e-3);
}

#[test]
fn unseen_roles_give_finite_actions() {
    let mut scene = scene();
    scene.roles.iter_mut().for_each(|roles| roles[1] = 0.0);
    assert!(act(&net(4), &scene).iter().all(|v| v.is_finite()));
    scene.roles.iter_mut().for_each(|roles| *roles = [0.0; 3]);
    assert!(act(&net(4), &scene).iter().all(|v| v.is_finite()));
}

#[test]
fn parameters_are_a_function_of_the_seed_and_survive_flattening() {
    let one = flatten(&net(7));
    assert_eq!(one, flatten(&net(7)));
    assert_ne!(one, flatten(&net(8)));
    assert_eq!(one.len(), net(7).num_params());
    let copied = unflatten(net(8), &one);
    assert_eq!(act(&copied, &scene()), act(&net(7), &scene()));
}
