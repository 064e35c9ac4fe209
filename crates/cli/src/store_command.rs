use serde_json::json;

use crate::args::{Arguments, StoreCommand};
use crate::failure::Failure;
use crate::output::{bytes, count, print, print_json, table};
use crate::stores::open;

pub fn run(arguments: &Arguments, command: &StoreCommand) -> Result<(), Failure> {
    let stats = match command {
        StoreCommand::Stats { store } => open(arguments, &store.store)?.stats()?,
        StoreCommand::Compact { store } => open(arguments, &store.store)?.compact()?,
        StoreCommand::Verify { store } => {
            let problems = open(arguments, &store.store)?.verify()?;
            if arguments.json {
                print_json(&json!({"problems": problems}))?;
            } else if problems.is_empty() {
                print("every byte is as it was written")?;
            } else {
                print(&problems.join("\n"))?;
            }
            return if problems.is_empty() {
                Ok(())
            } else {
                Err(Failure::failed(format!("{} damaged files", problems.len())))
            };
        }
    };
    if arguments.json {
        return print_json(&stats);
    }
    let cells: Vec<[String; 3]> = stats
        .datasets
        .iter()
        .map(|d| [count(d.runs), count(d.records), bytes(d.bytes)])
        .collect();
    let rows = stats
        .datasets
        .iter()
        .zip(&cells)
        .map(|(d, [runs, records, bytes])| {
            [
                d.id.as_str(),
                d.class.as_str(),
                runs,
                records,
                bytes,
                &d.name,
            ]
        });
    let mut text = table(["ID", "CLASS", "RUNS", "RECORDS", "SIZE", "NAME"], rows);
    text.push_str(&format!(
        "{} runs, {}, generation {}\n",
        count(stats.runs),
        bytes(stats.bytes),
        stats.generation
    ));
    print(&text)
}
