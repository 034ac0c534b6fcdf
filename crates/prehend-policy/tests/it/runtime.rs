//! Looking for ONNX Runtime where it is, where it is not, and where something else claims to be it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use prehend_policy::{
    EngineChoice, LibrarySource, ONNXRUNTIME_VERSION, Provider, Runtime, RuntimeError,
    RuntimeOptions, SearchPlaces, check_library, install, is_offline,
};

use crate::fixture::onnx_runtime;

fn garbage(dir: &Path, name: &str) -> PathBuf {
    fs::create_dir_all(dir).expect("is writable");
    let path = dir.join(name);
    fs::write(&path, b"this is not a library").expect("is writable");
    path.canonicalize().expect("exists")
}

/// A Python whose `onnxruntime` fails when imported.
fn fake_python(root: &Path) -> PathBuf {
    let package = root.join("site/onnxruntime");
    garbage(&package.join("capi"), "libonnxruntime.so.1.99.0");
    fs::write(package.join("__init__.py"), "raise SystemExit('imported')").expect("is writable");
    let script = root.join("python");
    let site = root.join("site");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nPYTHONPATH={} exec python3 \"$@\"\n",
            site.display()
        ),
    )
    .expect("is writable");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("is ours");
    script
}

/// Broken candidates in every place that is searched.
fn broken_places(root: &Path) -> SearchPlaces {
    let cache = root.join("cache");
    garbage(
        &cache.join(format!("onnxruntime-{ONNXRUNTIME_VERSION}")),
        "libonnxruntime.so.1.32.0",
    );
    garbage(&root.join("lib"), "libonnxruntime.so.1.21.0");
    garbage(&root.join("lib"), "libonnxruntime.so.1.9.0");
    garbage(&root.join("lib"), "libonnxruntime_providers_shared.so");
    SearchPlaces {
        explicit: Some(garbage(root, "explicit.so")),
        cache: Some(cache),
        system_file: Some(garbage(root, "dylib_path.so")),
        system_dirs: vec![root.join("missing"), root.join("lib")],
        ask_ldconfig: false,
        python: Some(fake_python(root).into()),
    }
}

#[test]
fn every_broken_candidate_is_reported_in_order() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let (found, refused) = broken_places(temp.path()).find();
    assert_eq!(found, None);
    let names: Vec<String> = refused
        .iter()
        .map(|error| match error {
            RuntimeError::BadLibrary { path, .. } => path
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned(),
            other => panic!("{other}"),
        })
        .collect();
    let expected = [
        "explicit.so",
        "libonnxruntime.so.1.32.0",
        "dylib_path.so",
        "libonnxruntime.so.1.21.0",
        "libonnxruntime.so.1.9.0",
        "libonnxruntime.so.1.99.0",
    ];
    assert_eq!(names, expected);
    assert!(
        refused[1].to_string().contains("pinned is"),
        "{}",
        refused[1]
    );
    assert!(
        refused[5].to_string().contains("not a 64-bit ELF"),
        "{}",
        refused[5]
    );
}

#[test]
fn without_a_library_one_notice_says_so_unless_one_was_demanded() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let places = broken_places(temp.path());
    // A library that is given keeps a runtime that other tests loaded out of this one.
    let library = places.explicit.clone();
    let auto = RuntimeOptions {
        library,
        ..Default::default()
    };
    let runtime = Runtime::open_in(&auto, &places).expect("falls back");
    assert_eq!(runtime.library(), None);
    assert_eq!(runtime.refused().len(), 6);
    let notice = runtime.notice().expect("says so");
    assert!(
        notice.contains("embedded engine") && !notice.contains('\n'),
        "{notice}"
    );
    let demanded = RuntimeOptions {
        engine: EngineChoice::OnnxRuntime,
        ..auto
    };
    let error = Runtime::open_in(&demanded, &places).expect_err("there is none");
    assert!(error.to_string().contains("explicit.so"), "{error}");
    assert!(matches!(error, RuntimeError::NotFound { .. }));
}

#[test]
fn other_and_damaged_libraries_are_refused_without_running_them() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let reason = |path: &Path| {
        check_library(path)
            .expect_err("must be refused")
            .to_string()
    };
    assert!(reason(temp.path()).contains("not a regular file"));
    assert!(reason(&temp.path().join("none")).contains("No such file"));
    let this = std::env::current_exe().expect("runs");
    assert!(
        reason(&this).contains("does not export OrtGetApiBase"),
        "{}",
        reason(&this)
    );
    let Some(runtime) = onnx_runtime() else {
        return;
    };
    let library = runtime.library().expect("is one");
    let bytes = fs::read(&library.path).expect("is readable");
    for n in [64, 4096, bytes.len() / 2, bytes.len() - bytes.len() / 20] {
        let cut = temp.path().join("libonnxruntime.so");
        fs::write(&cut, &bytes[..n]).expect("is writable");
        let reason = reason(&cut);
        assert!(
            reason.contains("is not a usable ONNX Runtime library"),
            "{n} bytes: {reason}"
        );
    }
}

/// A library with ONNX Runtime's entry point that has this version and offers no interface, or, with
/// no version, answers with a null pointer.
fn compiled(dir: &Path, version: Option<&str>) -> PathBuf {
    let base = match version {
        Some(version) => format!(
            "static const void *api(unsigned v) {{ (void)v; return 0; }}\n\
             static const char *version(void) {{ return \"{version}\"; }}\n\
             static struct {{ const void *(*a)(unsigned); const char *(*v)(void); }} base\n\
             = {{ api, version }};\n\
             const void *OrtGetApiBase(void) {{ return &base; }}\n"
        ),
        None => "const void *OrtGetApiBase(void) { return 0; }\n".to_owned(),
    };
    let (source, library) = (dir.join("fake.c"), dir.join("libonnxruntime.so"));
    fs::write(&source, base).expect("is writable");
    let flags = ["-shared", "-fPIC", "-o"];
    let status = Command::new("cc")
        .args(flags)
        .arg(&library)
        .arg(&source)
        .status();
    assert!(status.expect("rustc needs cc too").success());
    library
}

#[test]
fn libraries_that_are_too_old_or_hollow_are_refused() {
    for (version, expected) in [
        (Some("1.9.0"), "it is version 1.9, at least 1.17"),
        (Some("2.0.0"), "its version is not 1.x"),
        (Some("nonsense"), "its version is not 1.x"),
        (None, "offers no ONNX Runtime interface"),
    ] {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let error = check_library(&compiled(temp.path(), version)).expect_err("must be refused");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_library_without_an_interface_falls_back_instead_of_panicking() {
    let shown = run_child("runtime::child_has_a_hollow_library", "0");
    assert!(shown.contains("1 passed"), "{shown}");
}

#[test]
#[ignore = "the test above runs it in a process of its own: it spoils ort for the rest of one"]
fn child_has_a_hollow_library() {
    if !is_child() {
        return;
    }
    let temp = tempfile::tempdir().expect("a temporary folder");
    let explicit = Some(compiled(temp.path(), Some("1.30.0")));
    let places = SearchPlaces {
        explicit,
        ..Default::default()
    };
    let runtime = Runtime::open_in(&RuntimeOptions::default(), &places).expect("falls back");
    assert_eq!(runtime.library(), None);
    assert!(
        runtime
            .notice()
            .expect("says so")
            .contains("no ONNX Runtime interface")
    );
}

#[test]
fn a_good_library_after_broken_ones_is_taken() {
    let Some(runtime) = onnx_runtime() else {
        return;
    };
    let good = &runtime.library().expect("is one").path;
    let temp = tempfile::tempdir().expect("a temporary folder");
    let mut places = broken_places(temp.path());
    let link = temp.path().join("lib/libonnxruntime.so.1.20.0");
    std::os::unix::fs::symlink(good, &link).expect("links are supported");
    let (found, refused) = places.find();
    let (source, library) = found.expect("is there");
    assert_eq!((source, &library.path), (LibrarySource::System, good));
    assert_eq!(
        refused.len(),
        4,
        "explicit, cache, ORT_DYLIB_PATH and 1.21.0 were tried first"
    );
    // A folder may be named instead of a file.
    places.explicit = good.parent().map(Path::to_owned);
    let (found, refused) = places.find();
    assert_eq!(found.expect("is there").0, LibrarySource::Explicit);
    assert!(refused.is_empty());
}

#[test]
fn a_second_library_in_one_process_is_refused() {
    let Some(runtime) = onnx_runtime() else {
        return;
    };
    let temp = tempfile::tempdir().expect("a temporary folder");
    let copy = temp.path().join("libonnxruntime.so");
    fs::copy(&runtime.library().expect("is one").path, &copy).expect("is readable");
    let options = RuntimeOptions {
        library: Some(copy),
        ..Default::default()
    };
    let error = Runtime::open(&options).expect_err("one is loaded");
    assert!(
        matches!(error, RuntimeError::AlreadyLoaded { .. }),
        "{error}"
    );
}

#[test]
fn providers_that_this_build_lacks_are_named_with_their_feature() {
    for provider in [Provider::Cuda, Provider::TensorRt] {
        let embedded = RuntimeOptions {
            provider,
            engine: EngineChoice::Embedded,
            ..Default::default()
        };
        let error = Runtime::open(&embedded).expect_err("has no GPU");
        assert!(
            matches!(error, RuntimeError::ProviderNeedsRuntime { .. }),
            "{error}"
        );
        if !provider.is_built() {
            let options = RuntimeOptions {
                provider,
                ..Default::default()
            };
            let error = Runtime::open(&options).expect_err("is not built");
            assert!(error.to_string().contains("--features"), "{error}");
        }
    }
}

#[test]
fn two_installers_at_once_leave_one_good_library_and_damage_is_repaired() {
    if is_offline() {
        eprintln!("not tested: PREHEND_OFFLINE forbids installing");
        return;
    }
    let temp = tempfile::tempdir().expect("a temporary folder");
    let cache = temp.path();
    std::thread::scope(|scope| {
        let both = [
            scope.spawn(|| install(cache)),
            scope.spawn(|| install(cache)),
        ];
        for thread in both {
            thread.join().expect("does not panic").expect("installs");
        }
    });
    let dir = cache.join(format!("onnxruntime-{ONNXRUNTIME_VERSION}"));
    assert_eq!(
        fs::read_dir(cache).expect("is readable").count(),
        1,
        "no temporary folder is left"
    );
    let record = fs::read_to_string(dir.join("installed.txt")).expect("is written");
    assert!(record.contains("library sha256"), "{record}");

    let places = SearchPlaces {
        cache: Some(cache.to_owned()),
        ..Default::default()
    };
    assert_eq!(places.find().0.expect("is there").0, LibrarySource::Cache);
    let library = dir.join("libonnxruntime.so.1.32.0");
    let mut bytes = fs::read(&library).expect("is readable");
    bytes[1 << 20] ^= 1;
    fs::write(&library, bytes).expect("is writable");
    let (found, refused) = places.find();
    assert_eq!(found, None, "one changed bit is enough");
    assert!(refused[0].to_string().contains("SHA-256"), "{}", refused[0]);
    install(cache).expect("repairs");
    assert!(places.find().0.is_some());
}

#[test]
fn offline_forbids_installing() {
    let shown = run_child("runtime::child_is_offline", "1");
    assert!(shown.contains("1 passed"), "{shown}");
}

/// Whether `run_child` started this process: `--ignored` alone must not spoil the other tests.
fn is_child() -> bool {
    std::env::var_os("PREHEND_TEST_CHILD").is_some()
}

/// Runs one ignored test in a process of its own and returns what it printed.
fn run_child(test: &str, offline: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("runs"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("PREHEND_OFFLINE", offline)
        .env("PREHEND_TEST_CHILD", test)
        .output()
        .expect("starts");
    let parts = [output.stdout, output.stderr];
    parts
        .map(|part| String::from_utf8_lossy(&part).into_owned())
        .concat()
}

#[test]
#[ignore = "run by offline_forbids_installing, with PREHEND_OFFLINE set"]
fn child_is_offline() {
    if !is_child() {
        return;
    }
    let temp = tempfile::tempdir().expect("a temporary folder");
    let error = install(temp.path()).expect_err("is forbidden");
    assert!(matches!(error, RuntimeError::Offline { .. }), "{error}");
    let places = SearchPlaces {
        cache: Some(temp.path().to_owned()),
        ..Default::default()
    };
    let options = RuntimeOptions {
        allow_install: true,
        ..Default::default()
    };
    let runtime = Runtime::open_in(&options, &places).expect("falls back");
    let notice = runtime.notice().expect("says so");
    assert!(notice.contains("PREHEND_OFFLINE"), "{notice}");
}
