//! The pieces of which the pages are made: Markdown text, and tables whose cells hold no bare bars.

use std::fmt::Display;

/// What stands on top of every page.
pub(super) const GENERATED: &str = "<!-- Made by `cargo xtask formats` from the sources. Edit those. -->\n\n";

/// A table with this head and these rows.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.map(str::to_owned)) + &line(&[const { String::new() }; N].map(|_| "---".to_owned()));
    for row in rows {
        text.push_str(&line(&row.map(|cell| cell.replace('|', "\\|"))));
    }
    text
}

/// A word or key as code.
pub(super) fn code(word: impl Display) -> String {
    format!("`{word}`")
}

/// Words or keys as code, with commas.
pub(super) fn codes<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(", ")
}
