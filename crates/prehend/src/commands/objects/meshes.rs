//! The files of a folder and of all folders in it.

use std::path::{Path, PathBuf};

use prehend_data::DataError;

use crate::exit::Failure;

/// Deeper than people sort meshes.
const MOST_DEPTH: usize = 16;
/// Bounds memory and time of one run.
const MOST_FILES: usize = 10_000;

/// Every .obj and .stl file below a folder, sorted; links to folders are not followed.
///
/// # Errors
/// The folder is not there, holds no mesh, or too many.
pub fn find_meshes(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.is_dir() {
        return Err(Failure::bad_input(format!(
            "{folder:?} is not a folder; give the one that holds the .obj and .stl files"
        )));
    }
    let mut found = Vec::new();
    walk(folder, 0, &is_mesh, &mut found)?;
    found.sort();
    if found.is_empty() {
        return Err(Failure::bad_input(format!(
            "{folder:?} holds no .obj or .stl file; convert the meshes to one of the two"
        )));
    }
    Ok(found)
}

/// Adds every file below a folder that is wanted; links to folders are not followed.
///
/// # Errors
/// The folder cannot be read, is nested too deeply, or holds too many of them.
pub fn walk(
    folder: &Path,
    depth: usize,
    is_wanted: &impl Fn(&Path) -> bool,
    found: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    if depth > MOST_DEPTH {
        return Err(Failure::bad_input(format!(
            "{folder:?} is nested deeper than {MOST_DEPTH} folders; use its parts one by one"
        )));
    }
    let fail = |source| DataError::read(folder, source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if entry.file_type().map_err(fail)?.is_dir() {
            walk(&path, depth + 1, is_wanted, found)?;
        } else if is_wanted(&path) {
            found.push(path);
        }
        if found.len() > MOST_FILES {
            return Err(Failure::bad_input(format!(
                "{folder:?}: more than {MOST_FILES} files to read; use its folders one by one"
            )));
        }
    }
    Ok(())
}

fn is_mesh(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| e.eq_ignore_ascii_case("obj") || e.eq_ignore_ascii_case("stl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_of_all_folders_are_found_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("b/c")).expect("makes");
        for name in ["b/c/two.STL", "a.obj", "a.mtl", "b/one.stl", "readme"] {
            std::fs::write(at(name), "").expect("writes");
        }
        // A loop of links ends nowhere.
        std::os::unix::fs::symlink(folder.path(), at("b/back")).expect("links");
        let found = find_meshes(folder.path()).expect("three");
        let expected = [at("a.obj"), at("b/c/two.STL"), at("b/one.stl")];
        assert_eq!(found, expected);
        for (path, word) in [("nowhere", "not a folder"), ("b/c", "")] {
            let found = find_meshes(&at(path)).map_err(|failure| failure.error.to_string());
            assert_eq!(found.is_err(), !word.is_empty());
            assert!(found.err().unwrap_or_default().contains(word));
        }
        std::fs::remove_file(at("b/c/two.STL")).expect("removes");
        let refused = find_meshes(&at("b/c")).expect_err("empty");
        assert!(refused.error.to_string().contains("no .obj or .stl"));
    }
}
