//! Grows a convex hull from a simplex, always by the point that is farthest outside.
//!
//! Quickhull (Barber, Dobkin, Huhdanpaa 1996) with one change: the farthest point of all is taken, not
//! that of any face, so that stopping early leaves the best hull of that many corners so far. Only
//! + - * / and square roots are used: the same bits on every machine.

use nalgebra::Vector3;

use super::HullError;

/// Distances below this share of the size are rounding.
const ROUNDING: f64 = 1e-9;
/// Thinner than this share of the size is flat.
const FLAT: f64 = 1e-6;

/// Corners and outward triangles (counter-clockwise seen from outside).
#[derive(Debug)]
pub(super) struct Grown {
    pub points: Vec<Vector3<f64>>,
    pub triangles: Vec<[u32; 3]>,
}

struct Face {
    corners: [usize; 3],
    normal: Vector3<f64>,
    offset: f64,
    /// Points in front of this face, each in exactly one face's list.
    outside: Vec<usize>,
    /// Position in `outside` and distance of the farthest.
    farthest: Option<(usize, f64)>,
}

/// Stops when no point is farther outside than `tolerance`, or at `max_corners`.
pub(super) fn grow(
    points: &[Vector3<f64>],
    tolerance: f64,
    max_corners: usize,
) -> Result<Grown, HullError> {
    let size = size(points)?;
    let mut faces = simplex(points, size)?;
    let everything = (0..points.len()).collect();
    assign(points, everything, &mut faces, 0, size * ROUNDING);
    let mut n_corners = 4;
    let tolerance = tolerance.max(size * ROUNDING);
    while n_corners < max_corners {
        let far = |face: &Face| face.farthest.map_or(0.0, |(_, distance)| distance);
        let Some(face_idx) = (0..faces.len()).max_by(|a, b| {
            // Ties go to the first face, so that the order of equal points does not matter twice.
            far(&faces[*a]).total_cmp(&far(&faces[*b])).then(b.cmp(a))
        }) else {
            break;
        };
        let Some((position, distance)) = faces[face_idx].farthest else {
            break;
        };
        if distance <= tolerance {
            break;
        }
        let point = faces[face_idx].outside.swap_remove(position);
        if !add(points, point, face_idx, &mut faces, size) {
            // Numerically in line with an edge of the horizon: it stays outside, by at most the
            // deviation that the caller measures against all points.
            faces[face_idx].find_farthest(points);
            continue;
        }
        n_corners += 1;
    }
    Ok(compact(points, &faces))
}

/// Diagonal of the bounding box.
fn size(points: &[Vector3<f64>]) -> Result<f64, HullError> {
    let first = points.first().ok_or(HullError::TooFewPoints)?;
    let (mut low, mut high) = (*first, *first);
    for point in points {
        if !point.iter().all(|value| value.is_finite()) {
            return Err(HullError::NotFinite);
        }
        low = low.inf(point);
        high = high.sup(point);
    }
    let size = (high - low).norm();
    if size.is_finite() && size > 0.0 {
        Ok(size)
    } else {
        Err(HullError::Flat)
    }
}

/// Index of the largest value; the first of equals.
fn farthest(points: &[Vector3<f64>], distance: impl Fn(&Vector3<f64>) -> f64) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (idx, point) in points.iter().enumerate() {
        let here = distance(point);
        if here > best.1 {
            best = (idx, here);
        }
    }
    best
}

fn simplex(points: &[Vector3<f64>], size: f64) -> Result<Vec<Face>, HullError> {
    let (a, _) = farthest(points, |p| -p.x);
    let (b, length) = farthest(points, |p| (p - points[a]).norm());
    if length <= size * FLAT {
        return Err(HullError::Flat);
    }
    let along = (points[b] - points[a]) / length;
    let (c, width) = farthest(points, |p| (p - points[a]).cross(&along).norm());
    if width <= size * FLAT {
        return Err(HullError::Flat);
    }
    let normal = (points[b] - points[a])
        .cross(&(points[c] - points[a]))
        .normalize();
    let (d, height) = farthest(points, |p| (p - points[a]).dot(&normal).abs());
    if height <= size * FLAT {
        return Err(HullError::Flat);
    }
    let (b, c) = if (points[d] - points[a]).dot(&normal) > 0.0 {
        (c, b) // The face a b c must look away from d.
    } else {
        (b, c)
    };
    [[a, b, c], [a, d, b], [b, d, c], [c, d, a]]
        .into_iter()
        .map(|corners| Face::new(points, corners, size).ok_or(HullError::Flat))
        .collect()
}

impl Face {
    /// `None` if the corners lie in one line.
    fn new(points: &[Vector3<f64>], corners: [usize; 3], size: f64) -> Option<Self> {
        let [a, b, c] = corners.map(|idx| points[idx]);
        let cross = (b - a).cross(&(c - a));
        let longest = (b - a).norm().max((c - a).norm()).max((c - b).norm());
        let double_area = cross.norm();
        if double_area <= longest * size * FLAT * 1e-1 {
            return None;
        }
        let normal = cross / double_area;
        Some(Self {
            corners,
            normal,
            offset: normal.dot(&((a + b + c) / 3.0)),
            outside: Vec::new(),
            farthest: None,
        })
    }

    fn distance(&self, point: &Vector3<f64>) -> f64 {
        self.normal.dot(point) - self.offset
    }

    fn edges(&self) -> [(usize, usize); 3] {
        let [a, b, c] = self.corners;
        [(a, b), (b, c), (c, a)]
    }

    fn find_farthest(&mut self, points: &[Vector3<f64>]) {
        self.farthest = None;
        for (position, idx) in self.outside.iter().enumerate() {
            let distance = self.normal.dot(&points[*idx]) - self.offset;
            if self.farthest.is_none_or(|(_, best)| distance > best) {
                self.farthest = Some((position, distance));
            }
        }
    }
}

/// Gives each point to the face of `faces[first..]` that it is farthest in front of, if any.
fn assign(
    points: &[Vector3<f64>],
    candidates: Vec<usize>,
    faces: &mut [Face],
    first: usize,
    rounding: f64,
) {
    for idx in candidates {
        let mut best: Option<(usize, f64)> = None;
        for (face_idx, face) in faces.iter().enumerate().skip(first) {
            let distance = face.distance(&points[idx]);
            if distance > rounding && best.is_none_or(|(_, most)| distance > most) {
                best = Some((face_idx, distance));
            }
        }
        if let Some((face_idx, distance)) = best {
            let face = &mut faces[face_idx];
            if face.farthest.is_none_or(|(_, most)| distance > most) {
                face.farthest = Some((face.outside.len(), distance));
            }
            face.outside.push(idx);
        }
    }
}

/// Replaces the faces that `point` sees by a fan to their horizon; false if that is not a clean loop.
fn add(
    points: &[Vector3<f64>],
    point: usize,
    seen_from: usize,
    faces: &mut Vec<Face>,
    size: f64,
) -> bool {
    let rounding = size * ROUNDING;
    // Only the connected patch around the face it came from: rounding may show it others.
    let mut is_visible = vec![false; faces.len()];
    is_visible[seen_from] = true;
    let mut open = vec![seen_from];
    while let Some(face_idx) = open.pop() {
        for (from, to) in faces[face_idx].edges() {
            let neighbour = faces
                .iter()
                .position(|face| face.edges().contains(&(to, from)));
            let Some(neighbour) = neighbour else {
                return false;
            };
            if !is_visible[neighbour] && faces[neighbour].distance(&points[point]) > rounding {
                is_visible[neighbour] = true;
                open.push(neighbour);
            }
        }
    }
    let visible = |wanted: bool| {
        let pairs = faces.iter().zip(&is_visible);
        pairs
            .filter(move |(_, is)| **is == wanted)
            .flat_map(|(face, _)| face.edges())
    };
    let inner: Vec<(usize, usize)> = visible(true).collect();
    let horizon: Vec<(usize, usize)> = inner
        .iter()
        .copied()
        .filter(|(from, to)| !inner.contains(&(*to, *from)))
        .collect();
    if !is_loop(&horizon) {
        return false;
    }
    let fan: Option<Vec<Face>> = horizon
        .iter()
        .map(|(from, to)| Face::new(points, [*from, *to, point], size))
        .collect();
    let Some(fan) = fan else {
        return false;
    };
    let mut orphans = Vec::new();
    let mut kept = Vec::with_capacity(faces.len() + fan.len());
    for (face, is_visible) in faces.drain(..).zip(is_visible) {
        if is_visible {
            orphans.extend(face.outside);
        } else {
            kept.push(face);
        }
    }
    *faces = kept;
    let first = faces.len();
    faces.extend(fan);
    assign(points, orphans, faces, first, rounding);
    true
}

/// Whether directed edges form exactly one closed loop.
fn is_loop(edges: &[(usize, usize)]) -> bool {
    let Some((start, mut at)) = edges.first().copied() else {
        return false;
    };
    let mut steps = 1;
    while at != start {
        let mut next = edges.iter().filter(|(from, _)| *from == at);
        match (next.next(), next.next()) {
            (Some((_, to)), None) if steps < edges.len() => at = *to,
            _ => return false,
        }
        steps += 1;
    }
    steps == edges.len()
}

fn compact(points: &[Vector3<f64>], faces: &[Face]) -> Grown {
    let mut used: Vec<usize> = faces.iter().flat_map(|face| face.corners).collect();
    used.sort_unstable();
    used.dedup();
    // Every corner is in `used`; 0 is only for the type.
    let new_idx = |idx: usize| used.binary_search(&idx).unwrap_or(0) as u32;
    Grown {
        triangles: faces.iter().map(|face| face.corners.map(new_idx)).collect(),
        points: used.iter().map(|idx| points[*idx]).collect(),
    }
}
