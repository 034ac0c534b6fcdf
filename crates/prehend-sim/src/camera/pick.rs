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
use prehend_cloud::{Crop, Quotas, back_project};
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
    /// Camera, then pixel, row by row: the order of the cloud.
    pub place: (u32, u32),
    /// Base frame, m.
    pub point: [f32; 3],
    pub role: Role,
    /// See [`super::eye::Cast`].
    pub number: u32,
}

/// A pixel that may be visited: camera, and pixel.
type Place = (u32, u32);

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
        let Some((camera, pixel)) = draw(&mut classes, &mut rng, live) else {
            break;
        };
        live -= 1;
        let shot = &mut shots[camera as usize];
        let Some((point, role, number)) = look(shot, pixel as usize, crop) else {
            continue;
        };
        let found = Picked {
            place: (camera, pixel),
            point,
            role,
            number,
        };
        let role = role as usize;
        taken[role] += 1;
        if taken[role] <= quotas[role] {
            kept.push(found);
            missing -= 1;
            is_stale = taken[role] == quotas[role] || reserve.len() >= missing;
        } else if reserve.len() < missing {
            reserve.push(found);
            is_stale = reserve.len() == missing;
        }
    }
    kept.extend(reserve.into_iter().take(missing));
    kept.sort_unstable_by_key(|picked| picked.place);
    kept
}

/// Pixels by the roles that they may show: bit r of the index stands for role r.
fn classes(shots: &[Shot<'_>]) -> [Vec<Place>; 8] {
    let mut classes = [(); 8].map(|()| Vec::new());
    for (camera, shot) in shots.iter().enumerate() {
        let film = &shot.film;
        let window = film.window();
        let Some(words) = (window.width() > 0).then(|| film.candidates(0).len()) else {
            continue;
        };
        let sets = film.cast.role_sets(words);
        let (width, height) = (film.intrinsics.width, film.intrinsics.height);
        for row in window.rows[0]..window.rows[1] {
            for column in window.columns[0]..window.columns[1] {
                let candidates = film.candidates(window.index(column, row));
                let roles = (0..3).fold(0, |roles, r| {
                    let shows = candidates.iter().zip(&sets[r]).any(|(a, b)| a & b != 0);
                    roles | usize::from(shows) << r
                });
                if roles == 0 {
                    continue;
                }
                let at = (column * BLOCK[0], row * BLOCK[1]);
                let place = |lane: usize| (at.0 + lane % BLOCK[0], at.1 + lane / BLOCK[0]);
                let pixels = (0..LANES).map(place);
                let inside = pixels.filter(|(x, y)| *x < width && *y < height);
                classes[roles].extend(inside.map(|(x, y)| (camera as u32, (y * width + x) as u32)));
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
fn look(shot: &mut Shot<'_>, pixel: usize, crop: &Crop) -> Option<([f32; 3], Role, u32)> {
    let width = shot.film.intrinsics.width;
    let (column, row) = (pixel % width, pixel / width);
    let (depth, number, role) = shot.film.measure_role(column, row)?;
    let point = back_project(&shot.film.intrinsics, &shot.believed, column, row, depth);
    crop.contains(&point).then_some((point, role, number))
}
