//! Sheets of cloth: the engine's soft bodies.

use nalgebra::{Point3, Vector3};
use rapier3d::dynamics::{SoftBodyBuilder, SoftBodyHandle};
use rapier3d::geometry::ColliderBuilder;
use rapier3d::pipeline::PhysicsWorld;

use super::{REST, ROBOT, groups, to_rapier_vector};
use crate::scene::Cloth;
use crate::state::ClothState;

/// Puts a sheet into the world.
pub(super) fn insert(world: &mut PhysicsWorld, cloth: &Cloth) -> SoftBodyHandle {
    let origin = to_rapier_vector(&cloth.base_from_cloth.translation.vector);
    let along = |axis: Vector3<f64>| to_rapier_vector(&(cloth.base_from_cloth * axis));
    let (down, across) = (Vector3::x() * cloth.spacing, Vector3::y() * cloth.spacing);
    let [rows, columns] = cloth.particles;
    // Only its friction and groups count: the engine puts the sheet's own triangles in the ball's place.
    let surface = ColliderBuilder::ball(cloth.thickness as f32)
        .friction(cloth.friction as f32)
        .collision_groups(groups(REST, ROBOT | REST));
    let sheet = SoftBodyBuilder::cloth(origin, along(down), along(across), rows, columns)
        .mass(cloth.mass as f32)
        .particle_radius(cloth.thickness as f32)
        .surface_collider(surface)
        .self_contacts(true);
    world.insert_soft_body(sheet)
}

/// A sheet as it is put down.
pub(crate) fn flat(cloth: &Cloth) -> ClothState {
    let [rows, columns] = cloth.particles;
    let grid = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let positions = grid.map(|(row, column)| {
        let at = Point3::new(row as f64, column as f64, 0.0) * cloth.spacing;
        (cloth.base_from_cloth * at).coords.cast()
    });
    ClothState {
        positions: positions.collect(),
        velocities: vec![Vector3::zeros(); cloth.n_particles()],
    }
}

/// Writes a sheet's particles to `state`.
pub(super) fn read(world: &PhysicsWorld, sheet: SoftBodyHandle, state: &mut ClothState) {
    let Some(body) = world.soft_bodies.get(sheet) else {
        return;
    };
    let ours = |v: rapier3d::math::Vector| Vector3::new(v.x, v.y, v.z);
    state.positions.clear();
    state.positions.extend(body.particle_positions().map(ours));
    state.velocities.clear();
    state
        .velocities
        .extend(body.particle_velocities().map(ours));
}

/// Puts a sheet's particles where `state` has them.
pub(super) fn place(world: &mut PhysicsWorld, sheet: SoftBodyHandle, state: &ClothState) {
    let Some(body) = world.soft_bodies.get_mut(sheet) else {
        return;
    };
    let theirs = |v: &Vector3<f32>| to_rapier_vector(&v.cast());
    for (index, (at, speed)) in state.positions.iter().zip(&state.velocities).enumerate() {
        body.set_particle_position(index, theirs(at));
        body.set_particle_velocity(index, theirs(speed));
    }
}
