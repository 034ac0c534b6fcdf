//! Which points are of the object to take and which of where it goes, from one look to the next.

use prehend_cloud::Neighbourhood;
use prehend_types::{Observation, Pose, Role};

use super::outline::Outline;

/// A point this near to where one of the two was seen last is of it, m: they move less from one look to the
/// next, but for what the hand carries, and that moves with the hand.
const NEAR: f32 = 0.012;
/// Fewer points than this are no sight of the object: it is hidden, and stays where it was.
const FEWEST: usize = 6;
/// What is lower than this may be table that noise and calibration raised, m.
pub(super) const CLEAR_OF_TABLE: f32 = 0.008;
/// What is seen as low as this stands on the table, m.
const STANDING: f32 = 0.012;
/// No table is seen where target and receptacle stand: they are shown from this height on, as training saw them, m.
const LOWEST: f32 = 0.003;

/// Both as they were seen last.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    target: Vec<[f32; 3]>,
    /// As it was marked: it does not move.
    receptacle: Vec<[f32; 3]>,
    /// What it covers, and how high it is, m.
    outline: Outline,
    top: f32,
    base_from_tool: Pose,
}

impl Marks {
    pub fn new(target: Vec<[f32; 3]>, receptacle: Vec<[f32; 3]>, now: &Observation) -> Self {
        Self {
            target,
            outline: Outline::of(&receptacle),
            top: receptacle.iter().map(|point| point[2]).fold(0.0, f32::max),
            receptacle,
            base_from_tool: now.base_from_tcp,
        }
    }

    /// The points of this cloud that stand on the table, and their roles, base frame, m.
    pub fn follow(&mut self, now: &Observation) -> (Vec<[f32; 3]>, Vec<Role>) {
        if now.state.gripper.is_grasping {
            let moved = (now.base_from_tcp * self.base_from_tool.inverse()).cast::<f32>();
            for point in &mut self.target {
                *point = moved.transform_point(&(*point).into()).into();
            }
        }
        self.base_from_tool = now.base_from_tcp;
        let target = Neighbourhood::new(&self.target, NEAR);
        let receptacle = Neighbourhood::new(&self.receptacle, NEAR);
        let foot = self.foot();
        let role = |point: &[f32; 3]| {
            let is_over = self.outline.contains(point) && point[2] < self.top + NEAR;
            let is_clear = point[2] >= CLEAR_OF_TABLE;
            let [own, other] = if is_clear {
                [&target, &receptacle].map(|near| distance(near, point))
            } else {
                [f32::INFINITY; 2]
            };
            if own.is_finite() && own <= other || !is_clear && foot.contains(point) {
                Some(Role::Target)
            } else if is_over || other.is_finite() {
                Some(Role::Receptacle)
            } else {
                is_clear.then_some(Role::Other)
            }
        };
        let seen = now.cloud.points.iter().filter(|point| point[2] > LOWEST);
        let seen = seen.filter_map(|point| Some((*point, role(point)?)));
        let (points, roles): (Vec<[f32; 3]>, Vec<Role>) = seen.unzip();
        let own = points.iter().zip(&roles);
        let own = own.filter(|(_, role)| **role == Role::Target);
        let own: Vec<[f32; 3]> = own.map(|(point, _)| *point).collect();
        if own.len() >= FEWEST {
            self.target = own;
        }
        (points, roles)
    }

    /// What the target covers of the table, if it stands there: no table is seen under it either.
    fn foot(&self) -> Outline {
        let low = self.target.iter().any(|point| point[2] < STANDING);
        if low {
            Outline::of(&self.target)
        } else {
            Outline::default()
        }
    }
}

/// To the nearest point, m; infinite beyond [`NEAR`].
fn distance(near: &Neighbourhood, point: &[f32; 3]) -> f32 {
    let mut nearest = f32::INFINITY;
    near.each(point, |other| {
        nearest = nearest.min((other - nalgebra::Vector3::from(*point)).norm());
    });
    nearest
}

#[cfg(test)]
mod tests {
    use prehend_types::{
        GripperState, JointPositions, JointVelocities, PointCloud, RobotState, Stamp,
    };

    use super::*;

    fn block(x: f32, y: f32, z: f32) -> Vec<[f32; 3]> {
        (0..64_u8)
            .map(|i| {
                let [a, b, c] = [i % 4, i / 4 % 4, i / 16].map(|v| 0.006 * f32::from(v));
                [x + a, y + b, z + c]
            })
            .collect()
    }

    fn sight(points: Vec<[f32; 3]>, tool: [f64; 3], is_grasping: bool) -> Observation {
        let stamp = Stamp::ZERO;
        Observation {
            stamp,
            cloud: PointCloud {
                stamp,
                frame: "base".to_owned(),
                roles: vec![Role::Other; points.len()],
                points,
            },
            state: RobotState {
                stamp,
                q: JointPositions::zeros(7).expect("seven"),
                dq: JointVelocities::zeros(7).expect("seven"),
                gripper: GripperState {
                    width: 0.02,
                    commanded: 0.0,
                    is_grasping,
                },
            },
            base_from_tcp: Pose::translation(tool[0], tool[1], tool[2]),
            committed: prehend_types::Actions::new(),
        }
    }

    fn count(roles: &[Role], role: Role) -> usize {
        roles.iter().filter(|own| **own == role).count()
    }

    #[test]
    fn a_carried_object_keeps_its_mark_and_what_it_passes_keeps_none() {
        let at = |dx: f32, dz: f32| {
            [
                block(0.4 + dx, 0.0, 0.02 + dz),
                block(0.4, 0.2, 0.02),
                block(0.4, -0.2, 0.02),
            ]
            .concat()
        };
        let start = sight(at(0.0, 0.0), [0.4, 0.0, 0.05], false);
        let mut marks = Marks::new(block(0.4, 0.0, 0.02), block(0.4, 0.2, 0.02), &start);
        let check = |(points, roles): (Vec<[f32; 3]>, Vec<Role>)| {
            assert_eq!(points.len(), 192);
            assert_eq!(count(&roles, Role::Target), 64);
            assert_eq!(count(&roles, Role::Receptacle), 64);
            assert!(roles[..64].iter().all(|role| *role == Role::Target));
        };
        check(marks.follow(&start));
        // Pushed a little, then carried farther from one look to the next than it is long.
        check(marks.follow(&sight(at(0.005, 0.0), [0.4, 0.0, 0.05], false)));
        check(marks.follow(&sight(at(0.105, 0.1), [0.5, 0.0, 0.15], true)));
        // Hidden for a moment, and carried on meanwhile.
        let rest = [block(0.4, 0.2, 0.02), block(0.4, -0.2, 0.02)].concat();
        let (_, roles) = marks.follow(&sight(rest, [0.5, 0.0, 0.25], true));
        assert_eq!(count(&roles, Role::Target), 0);
        check(marks.follow(&sight(at(0.105, 0.2), [0.5, 0.0, 0.25], true)));
    }

    #[test]
    fn what_stands_is_shown_down_to_the_table() {
        let noise: Vec<[f32; 3]> = block(0.5, 0.0, 0.0)
            .iter()
            .map(|p| [p[0], p[1], 0.006])
            .collect();
        let now = sight([block(0.4, 0.0, 0.004), noise].concat(), [0.0; 3], false);
        let seen_clear = block(0.4, 0.0, 0.010);
        let (points, roles) = Marks::new(seen_clear, block(0.4, 0.2, 0.02), &now).follow(&now);
        assert_eq!((points.len(), count(&roles, Role::Target)), (64, 64));
    }

    #[test]
    fn the_table_is_left_out() {
        let table: Vec<[f32; 3]> = block(0.6, 0.0, 0.0)
            .iter()
            .map(|p| [p[0], p[1], 0.001])
            .collect();
        let points = [block(0.4, 0.0, 0.02), table].concat();
        let now = sight(points, [0.0; 3], false);
        let mut marks = Marks::new(block(0.4, 0.0, 0.02), block(0.4, 0.2, 0.02), &now);
        assert_eq!(marks.follow(&now).0.len(), 64);
    }
}
