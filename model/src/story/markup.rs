//! Texts in HTML and SVG.

use textwrap::core::display_width;

/// The text as HTML or SVG, fit to stand between tags and in quoted attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

/// About how wide a text of a diagram is drawn, in its units: nothing here knows the reader's font, of which a letter of this
/// size is seldom wider.
pub(super) fn width_drawn(text: &str) -> usize {
    8 * display_width(text)
}
