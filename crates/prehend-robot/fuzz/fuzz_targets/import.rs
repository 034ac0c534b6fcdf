//! Feeds bytes to the importer, as URDF, MJCF, STL or OBJ, whatever the first byte says.
//!
//! From `crates/prehend-robot`: `cargo +nightly fuzz run import fuzz/seeds tests/corpus/good tests/corpus/bad`
//! (libFuzzer writes what it finds into the first folder, which may be empty).
//!
//! Without nightly and cargo-fuzz, and without an address sanitizer, which safe code hardly needs: `cargo build
//! --release --target x86_64-unknown-linux-gnu` here, with `RUSTFLAGS="-Cpasses=sancov-module
//! -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
//! -Cllvm-args=-sanitizer-coverage-pc-table -Cdebug-assertions --cfg fuzzing"`, then run
//! `target/x86_64-unknown-linux-gnu/release/import` with the same folders.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use prehend_robot::import::{ImportOptions, load};

const HOLDER: &str = r#"<robot name="r"><link name="a"><collision><geometry><mesh filename="FILE"/></geometry>
</collision></link><link name="b"/><joint name="j" type="revolute"><parent link="a"/><child link="b"/>
<axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>"#;

fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("temporary folder").keep();
        for (name, file) in [("stl.urdf", "part.stl"), ("obj.urdf", "part.obj")] {
            fs::write(folder.join(name), HOLDER.replace("FILE", file)).expect("a model");
        }
        folder
    })
}

fuzz_target!(|data: &[u8]| {
    // Files of the corpus begin with `<` or a mesh's first letter, so that they seed the right reader.
    let (file, model) = match data.first() {
        Some(b'v' | b'#' | b'f' | b'o') => ("part.obj", "obj.urdf"),
        Some(b'<' | 0xef | 0xfe | 0xff) => ("model.xml", "model.xml"),
        _ => ("part.stl", "stl.urdf"),
    };
    fs::write(folder().join(file), data).expect("a file");
    if let Ok(imported) = load(&folder().join(model), &ImportOptions::default()) {
        let robot = &imported.robot;
        let pose = robot.forward(robot.home());
        assert!(pose.translation.vector.iter().all(|value| value.is_finite()));
    }
});
