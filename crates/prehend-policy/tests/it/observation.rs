//! Clouds and states that cameras and robots should not give, and some do.

use prehend_policy::{PolicyInputs, observation_to_inputs};
use prehend_types::{Observation, PolicyError, Role};

use crate::fixture::{N_POINTS, observation};

fn reason(observation: &Observation) -> String {
    match observation_to_inputs(observation, N_POINTS) {
        Err(PolicyError::BadObservation { reason }) => reason,
        other => panic!("must be refused, got {other:?}"),
    }
}

#[test]
fn an_empty_cloud_is_refused() {
    assert!(reason(&observation(1, 0)).contains("no points"));
}

#[test]
fn one_point_is_padded_at_the_tool() {
    let seen = observation(1, 1);
    let inputs = observation_to_inputs(&seen, N_POINTS).expect("one is enough");
    assert_eq!(inputs.points[..3], seen.cloud.points[0]);
    assert_eq!(inputs.roles[..3], [1.0, 0.0, 0.0]);
    for row in inputs.points[3..].chunks(3) {
        assert_eq!(row, [0.0, 0.0, 0.5]);
    }
    assert!(inputs.roles[3..].iter().all(|role| *role == 0.0));
}

#[test]
fn a_point_that_is_not_finite_or_near_is_named_by_index() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -11.0] {
        for (index, axis) in [(0, 2), (411, 1), (511, 0)] {
            let mut seen = observation(1, N_POINTS);
            seen.cloud.points[index][axis] = bad;
            let reason = reason(&seen);
            assert!(
                reason.starts_with(&format!("point {index} of 512")),
                "{reason}"
            );
        }
    }
}

#[test]
fn a_million_points_are_thinned_and_one_more_is_refused() {
    let seen = observation(1, 1_000_000);
    let inputs = observation_to_inputs(&seen, N_POINTS).expect("a million is allowed");
    assert_eq!(
        inputs,
        observation_to_inputs(&seen, N_POINTS).expect("again")
    );
    for (row, from) in [(0, 0), (1, 1_000_000 / 512), (511, 511 * 1_000_000 / 512)] {
        assert_eq!(inputs.points[3 * row..3 * row + 3], seen.cloud.points[from]);
        let expected = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]][from % 3];
        assert_eq!(
            inputs.roles[3 * row..3 * row + 3],
            expected,
            "roles stay with their points"
        );
    }
    assert!(reason(&observation(1, 1_000_001)).contains("1000001 points"));
}

#[test]
fn roles_must_match_points_and_the_frame_must_be_base() {
    let mut seen = observation(1, 20);
    seen.cloud.roles.push(Role::Other);
    assert_eq!(reason(&seen), "20 points but 21 roles");
    let mut seen = observation(1, 20);
    seen.cloud.frame = "camera".into();
    assert!(reason(&seen).contains("\"camera\""));
}

#[test]
fn a_state_that_is_not_finite_is_named() {
    let mut seen = observation(1, 20);
    seen.state.gripper.width = f64::NAN;
    assert!(reason(&seen).starts_with("gripper_width_m is NaN"));
    let mut seen = observation(1, 20);
    seen.base_from_tcp.translation.y = f64::INFINITY;
    assert!(reason(&seen).starts_with("tcp_y_m is inf"));
}

#[test]
fn proprio_is_in_the_order_of_its_names() {
    let inputs = observation_to_inputs(&observation(1, 20), N_POINTS).expect("is good");
    // Half a turn about x: the columns of the rotation are x, -y, -z.
    let expected = [0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.08, 1.0, 0.0];
    for (got, expected) in inputs.proprio.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-6, "{:?}", inputs.proprio);
    }
}

#[test]
fn nothing_of_an_earlier_observation_stays() {
    let mut inputs = PolicyInputs::zeros(N_POINTS);
    inputs.fill(&observation(1, 600)).expect("is good");
    let seen = observation(2, 5);
    inputs.fill(&seen).expect("is good");
    assert_eq!(
        inputs,
        observation_to_inputs(&seen, N_POINTS).expect("is good")
    );
}
