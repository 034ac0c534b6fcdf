//! What clouds the network is shown: in the base frame, in metres, z up, with the table at z = 0. Others
//! would give plausible nonsense.

use prehend_types::PolicyError;

/// Fewer points than this show nothing.
const FEWEST: usize = 64;
/// A million points are cropped or thinned first.
const MOST: usize = 1_000_000;
/// Farther from the base than any table, m.
const FAR: f32 = 3.0;
/// This near to z = 0 is table, m.
const TABLE: f32 = 0.02;
/// Share of points on the table that a view of a table has at least.
const LEAST_TABLE: f64 = 0.03;
/// Share of points under the table that is never noise...
const MOST_BELOW: f64 = 0.2;
/// ... and the share that is none where less stands on the table: a cloud upside down, with little on it.
const NOTICEABLE_BELOW: f64 = 0.01;

/// Refuses clouds that cannot be what they should be.
///
/// # Errors
/// [`PolicyError::BadObservation`] with what is wrong and what to do: too few points or too many, a number
/// that is none, millimetres, z pointing down, the camera's frame, other counts of normals than of points.
pub fn check_cloud(points: &[[f32; 3]], normals: &[[f32; 3]]) -> Result<(), PolicyError> {
    let refuse = |reason: String| Err(PolicyError::BadObservation { reason });
    let n = points.len();
    if n < FEWEST {
        return refuse(format!(
            "the cloud has {n} points, at least {FEWEST} are needed: is the camera covered, or the crop empty?"
        ));
    }
    if n > MOST {
        return refuse(format!(
            "the cloud has {n} points, at most {MOST} are taken; crop or thin it"
        ));
    }
    if normals.len() != n {
        return refuse(format!("{n} points but {} normals", normals.len()));
    }
    let is_number = |p: &[f32; 3]| p.iter().all(|v| v.is_finite());
    let bad = points
        .iter()
        .zip(normals)
        .position(|(p, n)| !is_number(p) || !is_number(n));
    if let Some(index) = bad {
        return refuse(format!(
            "point {index} of {n} is {:?} m with normal {:?}: not finite; drop such pixels",
            points[index], normals[index]
        ));
    }
    let n_far = points
        .iter()
        .filter(|p| p.iter().any(|v| v.abs() > FAR))
        .count();
    if n_far > n / 2 {
        return refuse(format!(
            "{n_far} of {n} points are over {FAR} m away: divide by 1000 if they are in millimetres"
        ));
    }
    if n_far > 0 {
        return refuse(format!(
            "{n_far} of {n} points are over {FAR} m away: crop the cloud to the table"
        ));
    }
    let share =
        |is_so: fn(f32) -> bool| points.iter().filter(|p| is_so(p[2])).count() as f64 / n as f64;
    let (on, above) = (share(|z| z.abs() < TABLE), share(|z| z > TABLE));
    let below = share(|z| z < -TABLE);
    if below > MOST_BELOW || (below > NOTICEABLE_BELOW && below > above) {
        return refuse(format!(
            "{:.1} % of the points are below the table (z < -{TABLE} m), {:.1} % above: z must point up, \
             and the table stand at z = 0 of the base frame",
            100.0 * below,
            100.0 * above
        ));
    }
    if on < LEAST_TABLE {
        return refuse(format!(
            "{:.1} % of the points are on the table (z = 0): are they in the camera's frame? Transform \
             them into the base frame, whose plane z = 0 is the table's top",
            100.0 * on
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every so many points lie on an object.
    fn table_with(every: u16) -> Vec<[f32; 3]> {
        (0..400_u16)
            .map(|i| {
                let (x, y) = (f32::from(i % 20), f32::from(i / 20));
                let z = if i % every == 0 { 0.05 } else { 0.0 };
                [0.3 + 0.01 * x, 0.02 * y - 0.2, z]
            })
            .collect()
    }

    fn table() -> Vec<[f32; 3]> {
        table_with(5)
    }

    fn said(points: &[[f32; 3]]) -> String {
        let up = vec![[0.0, 0.0, 1.0]; points.len()];
        check_cloud(points, &up).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn a_table_is_taken_and_all_else_is_told_apart() {
        assert_eq!(said(&table()), "fine");
        assert!(said(&[]).contains("0 points"));
        assert!(said(&table()[..1]).contains("1 points"));
        let change =
            |f: fn([f32; 3]) -> [f32; 3]| -> Vec<[f32; 3]> { table().into_iter().map(f).collect() };
        assert!(said(&change(|p| p.map(|v| 1000.0 * v + 100.0))).contains("millimetres"));
        assert!(said(&change(|[x, y, z]| [x, y, -z])).contains("z must point up"));
        // The camera's z axis is the depth.
        assert!(said(&change(|[x, y, z]| [y, z, 0.6 + 0.5 * x])).contains("camera's frame"));
        let mut bad = table();
        bad[7][1] = f32::NAN;
        assert!(said(&bad).contains("point 7 of 400"));
        assert!(check_cloud(&table(), &[]).is_err());
    }

    #[test]
    fn one_small_object_shows_which_way_is_up() {
        let mut small = table_with(50);
        assert_eq!(said(&small), "fine");
        // Noise under the table is no reason while more stands on it.
        for point in small.iter_mut().skip(1).step_by(67) {
            point[2] = -0.03;
        }
        assert_eq!(said(&small), "fine");
        let flipped: Vec<_> = table_with(50)
            .into_iter()
            .map(|[x, y, z]| [x, y, -z])
            .collect();
        assert!(said(&flipped).contains("z must point up"));
    }
}
