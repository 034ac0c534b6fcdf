//! What a slow push does to the T: quasi-static pushing with an ellipsoid as limit surface (Lynch,
//! Maekawa, Tanie 1992; Goyal, Ruina, Papadopoulos 1991).

use nalgebra::Vector2;

use super::shape::Place;

/// Largest moment over largest force that the table's friction can bear, m: the mean distance of the
/// T's supporting points from its centre of mass.
const MOMENT_ARM: f64 = 0.063;
/// Friction coefficient between fingers and T that the rule counts on.
const FRICTION: f64 = 0.4;
/// A turn of 1 rad is as bad as a shift by this much, m: both cost the same overlap.
const TURN_WORTH: f64 = 0.105;

/// Motion of the T for 1 m of the pusher's way: shift in its own frame, m, and turn, rad.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    pub shift: Vector2<f64>,
    pub turn: f64,
}

/// The motion while the fingers at `contact` go along the unit vector `way`, all in the T's frame.
/// `inwards` is the side's normal.
pub(super) fn motion(contact: &Vector2<f64>, inwards: &Vector2<f64>, way: &Vector2<f64>) -> Motion {
    let c2 = MOMENT_ARM * MOMENT_ARM;
    let p = contact;
    // Sticking: the force whose motion moves the contact point along with the fingers.
    let force = Vector2::new(
        (c2 + p.x * p.x) * way.x + p.x * p.y * way.y,
        p.x * p.y * way.x + (c2 + p.y * p.y) * way.y,
    ) / (c2 + p.norm_squared());
    let across = Vector2::new(-inwards.y, inwards.x);
    let (normal, tangent) = (force.dot(inwards), force.dot(&across));
    let force = if tangent.abs() <= FRICTION * normal {
        force
    } else {
        // Sliding: the force is on the edge of the friction cone, as large as the fingers' advance asks.
        let edge = inwards + across * (FRICTION * tangent.signum());
        let turn = p.perp(&edge) / c2;
        let advance = (edge + Vector2::new(-p.y, p.x) * turn).dot(inwards);
        edge * (way.dot(inwards) / advance.max(1e-3))
    };
    Motion {
        shift: force,
        turn: p.perp(&force) / c2,
    }
}

/// The T's place after the pusher has gone on by `way` m with this motion.
pub(super) fn advance(tee: &Place, motion: &Motion, way: f64) -> Place {
    let (sin, cos) = libm::sincos(motion.turn * way);
    Place {
        at: tee.at + tee.rotate(&motion.shift) * way,
        x: tee.rotate(&Vector2::new(cos, sin)),
    }
}

/// How far a T is from its goal, m.
pub(super) fn distance(goal: &Place, tee: &Place) -> f64 {
    libm::hypot((tee.at - goal.at).norm(), TURN_WORTH * tee.turn_from(goal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_through_the_centre_of_mass_does_not_turn() {
        let up = Vector2::y();
        let motion = motion(&Vector2::new(0.0, -0.13), &up, &up);
        assert!((motion.shift - up).norm() < 1e-12);
        assert!(motion.turn.abs() < 1e-12);
    }

    #[test]
    fn the_contact_moves_along_with_the_fingers() {
        let (up, contact) = (Vector2::y(), Vector2::new(0.07, 0.02));
        for tilt in [-0.2, 0.0, 0.4] {
            let way = Vector2::new(libm::sin(tilt), libm::cos(tilt));
            let motion = motion(&contact, &up, &way);
            let moved = motion.shift + Vector2::new(-contact.y, contact.x) * motion.turn;
            assert!(motion.turn > 0.0);
            // Along the normal always; across it the fingers may slide.
            assert!((moved - way).dot(&up).abs() < 1e-9, "{moved} {way}");
        }
    }

    #[test]
    fn a_turn_costs_what_a_shift_costs() {
        let goal = Place {
            at: [0.5, 0.0].into(),
            x: Vector2::x(),
        };
        let shifted = Place {
            at: [0.5 + 0.2 * TURN_WORTH, 0.0].into(),
            ..goal
        };
        let turned = Place {
            x: Vector2::new(libm::cos(0.2), libm::sin(0.2)),
            ..goal
        };
        assert!((distance(&goal, &shifted) - distance(&goal, &turned)).abs() < 1e-12);
    }
}
