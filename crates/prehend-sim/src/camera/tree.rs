//! A binary tree of boxes, split by the binned surface-area heuristic (Wald 2007, "On fast construction
//! of SAH-based bounding volume hierarchies").

/// A box, and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub low: [f32; 3],
    pub high: [f32; 3],
    /// First item of a leaf; first of two neighbouring children otherwise.
    pub first: u32,
    /// Items of a leaf; 0 for an inner node.
    pub count: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// Lowest and highest corner.
type Bounds = [[f32; 3]; 2];

const BINS: usize = 16;
/// Most items of a leaf that the heuristic may leave together.
const LEAF: usize = 4;
/// Below this depth, ranges are halved by count, which bounds the depth for any input.
const HEURISTIC_DEPTH: usize = 32;

const NOTHING: Bounds = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];

impl Tree {
    /// No path is longer: 32 free splits, then halves of at most 2^32 items.
    pub const DEPTH: usize = HEURISTIC_DEPTH + 33;

    /// A tree over boxes, at least one, and the order of the items in its leaves.
    pub fn build(boxes: &[Bounds]) -> (Self, Vec<u32>) {
        let mut order: Vec<u32> = (0..boxes.len() as u32).collect();
        let mut nodes = vec![leaf(boxes, &order, 0)];
        let mut open = vec![(0_usize, 0_usize, order.len(), 0_usize)];
        while let Some((index, first, end, depth)) = open.pop() {
            let Some(middle) = split(boxes, &mut order[first..end], depth) else {
                continue;
            };
            let middle = first + middle;
            let children = nodes.len();
            nodes.push(leaf(boxes, &order[first..middle], first));
            nodes.push(leaf(boxes, &order[middle..end], middle));
            nodes[index].first = children as u32;
            nodes[index].count = 0;
            open.push((children, first, middle, depth + 1));
            open.push((children + 1, middle, end, depth + 1));
        }
        (Self { nodes }, order)
    }

    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    pub fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }
}

fn leaf(boxes: &[Bounds], items: &[u32], first: usize) -> Node {
    let all = items.iter().map(|item| &boxes[*item as usize]);
    let [low, high] = all.fold(NOTHING, join);
    Node {
        low,
        high,
        first: first as u32,
        count: items.len() as u32,
    }
}

fn join(a: Bounds, b: &Bounds) -> Bounds {
    [
        std::array::from_fn(|axis| a[0][axis].min(b[0][axis])),
        std::array::from_fn(|axis| a[1][axis].max(b[1][axis])),
    ]
}

/// Half the surface of a box; 0 for none.
fn area([low, high]: &Bounds) -> f32 {
    let [x, y, z]: [f32; 3] = std::array::from_fn(|axis| (high[axis] - low[axis]).max(0.0));
    x * y + y * z + z * x
}

fn center(bounds: &Bounds, axis: usize) -> f32 {
    0.5 * (bounds[0][axis] + bounds[1][axis])
}

/// Reorders items and says where to part them; `None` if they are better left together.
fn split(boxes: &[Bounds], items: &mut [u32], depth: usize) -> Option<usize> {
    if items.len() <= 1 {
        return None;
    }
    if depth >= HEURISTIC_DEPTH {
        return (items.len() > LEAF).then_some(items.len() / 2);
    }
    let mut centers = NOTHING;
    for item in items.iter() {
        let middle = std::array::from_fn(|axis| center(&boxes[*item as usize], axis));
        centers = join(centers, &[middle, middle]);
    }
    let axes = (0..3).filter(|axis| centers[1][*axis] > centers[0][*axis]);
    let best = axes
        .map(|axis| best_plane(boxes, items, &centers, axis))
        .min_by(|a, b| a.cost.total_cmp(&b.cost));
    let Some(best) = best else {
        // All centres coincide.
        return (items.len() > LEAF).then_some(items.len() / 2);
    };
    let whole = leaf(boxes, items, 0);
    let together = area(&[whole.low, whole.high]) * items.len() as f32;
    if items.len() <= LEAF && best.cost >= together {
        return None;
    }
    let mut middle = 0;
    for index in 0..items.len() {
        if best.bin_of(&boxes[items[index] as usize]) < best.bin {
            items.swap(index, middle);
            middle += 1;
        }
    }
    (middle > 0 && middle < items.len()).then_some(middle)
}

/// A plane between two bins of one axis.
struct Plane {
    axis: usize,
    low: f32,
    scale: f32,
    /// First bin on the far side.
    bin: usize,
    /// Area times items, summed over both sides.
    cost: f32,
}

impl Plane {
    fn bin_of(&self, bounds: &Bounds) -> usize {
        let bin = (center(bounds, self.axis) - self.low) * self.scale;
        (bin as usize).min(BINS - 1)
    }
}

fn best_plane(boxes: &[Bounds], items: &[u32], centers: &Bounds, axis: usize) -> Plane {
    let mut plane = Plane {
        axis,
        low: centers[0][axis],
        scale: BINS as f32 / (centers[1][axis] - centers[0][axis]),
        bin: 1,
        cost: f32::INFINITY,
    };
    let mut bins = [(NOTHING, 0_u32); BINS];
    for item in items {
        let bounds = &boxes[*item as usize];
        let bin = &mut bins[plane.bin_of(bounds)];
        *bin = (join(bin.0, bounds), bin.1 + 1);
    }
    // Cost of everything from each bin on, then a sweep from the front.
    let mut behind = [0.0_f32; BINS + 1];
    let mut sum = (NOTHING, 0);
    for bin in (0..BINS).rev() {
        sum = (join(sum.0, &bins[bin].0), sum.1 + bins[bin].1);
        behind[bin] = area(&sum.0) * sum.1 as f32;
    }
    let mut sum = (NOTHING, 0);
    for bin in 1..BINS {
        sum = (join(sum.0, &bins[bin - 1].0), sum.1 + bins[bin - 1].1);
        let cost = area(&sum.0) * sum.1 as f32 + behind[bin];
        if cost < plane.cost {
            (plane.cost, plane.bin) = (cost, bin);
        }
    }
    plane
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(boxes: &[Bounds]) {
        let (tree, order) = Tree::build(boxes);
        let mut seen = order.clone();
        seen.sort_unstable();
        assert!(seen.iter().enumerate().all(|(i, item)| *item == i as u32));
        // Every leaf holds its items, every parent its children; no item is in two leaves.
        let mut in_leaves = 0;
        let mut open = vec![(0_u32, 0)];
        while let Some((index, depth)) = open.pop() {
            assert!(depth < Tree::DEPTH);
            let node = tree.node(index);
            let inside: Vec<Bounds> = if node.count > 0 {
                in_leaves += node.count as usize;
                let range = node.first as usize..(node.first + node.count) as usize;
                range.map(|i| boxes[order[i] as usize]).collect()
            } else {
                open.push((node.first, depth + 1));
                open.push((node.first + 1, depth + 1));
                [node.first, node.first + 1]
                    .map(|child| [tree.node(child).low, tree.node(child).high])
                    .into()
            };
            for [low, high] in inside {
                assert!((0..3).all(|a| low[a] >= node.low[a] && high[a] <= node.high[a]));
            }
        }
        assert_eq!(in_leaves, boxes.len());
    }

    #[test]
    fn every_item_is_in_one_leaf_and_inside_its_boxes() {
        let scattered: Vec<Bounds> = (0..537)
            .map(|i| {
                let at = [
                    libm::sinf(i as f32 * 1.7),
                    libm::cosf(i as f32 * 0.3),
                    i as f32 * 1e-3,
                ];
                [at, at.map(|v| v + 0.01)]
            })
            .collect();
        check(&scattered);
        check(&vec![[[0.5; 3], [0.6; 3]]; 97]);
        check(&[[[0.5; 3], [0.6; 3]]]);
        // Sizes that double: the worst case for splitting by place.
        let doubling: Vec<Bounds> = (0..90)
            .map(|i| [[0.0; 3], [2.0_f32.powi(i - 60).min(50.0), 0.1, 0.1]])
            .collect();
        check(&doubling);
    }
}
