//! Writes the benchmarks' workload: `workload FOLDER PEOPLE`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, people] = arguments.as_slice() else {
        eprintln!("usage: workload FOLDER PEOPLE");
        return ExitCode::from(2);
    };
    let Ok(people) = people.parse() else {
        eprintln!("workload: {people:?} is no number of people");
        return ExitCode::from(2);
    };
    match profile_export_benches::write_workload(Path::new(folder), people, 2018) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workload: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
