//! What the arm's links touch. They are kinematic: the engine finds their contacts with table and
//! receptacle but gives them no force, the arm does that itself.

use nalgebra::{Point3, Vector3};
use rapier3d::geometry::ActiveCollisionTypes;

use super::{Physics, vector};

/// One point where a link touches, in the base frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LinkContact {
    /// Index of the link.
    pub link_idx: usize,
    pub point: Point3<f64>,
    /// Unit vector from the obstacle to the link.
    pub normal: Vector3<f64>,
    pub what: Touched,
}

/// What a link touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Touched {
    /// Something fixed, this far away (inside if negative) when the last step began, m.
    Fixed { gap: f64 },
    /// Something that moves, which pushed back with this force, N.
    Moving { force: f64 },
}

/// Most contacts that are looked at.
const MOST: usize = 32;

impl Physics {
    /// Lets links be checked against what is fixed, but for those that stand on it.
    pub fn watch_links(&mut self) {
        for (link_idx, handle) in &self.limb.links {
            let Some(body) = self.world.bodies.get(*handle) else {
                continue;
            };
            if *link_idx == self.limb.hand_idx || self.surroundings.stands_on_table(*link_idx) {
                continue;
            }
            for collider in body.colliders().to_vec() {
                if let Some(collider) = self.world.colliders.get_mut(collider) {
                    collider.set_active_collision_types(
                        ActiveCollisionTypes::default() | ActiveCollisionTypes::KINEMATIC_FIXED,
                    );
                }
            }
        }
    }

    /// Contacts of all links but the hand, in a fixed order.
    pub fn link_contacts(&self, out: &mut Vec<LinkContact>) {
        out.clear();
        for (link_idx, handle) in &self.limb.links {
            if *link_idx == self.limb.hand_idx {
                continue;
            }
            let Some(body) = self.world.bodies.get(*handle) else {
                continue;
            };
            for own in body.colliders() {
                for pair in self.world.narrow_phase.contact_pairs_with(*own) {
                    let is_first = pair.collider1 == *own;
                    let other = if is_first {
                        pair.collider2
                    } else {
                        pair.collider1
                    };
                    let first = self.world.colliders.get(pair.collider1);
                    let (Some(other), Some(first)) = (self.world.colliders.get(other), first)
                    else {
                        continue;
                    };
                    let parent = other.parent().and_then(|body| self.world.bodies.get(body));
                    let moves = parent.is_some_and(|body| body.is_dynamic());
                    for manifold in pair.manifolds() {
                        let away = vector(manifold.data.normal);
                        let normal = if is_first { -away } else { away };
                        for contact in &manifold.points {
                            if out.len() == MOST {
                                return;
                            }
                            let at = *first.position() * contact.local_p1;
                            let what = if moves {
                                Touched::Moving {
                                    force: self.mean_force(f64::from(contact.data.impulse)),
                                }
                            } else {
                                Touched::Fixed {
                                    gap: f64::from(contact.dist),
                                }
                            };
                            out.push(LinkContact {
                                link_idx: *link_idx,
                                point: Point3::from(vector(at)),
                                normal,
                                what,
                            });
                        }
                    }
                }
            }
        }
    }
}
