//! Compares the licence of every dependency with the list in deny.toml, without any other tool than cargo.
//!
//! cargo-deny reads the same file and says more: advisories, and texts of licences. This says what can be said without it.

use std::collections::BTreeSet;
use std::fs;

use crate::{cargo, output, root};

pub(crate) fn check() -> Result<(), String> {
    let path = root().join("deny.toml");
    let deny = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let allowed = allow_list(&deny).ok_or_else(|| format!("{} has no list `allow`", path.display()))?;
    let tree = output(cargo("tree --workspace --locked --edges normal,build,dev --prefix none --format {l}|{p}"))?;
    let crates: BTreeSet<(&str, &str)> = tree.lines().filter_map(|line| line.split_once('|')).collect();
    let refused: Vec<_> = crates.iter().filter(|(licence, _)| !is_allowed(licence, &allowed)).collect();
    println!("{} crates, {} licences allowed", crates.len(), allowed.len());
    if refused.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = refused.iter().map(|(licence, name)| format!("\n  {name}: {licence:?}")).collect();
    Err(format!("not allowed by deny.toml:{}", lines.concat()))
}

/// The texts of the list `allow`.
fn allow_list(deny: &str) -> Option<Vec<&str>> {
    let (_, list) = deny.split_once("\nallow = [")?;
    let (list, _) = list.split_once(']')?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

/// Whether an SPDX expression allows what we do with it. An old-fashioned slash means "or".
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.replace('/', " OR ");
    let groups = expression.split(" AND ").map(|group| group.trim_matches(['(', ')', ' ']));
    !expression.is_empty()
        && groups.into_iter().all(|group| group.split(" OR ").any(|one| allowed.contains(&one.trim())))
}

#[cfg(test)]
mod tests {
    use super::{allow_list, is_allowed};

    #[test]
    fn one_allowed_licence_of_several_is_enough() {
        for expression in ["MIT", "Unlicense OR MIT", "Unlicense/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
            assert!(is_allowed(expression, &["MIT", "Unicode-3.0"]), "{expression}");
        }
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        for expression in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR AGPL-3.0", "(MIT OR GPL-3.0) AND OpenSSL"] {
            assert!(!is_allowed(expression, &["MIT"]), "{expression}");
        }
    }

    #[test]
    fn the_list_is_read_over_several_lines() {
        assert_eq!(
            allow_list("[licenses]\nallow = [\n  \"MIT\", # a comment\n  \"Zlib\",\n]\n"),
            Some(vec!["MIT", "Zlib"])
        );
        assert_eq!(allow_list("[licenses]\n"), None);
    }
}
