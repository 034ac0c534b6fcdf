use nalgebra::Point3;
use prehend_types::config::locate;
use prehend_types::{GripperCommand, JointCommand, JointVelocities};

use super::*;
use crate::ArmMode;
use crate::arm::Payload;

fn world(arm: ArmMode) -> World {
    let robot = Robot::load(&locate("robots/fr3").expect("robots/fr3")).expect("valid robot");
    let path = locate("scenes/tabletop.toml").expect("scenes/tabletop.toml");
    let config = SceneConfig::load(&path).expect("valid scene");
    World::with_arm(
        &Arc::new(robot),
        &Arc::new(config),
        21,
        FamilySet::Train,
        arm,
    )
    .expect("a scene")
}

/// Leaning forward at 1 rad/s from home, down to the table and beyond.
fn lean(world: &World, tick: u32) -> JointCommand {
    let mut q_d = *world.robot().home();
    let by = (0.005 * f64::from(tick)).min(1.9);
    q_d[1] += by;
    q_d[3] += 0.3 * by;
    JointCommand {
        q_d,
        dq_d: JointVelocities::from_slice(&[0.0; 7]).expect("seven fit"),
        gripper: GripperCommand { opening: 0.0 },
    }
}

/// Pressed onto the table until the drives are at their limit, then up again: the hand gives way for a
/// while after the overload, and a world that is saved at any of those ticks goes on bit for bit.
#[test]
fn an_overloaded_arm_goes_on_bit_for_bit() {
    let mut world = world(ArmMode::default());
    let mut tick = 0;
    while !world.arm_report().is_overloaded() {
        world.write(&lean(&world, tick));
        world.step();
        tick += 1;
        assert!(tick < 600, "the arm never reached the table");
    }
    let mut through_bytes = world.clone();
    let mut n_firm = 0;
    for _ in 0..250 {
        let bytes = through_bytes.save().expect("bytes");
        through_bytes = World::load(world.robot(), world.config(), &bytes).expect("its own bytes");
        for world in [&mut world, &mut through_bytes] {
            world.write(&lean(world, 0));
            world.step();
        }
        assert_eq!(world.hash(), through_bytes.hash(), "{n_firm}");
        assert_eq!(world.arm_numbers(), through_bytes.arm_numbers(), "{n_firm}");
        n_firm += usize::from(!world.arm.hand_body().gives_way);
    }
    assert!((50..250).contains(&n_firm), "firm for {n_firm} ticks");
}

/// What servos were told goes with the world.
#[test]
fn servos_keep_what_they_were_told() {
    for (is_on, mass) in [(false, 0.0), (true, 2.0)] {
        let mut world = world(ArmMode::Dynamic);
        world.set_servo(is_on);
        world.set_payload((mass > 0.0).then_some(Payload {
            mass,
            center_in_hand: Point3::new(0.0, 0.0, 0.1),
        }));
        let bytes = world.save().expect("bytes");
        let mut loaded = World::load(world.robot(), world.config(), &bytes).expect("its own bytes");
        for _ in 0..20 {
            world.step();
            loaded.step();
        }
        assert_eq!(world.hash(), loaded.hash());
        let fell = (world.robot_state().q[1] - world.robot().home()[1]).abs();
        assert!(fell > 1e-5, "{fell}");
    }
}

#[test]
fn numbers_that_no_world_has_are_refused_by_name() {
    let world = world(ArmMode::default());
    let bytes = world.save().expect("bytes");
    type Damage = fn(&mut Parts);
    let damages: [(&str, Damage); 12] = [
        ("settings.contact_hz", |p| p.settings.contact_hz = f64::NAN),
        ("settings.iterations", |p| {
            p.settings.iterations = usize::MAX
        }),
        ("settings.prediction_m", |p| p.settings.prediction_m = -1.0),
        ("state.steps", |p| p.state.steps = u64::MAX),
        ("state.arm.q", |p| p.state.arm.q[0] = f64::NAN),
        ("state.arm.fingers", |p| {
            p.state.arm.fingers[1] = f64::INFINITY
        }),
        ("state.bodies[0]", |p| p.state.bodies[0].linear.x = f64::NAN),
        ("order.q_d", |p| p.order.joints.q_d[2] = f64::NAN),
        ("order.dq_d", |p| p.order.joints.dq_d[2] = f64::NAN),
        ("order.gripper", |p| {
            p.order.joints.gripper.opening = f64::NAN
        }),
        ("memory.good_steps", |p| p.memory.good_steps = u32::MAX),
        ("of the arm", |p| p.arm[3] = f64::NAN),
    ];
    for (field, damage) in damages {
        let mut parts = parse(&bytes).expect("its own bytes");
        damage(&mut parts);
        let bad = encode(&parts).expect("bytes");
        let error = World::load(world.robot(), world.config(), &bad).err();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(field), "{field}: {message}");
    }
}
