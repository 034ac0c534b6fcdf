//! Base-frame clouds and proprioception as the tool sees them.

use burn::tensor::Tensor;

/// Columns of [`ToolView::body`].
pub(crate) const BODY_DIM: usize = 10;

/// A cloud and the arm's own state in the tool frame.
///
/// The cloud does not show where the tool is in the base frame nor where it heads: a scene that is moved
/// or turned on the table together with the tool looks the same. Height and tilt stay, for the table and
/// gravity do not move; and so does the heading, for of two equal grasps the one that turns the hand
/// back towards home is right.
pub(crate) struct ToolView {
    /// `[B, N, 3]`, m, tool frame.
    pub points: Tensor<3>,
    /// `[B, N, 1]`, m: height over the table.
    pub heights: Tensor<3>,
    /// `[B, 10]`: 5 h, tanh(20 h) of the TCP's height h in m; the base's z axis in the tool frame (3);
    /// x and y of the tool's x axis in the base frame; 10 w of the gripper's width w in m; commanded
    /// opening; grasping flag.
    pub body: Tensor<2>,
}

impl ToolView {
    /// # Shapes
    /// - `points`: `[B, N, 3]`, m, base frame
    /// - `proprio`: `[B, 12]`
    pub fn new(points: Tensor<3>, proprio: Tensor<2>) -> Self {
        let [n_batch, n_points, _] = points.dims();
        let columns = |from: usize, to: usize| proprio.clone().slice([0..n_batch, from..to]);
        let (x, y) = (columns(3, 6), columns(6, 9));
        let z = cross(&x, &y);
        // p_tool = R^T (p_base - t): a row vector times R, whose columns are the tool's axes.
        let axes: Vec<Tensor<3>> = [&x, &y, &z]
            .iter()
            .map(|a| (*a).clone().reshape([n_batch, 3, 1]))
            .collect();
        let origin = columns(0, 3).reshape([n_batch, 1, 3]);
        let in_tool = (points.clone() - origin).matmul(Tensor::cat(axes, 2));
        let up = [x, y, z]
            .map(|axis| axis.slice([0..n_batch, 2..3]))
            .to_vec();
        let height = columns(2, 3);
        let body = Tensor::cat(
            vec![
                height.clone() * 5.0,
                (height * 20.0).tanh(),
                Tensor::cat(up, 1),
                columns(3, 5),
                columns(9, 10) * 10.0,
                columns(10, 12),
            ],
            1,
        );
        Self {
            points: in_tool,
            heights: points.slice([0..n_batch, 0..n_points, 2..3]),
            body,
        }
    }
}

/// Cross product of rows, `[B, 3]`.
fn cross(a: &Tensor<2>, b: &Tensor<2>) -> Tensor<2> {
    let n_batch = a.dims()[0];
    let of = |t: &Tensor<2>, i: usize| t.clone().slice([0..n_batch, i..i + 1]);
    let component = |i: usize, j: usize| of(a, i) * of(b, j) - of(a, j) * of(b, i);
    Tensor::cat(vec![component(1, 2), component(2, 0), component(0, 1)], 1)
}
