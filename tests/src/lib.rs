//! Turns the repository's promises about itself into tests; see `tests/`. It must not be depended on.

#![forbid(unsafe_code)]
