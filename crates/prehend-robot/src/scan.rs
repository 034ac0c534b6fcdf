//! A look at XML text before any parser sees it: what no robot has, and what costs a parser dearly.

/// More than any element of URDF or MJCF has; a parser compares each attribute with all others.
const MAX_ATTRIBUTES: usize = 256;

/// Where lines begin, so that asking for a line does not read the file again.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(ends.map(|(at, _)| at).collect())
    }

    /// Line of a byte, counted from 1.
    pub fn line(&self, at: usize) -> u32 {
        1 + self.0.partition_point(|end| *end < at) as u32
    }
}

/// Deeper than any robot is nested.
pub(crate) const MAX_DEPTH: usize = 200;

/// Refuses what is no XML of a robot: line and message.
pub(crate) fn check(text: &str, max_depth: usize) -> Result<(), (u32, String)> {
    let bytes = text.as_bytes();
    let line = |at: usize| Lines::new(&text[..at]).line(at);
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err((
            line(at),
            "a NUL byte; save the file as UTF-8 text".to_owned(),
        ));
    }
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + found;
        let rest = &text[start..];
        let skip = |end: &str| {
            rest.find(end)
                .map_or(bytes.len(), |len| start + len + end.len())
        };
        if rest.starts_with("<!--") {
            at = skip("-->");
        } else if rest.starts_with("<![CDATA[") {
            at = skip("]]>");
        } else if rest.starts_with("<?") {
            at = skip("?>");
        } else {
            at = tag(bytes, start).map_err(|message| (line(start), message))?;
            if rest.starts_with("</") {
                depth = depth.saturating_sub(1);
            } else if !text[start..at].ends_with("/>") {
                depth += 1;
            }
            if depth > max_depth {
                let message = format!("elements are nested deeper than {max_depth}; no robot is");
                return Err((line(start), message));
            }
        }
    }
    Ok(())
}

/// Position behind the tag that starts at `start`; counts its attributes.
fn tag(bytes: &[u8], start: usize) -> Result<usize, String> {
    let mut quote = None;
    let mut n_attributes = 0;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => {
                quote = Some(*byte);
                n_attributes += 1;
                if n_attributes > MAX_ATTRIBUTES {
                    return Err(format!(
                        "an element has more than {MAX_ATTRIBUTES} attributes"
                    ));
                }
            }
            (None, b'>') => return Ok(start + offset + 1),
            (None, _) => {}
        }
    }
    Ok(bytes.len())
}
