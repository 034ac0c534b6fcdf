//! Choosing which points a network sees.

use prehend_types::Role;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How many points each role may keep at most when there are too many.
///
/// What a role does not use is left to the others, so that a small object is seen with all of its
/// points and a large tray does not crowd it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Points kept of the target.
    pub target: usize,
    /// Points kept of the receptacle.
    pub receptacle: usize,
    /// Points kept of everything else.
    pub other: usize,
}

impl Quotas {
    /// Points in a full sample; as many as there are numbers if it is more than that.
    #[must_use]
    pub fn total(&self) -> usize {
        let named = self.target.saturating_add(self.receptacle);
        named.saturating_add(self.other)
    }

    fn of(&self, role: Role) -> usize {
        match role {
            Role::Target => self.target,
            Role::Receptacle => self.receptacle,
            Role::Other => self.other,
        }
    }
}

/// Keeps at most `quotas.total()` points: a uniform random choice within each role, the same for the
/// same seed and input. Fewer points than that are all kept; nothing is repeated.
pub fn sample_by_role(
    points: &mut Vec<[f32; 3]>,
    roles: &mut Vec<Role>,
    quotas: &Quotas,
    seed: u64,
) {
    let total = quotas.total();
    if points.len() <= total {
        return;
    }
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut taken = [0; 3];
    let (first, rest): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&index| {
        let role = roles[index];
        taken[role as usize] += 1;
        taken[role as usize] <= quotas.of(role)
    });
    let spare = total - first.len();
    let mut kept: Vec<usize> = first
        .into_iter()
        .chain(rest.into_iter().take(spare))
        .collect();
    // Image order again, so that the choice and not its order is what is random.
    kept.sort_unstable();
    *points = kept.iter().map(|&index| points[index]).collect();
    *roles = kept.iter().map(|&index| roles[index]).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: Quotas = Quotas {
        target: 5,
        receptacle: 3,
        other: 4,
    };

    fn cloud(counts: [usize; 3]) -> (Vec<[f32; 3]>, Vec<Role>) {
        let roles = [Role::Target, Role::Receptacle, Role::Other];
        let roles: Vec<Role> = roles
            .iter()
            .zip(counts)
            .flat_map(|(role, n)| std::iter::repeat_n(*role, n))
            .collect();
        let points = (0..roles.len()).map(|i| [i as f32, 0.0, 0.0]).collect();
        (points, roles)
    }

    fn count(roles: &[Role], role: Role) -> usize {
        roles.iter().filter(|r| **r == role).count()
    }

    #[test]
    fn unused_quota_goes_to_the_others() {
        let (mut points, mut roles) = cloud([2, 7, 70]);
        sample_by_role(&mut points, &mut roles, &QUOTAS, 7);
        assert_eq!(points.len(), 12);
        assert_eq!(count(&roles, Role::Target), 2);
        assert!(count(&roles, Role::Receptacle) >= 3);
        assert!(count(&roles, Role::Other) >= 4);
    }

    #[test]
    fn the_choice_depends_on_the_seed_alone() {
        let sampled = |seed| {
            let (mut points, mut roles) = cloud([70, 70, 70]);
            sample_by_role(&mut points, &mut roles, &QUOTAS, seed);
            points
        };
        assert_eq!(sampled(3), sampled(3));
        assert_ne!(sampled(3), sampled(4));
    }

    #[test]
    fn few_points_all_stay() {
        let (mut points, mut roles) = cloud([1, 2, 3]);
        sample_by_role(&mut points, &mut roles, &QUOTAS, 7);
        assert_eq!((points.len(), roles.len()), (6, 6));
    }
}
