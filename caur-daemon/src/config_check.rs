//! `config check`: the effective configuration, secrets masked, with the source of each value.

use caur_core::config::Loaded;
use color_eyre::eyre::{Result, WrapErr};
use serde_json::json;

use crate::stdout;
use crate::table::table;

/// Prints it.
///
/// # Errors
/// When JSON cannot be written.
pub fn run(loaded: &Loaded, as_json: bool) -> Result<()> {
    let values = loaded.describe();
    if as_json {
        let values: Vec<_> = values
            .iter()
            .map(
                |value| json!({ "key": value.key, "value": value.value, "source": value.source.to_string() }),
            )
            .collect();
        let text = serde_json::to_string_pretty(&values).wrap_err("cannot write JSON")?;
        return stdout::line(&text);
    }
    let rows: Vec<_> = values
        .iter()
        .map(|value| [value.key.to_owned(), value.value_text(), value.source.to_string()])
        .collect();
    stdout::text(&table(["KEY", "VALUE", "SOURCE"], &rows))
}
