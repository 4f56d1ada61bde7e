//! The `mastic` command: arguments in, data on standard output, everything else on standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 used wrongly.

mod args;
mod command;
mod config;
mod error;
mod format;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::error::CliError;

/// Operators take and leave much memory on many threads, which the system's allocator makes a tenth of some queries' time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Wrong arguments end here, with a usage message and code 2.
    let arguments = Arguments::parse();
    // Libraries warn of what a person may want to know and no result says: a lock left behind.
    let filter = "error,mastic_catalog=warn,mastic_jobs=warn,mastic_lake=warn,mastic_query=warn";
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("MASTIC_LOG", filter))
        .format(|out, record| {
            use std::io::Write;
            writeln!(
                out,
                "{}: {}",
                record.level().as_str().to_lowercase(),
                record.args()
            )
        })
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Plans of deeply nested statements are walked recursively.
        .thread_stack_size(8 << 20)
        // A reader holds a blocking thread for as long as it reads a file, and a local store takes
        // another for each of its reads: there must always be one left.
        .max_blocking_threads(4096)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return CliError::failed(format!("cannot start: {error}")).report(),
    };
    let result = runtime.block_on(command::run(arguments));
    // A reader that still waits for bytes must not hold the program back.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
