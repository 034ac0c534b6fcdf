//! Engines that are missing or are none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use prehend_policy::{EngineChoice, Runtime, RuntimeOptions, check_library};
use prehend_types::config::locate;
use rand::Rng;
use tempfile::TempDir;

use crate::Lab;
use crate::fault::{Finding, Outcome};
use crate::live::NO_PROGRAM;

/// Highest exit code of an error that the program tells; above it are panics and signals.
const LAST_CODE: i32 = 5;
/// Within this a program that cannot work says so.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn bad_library(lab: &Lab) -> Outcome {
    let dir = TempDir::new()?;
    // Without a point at its end, as errors name it.
    let path = |name: &str| dir.path().join(name).components().collect::<PathBuf>();
    let mut rng = lab.rng("library");
    let junk: Vec<u8> = (0..4096).map(|_| rng.random()).collect();
    fs::write(path("junk.so"), &junk)?;
    fs::write(path("empty.so"), [])?;
    // A whole program of this machine, and its first half.
    let program = fs::read(std::env::current_exe()?)?;
    fs::write(path("program.so"), &program)?;
    fs::write(path("half.so"), &program[..program.len() / 2])?;
    let (mut unnamed, mut ends) = (Vec::new(), Vec::new());
    let names = [
        "missing.so",
        "junk.so",
        "empty.so",
        "program.so",
        "half.so",
        ".",
    ];
    for name in names {
        let file = path(name);
        let named = match check_library(&file) {
            Ok(_) => false,
            Err(error) => error.to_string().contains(&file.display().to_string()),
        };
        if !named {
            unnamed.push(name);
        }
        let options = RuntimeOptions {
            engine: EngineChoice::OnnxRuntime,
            library: Some(file.clone()),
            ..RuntimeOptions::default()
        };
        // A machine with a usable library elsewhere may go on with that one.
        let _ = Runtime::open(&options);
        if let Some(program) = &lab.program {
            ends.push((name, end_of_policy_node(program, dir.path(), &file)?));
        }
    }
    let bad: Vec<String> = (ends.iter())
        .filter_map(|(name, end)| end.as_ref().err().map(|why| format!("{name}: {why}")))
        .collect();
    let codes: Vec<i32> = ends
        .iter()
        .filter_map(|(_, end)| end.as_ref().ok().copied())
        .collect();
    let pass = unnamed.is_empty() && bad.is_empty();
    let measured = format!(
        "{} of {} refused and named; the policy's process ends with {codes:?}{}{}",
        names.len() - unnamed.len(),
        names.len(),
        if bad.is_empty() { "" } else { "; " },
        bad.join(", ")
    );
    Ok(match lab.program {
        Some(_) => Finding::new(pass, measured),
        None => Finding::partly(pass, measured, NO_PROGRAM),
    })
}

/// Starts a policy node that has to use this library: its exit code, if that is one of an error that it
/// tells, or what it did instead.
fn end_of_policy_node(
    program: &Path,
    folder: &Path,
    library: &Path,
) -> Result<Result<i32, String>, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(locate("launch/fr3_sim.toml")?)?;
    let engine = format!(
        "engine = \"onnx_runtime\"\nlibrary = {:?}\nallow_install = false",
        library.display().to_string()
    );
    let launch = folder.join("launch.toml");
    fs::write(&launch, text.replace("engine = \"auto\"", &engine))?;
    let log = folder.join("stderr.txt");
    let mut child = Command::new(program)
        .arg("run")
        .arg(&launch)
        .args(["--only", "policy"])
        // No other library than this one is found.
        .envs([("HOME", folder), ("XDG_CACHE_HOME", folder)])
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("ORT_DYLIB_PATH")
        .env_remove("PREHEND_ONNXRUNTIME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let is_named = said.contains(&library.display().to_string());
    Ok(match status.and_then(|status| status.code()) {
        Some(code @ 1..=LAST_CODE) if is_named && !said.contains("panicked") => Ok(code),
        _ => Err(format!("{status:?}, {:.200}", said.trim())),
    })
}
