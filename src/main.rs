//! Parse, load the settings, start tracing, run the mode, map the result to an exit code.

use replyd::cli::{self, Cli, Exit};
use replyd::commands;

fn main() -> Exit {
    match Cli::parse_args(std::env::args_os()) {
        Ok(cli) => commands::dispatch(&cli),
        Err(usage) => cli::report_usage(&usage),
    }
}
