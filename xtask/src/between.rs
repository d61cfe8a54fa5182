//! The generated part of a document that is otherwise written by hand: it stands between two markers.

use std::fs;
use std::path::Path;

/// Puts the text between the markers `<!-- NAME:begin -->` and `<!-- NAME:end -->` of a file, each on a line of its own.
pub(crate) fn write(path: &Path, name: &str, text: &str) -> Result<(), String> {
    let shown = |error: std::io::Error| format!("{}: {error}", path.display());
    let document = fs::read_to_string(path).map_err(shown)?;
    let [begin, end] = markers(name);
    let document =
        put(&document, name, text).ok_or_else(|| format!("{} has no {begin} before {end}", path.display()))?;
    fs::write(path, document).map_err(shown)
}

fn markers(name: &str) -> [String; 2] {
    ["begin", "end"].map(|which| format!("<!-- {name}:{which} -->"))
}

fn put(document: &str, name: &str, text: &str) -> Option<String> {
    let [begin, end] = markers(name);
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::put;

    #[test]
    fn the_text_comes_between_the_markers_and_nothing_else_changes() {
        let document = "a\n<!-- atlas:begin -->\nold\n<!-- atlas:end -->\nb\n";
        let expected = "a\n<!-- atlas:begin -->\nnew\n<!-- atlas:end -->\nb\n";
        assert_eq!(put(document, "atlas", "new\n").as_deref(), Some(expected));
        assert_eq!(put(expected, "atlas", "new").as_deref(), Some(expected));
    }

    #[test]
    fn a_document_without_the_markers_is_left_alone() {
        assert_eq!(put("a\n<!-- atlas:end -->\n<!-- atlas:begin -->\n", "atlas", "new"), None);
        assert_eq!(put("<!-- atlas:begin --><!-- atlas:end -->", "figures", "new"), None);
    }
}
