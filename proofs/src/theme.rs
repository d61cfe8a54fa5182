//! The colours that pages share, light and dark.

/// The colours as CSS variables, with those that the diagrams of stories take.
pub const THEME: &str = include_str!("theme.css");
