//! What stands apart on a table.

/// Points nearer than this to each other are of one lump, m.
const LUMP: f32 = 0.012;

/// The points by lump, as indices, in the order of each lump's first point.
pub(super) fn lumps(points: &[[f32; 3]]) -> Vec<Vec<usize>> {
    let mut lumps = Vec::new();
    let mut is_taken = vec![false; points.len()];
    for start in 0..points.len() {
        if std::mem::replace(&mut is_taken[start], true) {
            continue;
        }
        let mut lump = vec![start];
        let mut next = 0;
        while let Some(&from) = lump.get(next) {
            next += 1;
            for index in 0..points.len() {
                let square: f32 = (0..3)
                    .map(|i| (points[index][i] - points[from][i]).powi(2))
                    .sum();
                if !is_taken[index] && square < LUMP * LUMP {
                    is_taken[index] = true;
                    lump.push(index);
                }
            }
        }
        lumps.push(lump);
    }
    lumps
}
