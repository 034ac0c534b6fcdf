//! Turns the dotted name of a field into the line it stands on.

use toml::de::{DeTable, DeValue};

/// Whether the field stands in the text; false if the text is no TOML.
pub(crate) fn is_written(text: &str, field: &str) -> bool {
    let Ok(document) = DeTable::parse(text) else {
        return false;
    };
    let mut table = document.get_ref();
    let (parents, last) = field.rsplit_once('.').unwrap_or(("", field));
    for name in parents.split('.').filter(|name| !name.is_empty()) {
        let value = table.iter().find(|(key, _)| key.get_ref() == name);
        match value.map(|(_, value)| value.get_ref()) {
            Some(DeValue::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    table.iter().any(|(key, _)| key.get_ref() == last)
}

/// Line of the field, counted from 1. A field that is left out has the line of the innermost table
/// that is there, and 1 if there is none.
pub(crate) fn line_of(text: &str, field: &str) -> usize {
    let Ok(document) = DeTable::parse(text) else {
        return 1;
    };
    let mut table = document.get_ref();
    let mut at = 0;
    for name in field.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        at = key.span().start;
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    1 + text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_tables_and_inline() {
        let text = "robot = \"a\"\n\n[control]\nconnect = []\nrealtime = { priority = 3 }\n";
        for (field, line) in [
            ("robot", 1),
            ("control.connect", 4),
            ("control.realtime.priority", 5),
            ("control.left_out", 3),
            ("nowhere", 1),
        ] {
            assert_eq!(line_of(text, field), line, "{field}");
        }
    }

    #[test]
    fn what_is_left_out_is_not_written() {
        let text = "robot = \"a\"\n\n[control]\nrealtime = { priority = 3 }\n";
        for (field, written) in [
            ("robot", true),
            ("control.realtime.priority", true),
            ("control.realtime.core", false),
            ("control.priority", false),
            ("robot.priority", false),
            ("nowhere.priority", false),
        ] {
            assert_eq!(is_written(text, field), written, "{field}");
        }
    }
}
