//! Seeds: every random stream of an episode is derived from one number and a name.

/// What a random stream is for. Streams with different names never share draws, so that adding a
/// draw to one leaves all others as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum Stream {
    /// Objects, receptacle and their poses.
    Scene = 1,
    /// Camera placement error and image noise.
    Camera = 2,
    /// The policy's own noise.
    Policy = 3,
    /// Disturbances during demonstrations.
    Disturbance = 4,
    /// Order and noise of training batches.
    Training = 5,
    /// Initial parameters.
    Parameters = 6,
    /// Choice of the points that are kept of a cloud.
    Sampling = 7,
    /// Masses, gains, delays and what else a scene file randomises.
    Dynamics = 8,
    /// Which grasp holds an object, how it is carried, which points are kept of a labelled view.
    Labels = 9,
    /// How long a policy takes to answer, in simulation.
    Delay = 10,
}

/// The seed of one stream at one index (an episode, a frame, a step).
///
/// SplitMix64's finaliser (Steele, Lea, Flood 2014) over the three numbers in turn: equal inputs give
/// equal seeds on every machine, neighbouring inputs give unrelated ones.
#[must_use]
pub const fn derive_seed(seed: u64, stream: Stream, index: u64) -> u64 {
    mix(mix(mix(seed) ^ stream as u64) ^ index)
}

const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ() {
        let base = derive_seed(7, Stream::Scene, 0);
        assert_ne!(base, derive_seed(8, Stream::Scene, 0));
        assert_ne!(base, derive_seed(7, Stream::Camera, 0));
        assert_ne!(base, derive_seed(7, Stream::Scene, 1));
        assert_eq!(base, derive_seed(7, Stream::Scene, 0));
    }
}
