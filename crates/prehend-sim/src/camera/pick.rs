//! Which pixels are looked at, and which of them are kept.
//!
//! Pixels are visited in a random order until the quotas are met. What is kept has exactly the
//! distribution of [`prehend_cloud::sample_by_role`] on the whole image, because
//! - the order is a uniform permutation: blocks are put into classes by the roles that they may show, a
//!   class is drawn in proportion to what is left of it, then a pixel within the class;
//! - leaving out pixels that could not be kept does not change the order of the others. A pixel can be
//!   kept only if a role that it may show has quota left, or if fewer points are in reserve than quotas
//!   are still open for.

use nalgebra::Isometry3;
use prehend_cloud::{Crop, Intrinsics, Quotas, back_project};
use prehend_types::Role;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::film::Film;
use super::grid::BLOCK;
use super::lanes::LANES;

/// One exposure, and where the robot believes the camera to stand.
pub(super) struct Shot<'a> {
    pub film: Film<'a>,
    pub believed: Isometry3<f32>,
}

/// One kept point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Picked {
    /// Base frame, m.
    pub point: [f32; 3],
    pub role: Role,
    /// See [`super::eye::Cast`].
    pub number: u32,
}

/// A pixel as one number: camera, row, column. Places in order are pixels in image order.
#[derive(Debug, Clone, Copy)]
struct Place(u32);

impl Place {
    /// Bits of a row or column: more than a checked [`crate::CameraConfig`] can ask for.
    const BITS: u32 = 13;

    fn new(camera: usize, column: usize, row: usize) -> Self {
        Self((camera << (2 * Self::BITS) | row << Self::BITS | column) as u32)
    }

    fn parts(self) -> (usize, usize, usize) {
        let mask = (1 << Self::BITS) - 1;
        let (column, row) = (self.0 & mask, self.0 >> Self::BITS & mask);
        let camera = self.0 >> (2 * Self::BITS);
        (camera as usize, column as usize, row as usize)
    }
}

/// Visits pixels of all shots until the quotas are met.
pub(super) fn pick(shots: &mut [Shot<'_>], crop: &Crop, quotas: &Quotas, seed: u64) -> Vec<Picked> {
    let mut classes = classes(shots);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let quotas = [quotas.target, quotas.receptacle, quotas.other];
    let mut taken = [0_usize; 3];
    let (mut kept, mut reserve) = (Vec::with_capacity(quotas.iter().sum()), Vec::new());
    let mut missing: usize = quotas.iter().sum();
    let mut live = 0;
    let mut is_stale = true;
    loop {
        if is_stale {
            // Bit r: role r still has quota.
            let open = (0..3).fold(0, |set, r| set | usize::from(taken[r] < quotas[r]) << r);
            for (roles, class) in classes.iter_mut().enumerate() {
                if roles & open == 0 && reserve.len() >= missing {
                    class.clear();
                }
            }
            live = classes.iter().map(Vec::len).sum::<usize>();
            is_stale = false;
        }
        let Some(place) = draw(&mut classes, &mut rng, live) else {
            break;
        };
        live -= 1;
        let Some(found) = look(shots, place, crop) else {
            continue;
        };
        let role = found.role as usize;
        taken[role] += 1;
        if taken[role] <= quotas[role] {
            kept.push((place.0, found));
            missing -= 1;
            is_stale = taken[role] == quotas[role] || reserve.len() >= missing;
        } else if reserve.len() < missing {
            reserve.push((place.0, found));
            is_stale = reserve.len() == missing;
        }
    }
    kept.extend(reserve.into_iter().take(missing));
    in_order(&kept)
}

/// Points in image order, so that the choice and not its order is what is random.
fn in_order(kept: &[(u32, Picked)]) -> Vec<Picked> {
    // Small keys sort faster than points.
    let keys = kept.iter().zip(0_u64..);
    let mut keys: Vec<u64> = keys
        .map(|((place, _), i)| u64::from(*place) << 32 | i)
        .collect();
    keys.sort_unstable();
    let picked = |key: &u64| kept[(key & u64::from(u32::MAX)) as usize].1;
    keys.iter().map(picked).collect()
}

/// Pixels by the roles that they may show: bit r of the index stands for role r.
fn classes(shots: &[Shot<'_>]) -> [Vec<Place>; 8] {
    let mut sizes = [0; 8];
    for shot in shots {
        let rows = shot.film.window().rows;
        for roles in (rows[0]..rows[1]).flat_map(|row| shot.film.roles(row)) {
            sizes[*roles as usize] += LANES;
        }
    }
    // Most blocks show nothing with a role.
    sizes[0] = 0;
    let mut classes = sizes.map(Vec::with_capacity);
    for (camera, shot) in shots.iter().enumerate() {
        let film = &shot.film;
        let window = film.window();
        let Intrinsics { width, height, .. } = film.intrinsics;
        for row in window.rows[0]..window.rows[1] {
            for (column, roles) in (window.columns[0]..).zip(film.roles(row)) {
                if *roles == 0 {
                    continue;
                }
                let (x, y) = (column * BLOCK[0], row * BLOCK[1]);
                let places: [Place; LANES] = std::array::from_fn(|lane| {
                    Place::new(camera, x + lane % BLOCK[0], y + lane / BLOCK[0])
                });
                let class = &mut classes[*roles as usize];
                if x + BLOCK[0] <= width && y + BLOCK[1] <= height {
                    class.extend_from_slice(&places);
                } else {
                    let is_inside = |place: &&Place| {
                        let (_, column, row) = place.parts();
                        column < width && row < height
                    };
                    class.extend(places.iter().filter(is_inside));
                }
            }
        }
    }
    classes
}

/// Takes a uniform random pixel out of all classes, which hold `live` in all; `None` if that is none.
fn draw(classes: &mut [Vec<Place>; 8], rng: &mut ChaCha8Rng, live: usize) -> Option<Place> {
    if live == 0 {
        return None;
    }
    let mut index = rng.random_range(0..live as u32) as usize;
    for class in classes.iter_mut() {
        if index < class.len() {
            return Some(class.swap_remove(index));
        }
        index -= class.len();
    }
    None
}

/// Measures a pixel. `None` if it shows nothing with a role, measures nothing, or lies outside the crop.
#[inline]
fn look(shots: &mut [Shot<'_>], place: Place, crop: &Crop) -> Option<Picked> {
    let (camera, column, row) = place.parts();
    let shot = &mut shots[camera];
    let (depth, number, role) = shot.film.measure_role(column, row)?;
    let [x, y, z] = back_project(&shot.film.intrinsics, &shot.believed, column, row, depth);
    crop.contains(&[x, y, z]).then_some(Picked {
        point: [x, y, z],
        role,
        number,
    })
}
