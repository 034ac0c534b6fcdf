use std::collections::BTreeSet;
use std::f64::consts::FRAC_PI_4;

use super::*;

fn config() -> GridConfig {
    GridConfig {
        center_m: [0.5, 0.0],
        receptacles: Receptacles::All,
        layout: Layout::Square,
        varied_wording: false,
        seed_is_id: true,
    }
}

fn draw(config: &GridConfig, id: u64) -> Option<GridEpisode> {
    GridEpisode::draw(config, FamilySet::Train, id, 0)
}

#[test]
fn ids_count_starts_in_the_benchmarks_order() {
    let config = config();
    let all = 16 * 17 * 16 * 784 * 4;
    assert_eq!(all, 13_647_872);
    let first = draw(&config, 0).expect("the first");
    assert_eq!((first.name, first.plate_name), ("carrot", "plate"));
    let last = draw(&config, all - 1).expect("the last");
    assert_eq!((last.name, last.plate_name), ("BBQ sauce", "notepad"));
    assert!(draw(&config, all).is_none());
    // One more is another yaw; four more another pair; a table later everything looks the same.
    let yaw = |id| {
        let episode = draw(&config, id).expect("a start");
        episode.scene.bodies[0]
            .base_from_body
            .rotation
            .euler_angles()
            .2
    };
    assert!((yaw(1) - yaw(0) - FRAC_PI_4).abs() < 1e-9);
    assert!((yaw(4) - yaw(0)).abs() < 1e-9);
    let places = |id| draw(&config, id).map(|e| e.scene.bodies).expect("a start");
    assert_ne!(places(4), places(0));
    assert_eq!(places(784 * 4), places(0));
    assert_eq!(
        draw(&config, 784 * 4 * 16).map(|e| e.plate_name),
        Some("cloth")
    );
    // The plate alone: the 256 combinations of the smaller benchmark.
    let small = GridConfig {
        receptacles: Receptacles::Plate,
        ..config
    };
    assert!(draw(&small, 802_815).is_some() && draw(&small, 802_816).is_none());
}

#[test]
fn drawn_starts_cover_all_objects_and_receptacles() {
    let config = GridConfig {
        seed_is_id: false,
        ..config()
    };
    let episodes: Vec<_> = (0..400).filter_map(|seed| draw(&config, seed)).collect();
    let names: BTreeSet<_> = episodes.iter().map(|e| e.name).collect();
    let plates: BTreeSet<_> = episodes.iter().map(|e| e.plate_name).collect();
    assert_eq!((names.len(), plates.len()), (16, 17));
    let held_out = (0..200).filter_map(|s| GridEpisode::draw(&config, FamilySet::HeldOut, s, 0));
    let held_out: BTreeSet<_> = held_out.map(|e| e.name).collect();
    assert_eq!(held_out.len(), 9);
    assert!(held_out.is_disjoint(&names));
}

#[test]
fn sets_change_what_they_say() {
    let with = |layout| GridConfig {
        layout,
        seed_is_id: false,
        ..config()
    };
    let offset = |episode: &GridEpisode, index: usize| {
        let at = episode.scene.bodies[index]
            .base_from_body
            .translation
            .vector;
        (at - Vector3::new(0.5, 0.0, 0.0)).xy()
    };
    for seed in 0..100 {
        let ring = draw(&with(Layout::Ring), seed).expect("a start");
        assert!((offset(&ring, 0).amax() - 0.105).abs() < 1e-9);
        let apart = |episode: &GridEpisode, a, b| (offset(episode, a) - offset(episode, b)).norm();
        let objects = draw(&with(Layout::TwoObjects), seed).expect("a start");
        assert!(apart(&objects, 0, 2) > 0.15 && apart(&objects, 0, 1) > 0.07);
        let receptacles = draw(&with(Layout::TwoReceptacles), seed).expect("a start");
        assert!(apart(&receptacles, 1, 2) > 0.15 && apart(&receptacles, 0, 1) > 0.07);
        if let Some(moved) = draw(&with(Layout::Moved), seed) {
            let (index, to) = moved.teleports(1.0).expect("a move");
            assert_eq!((index, moved.teleports(1.01)), (0, None));
            let at = moved.scene.bodies[0].base_from_body.translation.vector;
            assert!((to.translation.vector - at).norm() > 0.15);
        }
    }
}

#[test]
fn instructions_name_both_things_in_every_wording() {
    let config = GridConfig {
        varied_wording: true,
        seed_is_id: false,
        ..config()
    };
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let episode = draw(&config, seed).expect("a start");
        let text = episode.instruction();
        assert!(
            text.contains(episode.name) && text.contains(episode.plate_name),
            "{text}"
        );
        assert!(!text.contains('Y') && !text.contains("X "), "{text}");
        seen.insert(episode.wording);
    }
    assert_eq!(seen.len(), 16);
}

#[test]
fn success_is_over_low_enough_and_not_below() {
    let episode = draw(&config(), 0).expect("a start");
    let standing = 0.5 * (episode.size[2] + episode.plate_size[2]);
    for (x, z, expected) in [
        (0.0, standing, true),
        (0.064, standing, true),
        (0.066, standing, false),
        (0.0, standing + 0.049, true),
        (0.0, standing + 0.051, false),
        (0.0, -0.001, false),
    ] {
        let off = Vector3::new(x, 0.0, z);
        assert_eq!(judge::is_over(&episode, &off), expected, "{x} {z}");
    }
}
