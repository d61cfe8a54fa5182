//! Writes the README's guarantee table. A test of the atlas compares it with the model.

use std::fs;

use crate::{cargo, output, root};

const BEGIN: &str = "<!-- atlas:begin -->";
const END: &str = "<!-- atlas:end -->";

pub(crate) fn write() -> Result<(), String> {
    let table = output(cargo("run --release --locked -- atlas --markdown"))?;
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let readme = put(&readme, &table).ok_or_else(|| format!("{} has no {BEGIN} before {END}", path.display()))?;
    fs::write(&path, readme).map_err(|error| format!("{}: {error}", path.display()))
}

/// The text with the table between the markers, each on a line of its own.
fn put(readme: &str, table: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::put;

    #[test]
    fn the_table_comes_between_the_markers_and_nothing_else_changes() {
        let readme = "a\n<!-- atlas:begin -->\nold\n<!-- atlas:end -->\nb\n";
        let expected = "a\n<!-- atlas:begin -->\nnew\n<!-- atlas:end -->\nb\n";
        assert_eq!(put(readme, "new\n").as_deref(), Some(expected));
        assert_eq!(put(expected, "new").as_deref(), Some(expected));
    }

    #[test]
    fn a_text_without_markers_is_left_alone() {
        assert_eq!(put("a\n<!-- atlas:end -->\n<!-- atlas:begin -->\n", "new"), None);
    }
}
