//! Which files a model may name: those below its allowed folders, whatever the name looks like.

use std::path::{Component, Path, PathBuf};

/// Folders that meshes and included files may come from.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    /// What relative names are relative to.
    folder: PathBuf,
    /// Absolute, without `..` and links.
    allowed: Vec<PathBuf>,
}

impl Roots {
    /// `folder` is allowed itself; folders that do not exist allow nothing.
    pub fn new(folder: &Path, more: &[PathBuf]) -> Self {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let mut allowed = vec![folder.clone()];
        for root in more
            .iter()
            .filter_map(|root| std::fs::canonicalize(root).ok())
        {
            if !allowed.contains(&root) {
                allowed.push(root);
            }
        }
        Self { folder, allowed }
    }

    /// The ROS package around `folder`, if one of its nearest ancestors has a `package.xml`.
    pub fn package_of(folder: &Path) -> Option<PathBuf> {
        let folder = std::fs::canonicalize(folder).ok()?;
        folder
            .ancestors()
            .take(5)
            .find(|ancestor| ancestor.join("package.xml").is_file())
            .map(Path::to_owned)
    }

    /// Finds the `kind` of file that a model names, looking only below the allowed folders.
    ///
    /// `subfolder` is put before relative names (MJCF's `meshdir`).
    pub fn find(&self, name: &str, subfolder: &str, kind: &str) -> Result<PathBuf, String> {
        let candidates: Vec<PathBuf> = match name.split_once("://") {
            // A package's files are below it: no way up is needed.
            Some(("package", rest)) if rest.split(['/', '\\']).all(|part| part != "..") => {
                self.in_package(rest)
            }
            Some(("package", _)) => Vec::new(),
            Some((scheme, _)) => {
                let shown: String = scheme.chars().take(20).collect();
                return Err(format!(
                    "{shown}:// is not read; copy the {kind} into the robot's folder"
                ));
            }
            None if Path::new(name).is_absolute() => vec![PathBuf::from(name)],
            None => vec![self.folder.join(subfolder).join(name)],
        };
        let mut is_inside = false;
        for candidate in &candidates {
            // Decided by the text alone, before the file system is asked anything.
            let Some(path) = normal(candidate).filter(|path| self.allows(path)) else {
                continue;
            };
            is_inside = true;
            if !path.is_file() {
                continue;
            }
            // A link may still lead out.
            match std::fs::canonicalize(&path) {
                Ok(real) if self.allows(&real) => return Ok(real),
                _ => is_inside = false,
            }
        }
        if !is_inside {
            return Err(format!(
                "\"{name}\" leads out of the robot's folder; copy the {kind} into it"
            ));
        }
        let shown: Vec<String> = candidates
            .iter()
            .map(|path| normal(path).unwrap_or_default().display().to_string())
            .collect();
        Err(format!("there is no {kind} file {}", shown.join(", nor ")))
    }

    fn allows(&self, path: &Path) -> bool {
        self.allowed.iter().any(|root| path.starts_with(root))
    }

    /// `<package>/<path>`: below a folder of that name, or with the package's folder as root.
    fn in_package(&self, rest: &str) -> Vec<PathBuf> {
        let (package, path) = rest.split_once('/').unwrap_or(("", rest));
        let named = (self.allowed.iter())
            .filter(|root| root.file_name().is_some_and(|name| name == package))
            .map(|root| root.join(path));
        let below = self
            .allowed
            .iter()
            .map(|root| root.join(package).join(path));
        let here = self.allowed.iter().map(|root| root.join(path));
        named.chain(here).chain(below).collect()
    }
}

/// Without `.` and `..`; `None` if it climbs above the top.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}
