//! Minima of functions of a few numbers without derivatives (Nelder and Mead 1965).

/// The lowest of the minima found from several starts, whose simplices reach `size` along each axis.
pub(super) fn minimum<const N: usize>(
    starts: &[[f64; N]],
    size: [f64; N],
    cost: impl Fn([f64; N]) -> f64,
) -> [f64; N] {
    let found = starts.iter().map(|start| descend(*start, size, &cost));
    let best = found.min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or([0.0; N], |(at, _)| at)
}

fn descend<const N: usize>(
    start: [f64; N],
    size: [f64; N],
    cost: &impl Fn([f64; N]) -> f64,
) -> ([f64; N], f64) {
    let priced = |at: [f64; N]| (at, cost(at));
    let mut corners = vec![priced(start)];
    for axis in 0..N {
        let mut at = start;
        at[axis] += size[axis];
        corners.push(priced(at));
    }
    for _ in 0..400 {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (corners[0], corners[N]);
        let middle: [f64; N] = std::array::from_fn(|axis| {
            corners[..N].iter().map(|(at, _)| at[axis]).sum::<f64>() / N as f64
        });
        let width = (0..N).map(|axis| (worst.0[axis] - best.0[axis]).abs() / size[axis]);
        if width.fold(0.0, f64::max) < 1e-6 {
            break;
        }
        // From the worst corner through the middle of the others.
        let along = |factor: f64| {
            priced(std::array::from_fn(|axis| {
                middle[axis] + factor * (middle[axis] - worst.0[axis])
            }))
        };
        let mirrored = along(1.0);
        let next = if mirrored.1 < best.1 {
            let further = along(2.0);
            if further.1 < mirrored.1 {
                further
            } else {
                mirrored
            }
        } else if mirrored.1 < corners[N - 1].1 {
            mirrored
        } else {
            along(if mirrored.1 < worst.1 { 0.5 } else { -0.5 })
        };
        if next.1 < worst.1 {
            corners[N] = next;
            continue;
        }
        for corner in &mut corners[1..] {
            *corner = priced(std::array::from_fn(|axis| {
                0.5 * (corner.0[axis] + best.0[axis])
            }));
        }
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        // Rosenbrock's function: least at (1, 1).
        let cost = |[x, y]: [f64; 2]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
        let [x, y] = minimum(&[[-1.2, 1.0], [3.0, -2.0]], [0.5, 0.5], cost);
        assert!((x - 1.0).abs() < 1e-4 && (y - 1.0).abs() < 1e-4, "{x} {y}");
    }
}
