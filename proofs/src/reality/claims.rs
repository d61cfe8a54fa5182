//! Claims: what vendors say of a setting, told in our words, each with its source.

use serde::Deserialize;
use thiserror::Error;

const FILE: &str = include_str!("claims.toml");

/// All claims, and the differences between model and reality that are known and named.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claims {
    /// The claims, in the order in which they are told.
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
    /// Known differences.
    #[serde(default, rename = "difference")]
    pub named: Vec<Named>,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// The product.
    pub product: String,
    /// The setting that it is about.
    pub setting: String,
    /// What the vendor says.
    pub says: String,
    /// Where.
    pub source: String,
    /// The version that the source speaks of.
    pub of: String,
    /// The finding that would speak against it, by its word.
    pub finding: String,
    /// The faults under which it is meant.
    pub faults: Vec<String>,
    /// The vendor says that this finding is to be expected.
    #[serde(default)]
    pub admits: bool,
}

/// A difference that stays: the preset forbids what was seen, for this reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Named {
    /// The product.
    pub product: String,
    /// The setting.
    pub setting: String,
    /// The finding, by its word.
    pub finding: String,
    /// Why the preset stays as it is, with version and date of what was seen.
    pub because: String,
}

impl Named {
    /// Whether it is about this finding of this product with this setting.
    pub fn is_of(&self, product: &str, setting: &str, finding: &str) -> bool {
        (self.product.as_str(), self.setting.as_str(), self.finding.as_str()) == (product, setting, finding)
    }
}

/// What is wrong with the file of claims.
#[derive(Debug, Error)]
#[error("claims.toml: {0}")]
pub struct ClaimsError(#[from] toml::de::Error);

impl Claims {
    /// The claims of this repository.
    pub fn kept() -> Result<Claims, ClaimsError> {
        Ok(toml::from_str(FILE)?)
    }
}
