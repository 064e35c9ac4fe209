//! Functions that make rows: `explode(list)` in SELECT, and LATERAL VIEW.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column as PlanColumn, NullHandling, UnnestOptions};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LateralView,
    TableWithJoins,
};

use super::super::error::{Code, Error};
use super::super::field_of;
use super::super::scope::{Column, Relation, Scope};
use super::expr::Place;
use super::{Rewriter, build};

/// A call of one of them.
pub(super) struct Generator {
    /// The function of ours that gives a list of structs, whose fields are the columns.
    function: &'static str,
    pub argument: Expr,
    /// A row of nulls where there would be none.
    outer: bool,
}

/// What FROM is once a generator's rows are in it.
pub(super) struct Generated<'o> {
    pub from: Vec<TableWithJoins>,
    pub scope: Scope<'o>,
    /// The generator's own columns, as expressions, with their names.
    pub columns: Vec<(String, Expr)>,
}

/// The generator that an expression is, if it is one.
pub(super) fn of(expr: &Expr) -> Result<Option<Generator>, Error> {
    let Expr::Function(call) = expr else {
        return Ok(None);
    };
    let name = call.name.to_string().to_lowercase();
    let (function, outer) = match name.strip_suffix("_outer") {
        Some(inner) => (inner, true),
        None => (name.as_str(), false),
    };
    let function = match function {
        "explode" => "spark_explode",
        "posexplode" => "spark_posexplode",
        "inline" => "spark_inline",
        _ => return Ok(None),
    };
    match (single(call), &call.over, &call.filter) {
        (Some(argument), None, None) => Ok(Some(Generator {
            function,
            argument: argument.clone(),
            outer,
        })),
        _ => Err(Error::new(
            Code::Syntax,
            format!("{name} takes one list or map"),
        )),
    }
}

fn single(call: &Function) -> Option<&Expr> {
    match &call.args {
        FunctionArguments::List(list)
            if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Some(argument),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Rewriter<'_> {
    /// FROM with the rows of one LATERAL VIEW.
    pub(super) fn lateral_view<'o>(
        &mut self,
        from: Vec<TableWithJoins>,
        scope: Scope<'o>,
        view: LateralView,
    ) -> Result<(Vec<TableWithJoins>, Scope<'o>), Error> {
        let Some(mut generator) = of(&view.lateral_view)? else {
            return Err(Error::unsupported(format!(
                "LATERAL VIEW of {}",
                view.lateral_view
            )));
        };
        generator.outer |= view.outer;
        generator.argument = self.expr(generator.argument, &mut Place::of(&scope))?;
        // Hive's grammar lets the view's name go, and then the parser takes that of the column for it.
        let name = view.lateral_view_name.to_string();
        let generated = self.generate(
            from,
            scope,
            None,
            generator,
            &view.lateral_col_alias,
            Some(name),
        )?;
        Ok((generated.from, generated.scope))
    }

    /// FROM and WHERE planned, with the rows of the generator, whose argument is rewritten.
    pub(super) fn generate<'o>(
        &mut self,
        from: Vec<TableWithJoins>,
        scope: Scope<'o>,
        selection: Option<Expr>,
        generator: Generator,
        aliases: &[Ident],
        name: Option<String>,
    ) -> Result<Generated<'o>, Error> {
        let rows = self.provider.unique("rows");
        let mut items = Vec::new();
        let mut relations = Vec::new();
        for relation in scope.relations {
            let mut columns = Vec::with_capacity(relation.columns.len());
            for column in &relation.columns {
                let internal = self.provider.unique(&column.name);
                items.push(build::aliased(relation.reference(column), &internal));
                columns.push(Column {
                    internal,
                    ..column.clone()
                });
            }
            relations.push(Relation {
                columns,
                ..relation
            });
        }
        items.push(build::aliased(
            build::call(generator.function, vec![generator.argument]),
            &rows,
        ));
        let plan = self.provider.plan(build::query(items, from, selection)?)?;

        let nulls = if generator.outer {
            NullHandling::PreserveAndExpandEmpty
        } else {
            NullHandling::Drop
        };
        let options = UnnestOptions::new().with_null_handling(nulls);
        let column = PlanColumn::from_name(&rows);
        let plan = LogicalPlanBuilder::from(plan)
            .unnest_columns_with_options(vec![column.clone()], options)?
            .build()?;
        let DataType::Struct(fields) = plan
            .schema()
            .field_with_unqualified_name(&rows)?
            .data_type()
            .clone()
        else {
            return Err(Error::new(
                Code::System,
                "a generator's rows are no structs",
            ));
        };
        let names: Vec<String> = match aliases {
            [] => fields.iter().map(|field| field.name().clone()).collect(),
            some if some.len() == fields.len() => {
                some.iter().map(|name| name.value.clone()).collect()
            }
            some => {
                let message = format!(
                    "the generator gives {} columns and gets {} names",
                    fields.len(),
                    some.len()
                );
                let error = Error::new(Code::Syntax, message);
                return Err(some.iter().fold(error, |error, name| error.at(name.span)));
            }
        };
        let mut projection: Vec<PlanExpr> = plan
            .schema()
            .columns()
            .into_iter()
            .filter(|column| column.name != rows)
            .map(PlanExpr::Column)
            .collect();
        let mut columns = Vec::with_capacity(names.len());
        for (field, name) in fields.iter().zip(names) {
            let internal = self.provider.unique(&name);
            let object = PlanExpr::Column(column.clone());
            let value = field_of(object, lit(field.name().as_str()))?;
            projection.push(value.alias(&internal));
            columns.push(Column {
                name,
                internal,
                data_type: field.data_type().clone(),
                hidden: false,
                united: None,
            });
        }
        let plan = LogicalPlanBuilder::from(plan)
            .project(projection)?
            .build()?;

        let source = self.provider.add_plan("generated", plan);
        for relation in &mut relations {
            relation.internal.clone_from(&source);
        }
        let own = Relation {
            name,
            internal: source.clone(),
            columns,
        };
        let expressions = own
            .columns
            .iter()
            .map(|column| (column.name.clone(), own.reference(column)))
            .collect();
        relations.push(own);
        let from = vec![TableWithJoins {
            relation: build::table(&source, &source),
            joins: Vec::new(),
        }];
        Ok(Generated {
            from,
            scope: Scope {
                relations,
                outer: scope.outer,
            },
            columns: expressions,
        })
    }
}
