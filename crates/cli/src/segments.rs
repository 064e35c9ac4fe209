//! Segments: their definitions, their expressions, and whom these take.

mod check;
mod estimates;
mod evaluate;
mod explain;
mod list;
mod overlap;
mod wanted;

use profile_export::platform::{expression_schema, first_members};
use profile_export::segment::Expression;

use self::check::check;
use self::estimates::tell_estimates;
use self::evaluate::evaluate;
use self::explain::explain;
use self::list::{list, list_with_counts};
use self::overlap::tell_overlap;
use self::wanted::{Wanted, now};
use crate::args::{Arguments, SegmentsCommand};
use crate::catalog;
use crate::failure::Failure;
use crate::output::print_result;
use crate::plan::print_profiles;
use crate::progress::Watch;
use crate::stores::open;

pub fn segments(arguments: &Arguments, command: &SegmentsCommand) -> Result<(), Failure> {
    match command {
        SegmentsCommand::Definitions(command) => catalog::segments(arguments, command),
        SegmentsCommand::List { counts, store } => {
            let store = open(arguments, &store.store)?;
            match counts {
                true => list_with_counts(arguments, &store),
                false => list(arguments, &store),
            }
        }
        SegmentsCommand::Check { file, store } => {
            let store = store.as_deref().map(|store| open(arguments, store));
            check(arguments, file, store.transpose()?.as_ref())
        }
        SegmentsCommand::Estimate {
            expression,
            segment,
            all,
            by_namespace,
            at,
        } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = match expression {
                Some(text) => vec![Wanted::unnamed(Expression::parse(text))?],
                None => Wanted::of_definitions(&store, segment, *all)?,
            };
            tell_estimates(arguments, &store, (at, *by_namespace), wanted)
        }
        SegmentsCommand::Evaluate {
            segment,
            all,
            now,
            store,
        } => evaluate(
            arguments,
            &open(arguments, &store.store)?,
            (segment, *all),
            now.as_deref(),
        ),
        SegmentsCommand::Overlap { segment, all, at } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = Wanted::of_definitions(&store, segment, *all)?;
            tell_overlap(arguments, &store, at, &wanted)
        }
        SegmentsCommand::Explain {
            segment,
            identity,
            at,
        } => {
            let store = open(arguments, &at.store.store)?;
            explain(arguments, &store, (segment, identity), at)
        }
        SegmentsCommand::Preview {
            expression,
            limit,
            at,
        } => {
            let store = open(arguments, &at.store.store)?;
            let wanted = Wanted::unnamed(Expression::parse(expression))?;
            let schema = expression_schema(store.catalog())?;
            let segment = wanted.segment(&schema)?;
            let policy = wanted.policy(&store, at)?;
            let now = now(at.now.as_deref())?;
            let watch = Watch::start(arguments, 0);
            let people = first_members(&store, policy, segment, now, *limit, &watch.progress)?;
            drop(watch);
            match arguments.is_for_machines() {
                true => print_result(arguments, &people),
                false => print_profiles(&people),
            }
        }
    }
}
