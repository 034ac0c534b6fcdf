//! The catalogue of faults, by section.

mod control;
mod data;
mod driver;
mod files;
mod onnx;
mod peer;
mod policy;
mod system;
mod torture;
mod transport;

use prehend_control::Mode;

use crate::Lab;
use crate::fault::{Fault, Outcome, Trial};
use crate::sim::{Setup, World, sway};

/// Every fault, in the order of the catalogue.
#[must_use]
pub fn catalogue() -> Vec<Fault> {
    [
        control::ROWS,
        transport::ROWS,
        driver::ROWS,
        policy::ROWS,
        files::ROWS,
        data::ROWS,
        system::ROWS,
        peer::ROWS,
    ]
    .concat()
}

/// A row whose verdict does not depend on the machine.
const fn exact(
    id: &'static str,
    inject: &'static str,
    required: &'static str,
    trial: fn(&Lab) -> Outcome,
) -> Fault {
    Fault {
        id,
        inject,
        required,
        trial: Trial::Exact(trial),
    }
}

/// A row in real time.
const fn live(
    id: &'static str,
    inject: &'static str,
    required: &'static str,
    trial: fn(&Lab) -> Outcome,
) -> Fault {
    Fault {
        id,
        inject,
        required,
        trial: Trial::Live(trial),
    }
}

/// A row that cannot be tried here, and why.
const fn skip(
    id: &'static str,
    inject: &'static str,
    required: &'static str,
    because: &'static str,
) -> Fault {
    Fault {
        id,
        inject,
        required,
        trial: Trial::Skip(because),
    }
}

/// A world whose arm has moved for half a second.
fn moving(lab: &Lab) -> Result<World, Box<dyn std::error::Error>> {
    let setup = Setup::new(lab.robot("fr3")?, lab.seed);
    let pilot = sway(&setup.bounds()?, setup.robot.home(), 0.5);
    let mut world = World::new(&setup, pilot)?;
    world.run(500);
    match world.pc.controller.mode() {
        Mode::Tracking => Ok(world),
        mode => Err(format!("the arm does not move: {mode:?}, {}", world.account()).into()),
    }
}

/// A time that may never have come.
fn shown(ms: Option<u64>) -> String {
    ms.map_or_else(|| "never".to_owned(), |ms| ms.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// How many rows the catalogue has in each section.
    const SECTIONS: [(&str, usize); 8] = [
        ("C", 30),
        ("T", 22),
        ("D", 18),
        ("P", 21),
        ("F", 16),
        ("S", 18),
        ("O", 12),
        ("M", 17),
    ];

    #[test]
    fn every_row_is_there_once_and_in_order() {
        let expected: Vec<String> = SECTIONS
            .iter()
            .flat_map(|(section, n)| (1..=*n).map(move |number| format!("{section}{number}")))
            .collect();
        let ids: Vec<&str> = catalogue()
            .iter()
            .map(|fault| fault.id)
            .filter(|id| !id.contains('/') && *id != "G12")
            .collect();
        assert_eq!(ids, expected);
    }

    /// Names between backticks that a row gives as a test's.
    fn tests_named(because: &str) -> impl Iterator<Item = &str> {
        let quoted = because.split('`').skip(1).step_by(2);
        quoted.filter(|name| name.contains('_') && !name.contains(['.', '/', '-', ' ']))
    }

    fn sources(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                into.push_str(&std::fs::read_to_string(&path).expect("text"));
            }
        }
    }

    #[test]
    fn a_row_that_sends_elsewhere_names_tests_that_are_there() {
        let mut all = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut all);
        let mut n = 0;
        for fault in catalogue() {
            let Trial::Skip(because) = fault.trial else {
                continue;
            };
            for name in tests_named(because) {
                assert!(all.contains(&format!("fn {name}(")), "{}: {name}", fault.id);
                n += 1;
            }
        }
        assert!(n > 30, "{n} tests named");
    }
}
