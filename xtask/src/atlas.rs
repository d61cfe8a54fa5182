//! Writes the README's guarantee table. A test of the atlas compares it with the model.

use crate::{between, cargo, output, root};

pub(crate) fn write() -> Result<(), String> {
    let table = output(cargo("run --release --locked -- atlas --markdown"))?;
    between::write(&root().join("README.md"), "atlas", &table)
}
