//! Writes the benchmarks' workload: `workload FOLDER PEOPLE`, or `workload FOLDER FIRST..END SEED` for other records
//! of some of the people.

use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: workload FOLDER PEOPLE\n       workload FOLDER FIRST..END SEED";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((folder, people, seed)) = parsed(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match profile_export_benches::write_workload(Path::new(folder), people, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parsed(arguments: &[String]) -> Option<(&str, Range<u64>, u64)> {
    match arguments {
        [folder, people] => Some((folder, 0..people.parse().ok()?, 2018)),
        [folder, people, seed] => {
            let (first, end) = people.split_once("..")?;
            Some((
                folder,
                first.parse().ok()?..end.parse().ok()?,
                seed.parse().ok()?,
            ))
        }
        _ => None,
    }
}
