//! What counts as stacked, what only nearly does, and how a try fails.

use prehend_types::config::locate;

use super::*;

struct Case {
    config: SceneConfig,
    episode: StackEpisode,
    memory: Memory,
}

impl Case {
    fn new() -> Self {
        let path = locate("scenes/stack.toml").expect("is there");
        let config = SceneConfig::load(&path).expect("valid");
        let episode = (0..).find_map(|seed| StackEpisode::draw(&config, seed, 0));
        Self {
            config,
            episode: episode.expect("one of them fits"),
            memory: Memory::default(),
        }
    }

    /// The other cube where it was put, the moved one on it and this much off.
    fn bodies(&self, off: Vector3<f64>) -> [BodyState; 2] {
        let base = self.episode.scene.bodies[BASE].base_from_body;
        let [half, half_below] = self.episode.half;
        let up = Vector3::new(0.0, 0.0, half + half_below) + off;
        let still = |base_from_body| BodyState {
            base_from_body,
            linear: Vector3::zeros(),
            angular: Vector3::zeros(),
        };
        let moved = Translation3::from(base.translation.vector + up);
        [
            still(Pose::from_parts(moved, UnitQuaternion::identity())),
            still(base),
        ]
    }

    fn judge(&mut self, bodies: &[BodyState; 2], is_held: bool, seconds: f64) -> bool {
        let [moved, base] = bodies;
        (0..(seconds / DT).round() as u64).fold(false, |_, step| {
            let bodies = [moved, base];
            let status = self
                .episode
                .step(&self.config, bodies, is_held, step, &mut self.memory);
            status.success
        })
    }
}

#[test]
fn resting_on_the_other_cube_is_success() {
    let mut case = Case::new();
    let there = case.bodies(Vector3::zeros());
    let rest = case.config.task.rest_s;
    assert!(!case.judge(&there, false, rest - 0.01));
    assert!(case.judge(&there, false, 0.02));
}

#[test]
fn near_misses_are_not() {
    let case = Case::new();
    let there = case.bodies(Vector3::zeros());
    let mut moving = there;
    moving[0].linear.x = 0.02;
    let mut tilted = there;
    let tilt = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), 0.4);
    tilted[0].base_from_body.rotation = tilt;
    let mut lifted = there;
    for body in &mut lifted {
        body.base_from_body.translation.z += 0.05;
    }
    let cases = [
        (there, true),
        (moving, false),
        (tilted, false),
        (lifted, false),
        (case.bodies(Vector3::new(0.03, 0.0, 0.0)), false),
        (case.bodies(Vector3::new(0.0, 0.0, 0.01)), false),
    ];
    for (index, (bodies, is_held)) in cases.into_iter().enumerate() {
        assert!(!Case::new().judge(&bodies, is_held, 2.0), "case {index}");
    }
}
