//! The command `tansu`, with the store for SQLite.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match tansu_cli::Cli::main().await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
