//! Calls of functions: the dialect's names, and what DataFusion calls for them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, LambdaFunction, NamedWindowExpr, OneOrManyWithParens, SelectItem,
    Spanned as _, Visit as _, Visitor, WindowSpec, WindowType,
};

use super::super::error::{Code, Error};
use super::super::functions::{Aggregate, Kind, kind};
use super::super::scope::quoted;
use super::expr::Place;
use super::{Rewriter, build, from, generators, select};

/// Whether an item has an aggregate or a window function in it.
pub(super) fn aggregates(item: &SelectItem) -> bool {
    struct Aggregates;
    impl Visitor for Aggregates {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(call) => {
                    let name = call.name.to_string().to_lowercase();
                    match kind(&name) {
                        Some(Kind::Aggregate(_) | Kind::Window { .. }) => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    item.visit(&mut Aggregates).is_break()
}

/// The arguments of a call and what stands beside them.
struct Arguments {
    values: Vec<Expr>,
    /// `count(*)`
    star: bool,
    distinct: bool,
}

impl Rewriter<'_> {
    /// A function of the dialect, by name, over expressions as written.
    pub(super) fn named(
        &mut self,
        name: &str,
        arguments: Vec<Expr>,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        self.call(build::function(name, arguments), place)
    }

    pub(super) fn call(&mut self, call: Function, place: &mut Place<'_>) -> Result<Expr, Error> {
        let name = call.name.to_string().to_lowercase();
        let span = call.name.span();
        let placed = |error: Error| error.at(span);
        if !call.within_group.is_empty() || !matches!(call.parameters, FunctionArguments::None) {
            return Err(placed(Error::unsupported(format!(
                "{name} WITHIN GROUP or with parameters"
            ))));
        }
        if generators::of(&Expr::Function(call.clone()))?.is_some() {
            let message = format!("{name} stands alone as an item of SELECT, or in LATERAL VIEW");
            return Err(placed(Error::new(Code::NotSupported, message)));
        }
        let Some(kind) = kind(&name) else {
            return Err(placed(Error::new(
                Code::UndefinedFunction,
                format!("there is no function {name} here"),
            )));
        };
        let arguments = arguments(&name, call.args).map_err(placed)?;
        match kind {
            Kind::Aggregate(aggregate) => {
                let written = Function {
                    args: FunctionArguments::None,
                    ..call
                };
                self.aggregate(aggregate, &name, arguments, written, place)
                    .map_err(placed)
            }
            Kind::Window {
                name: function,
                least,
                most,
                ordered,
                whole,
            } => {
                if arguments.star || arguments.distinct || call.filter.is_some() {
                    return Err(placed(Error::new(
                        Code::Syntax,
                        format!("{name} takes neither *, DISTINCT nor FILTER"),
                    )));
                }
                count(&name, arguments.values.len(), least, most).map_err(placed)?;
                let Some(over) = call.over else {
                    return Err(placed(Error::new(
                        Code::Syntax,
                        format!("{name} takes OVER (…)"),
                    )));
                };
                let over = self
                    .window(over, ordered.then_some(name.as_str()), place)
                    .map_err(placed)?;
                let values = self.all(arguments.values, place)?;
                let mut function = build::function(function, values);
                function.null_treatment = call.null_treatment;
                function.over = Some(over);
                let call = Expr::Function(function);
                // They count in unsigned numbers.
                Ok(if whole {
                    build::call("spark_cast", vec![call, build::text("int")])
                } else {
                    call
                })
            }
            scalar => {
                if arguments.star
                    || arguments.distinct
                    || call.filter.is_some()
                    || call.over.is_some()
                {
                    let message = format!("{name} takes neither *, DISTINCT, FILTER nor OVER");
                    return Err(placed(Error::new(Code::Syntax, message)));
                }
                self.scalar(scalar, &name, arguments.values, place)
                    .map_err(placed)
            }
        }
    }

    fn scalar(
        &mut self,
        kind: Kind,
        name: &str,
        mut values: Vec<Expr>,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        match kind {
            Kind::Scalar {
                name: function,
                least,
                most,
            } => {
                count(name, values.len(), least, most)?;
                Ok(build::call(function, self.all(values, place)?))
            }
            Kind::Lambda {
                name: function,
                least,
                most,
            } => {
                count(name, values.len(), least, most)?;
                let mut arguments = Vec::with_capacity(values.len());
                for value in values {
                    arguments.push(match value {
                        Expr::Lambda(lambda) => self.lambda(lambda, place)?,
                        value => self.expr(value, place)?,
                    });
                }
                Ok(build::call(function, arguments))
            }
            Kind::Cast(target) => {
                count(name, values.len(), 1, 1)?;
                values.push(build::text(target.name()));
                Ok(build::call("spark_cast", self.all(values, place)?))
            }
            Kind::Struct => {
                let mut fields = Vec::with_capacity(values.len());
                if values.is_empty() || !values.len().is_multiple_of(2) {
                    return Err(Error::new(
                        Code::Syntax,
                        format!("{name} takes names and values in turn"),
                    ));
                }
                for (number, value) in values.into_iter().enumerate() {
                    if number % 2 == 0 && from::literal(&build::argument(value.clone())).is_none() {
                        return Err(Error::new(
                            Code::Syntax,
                            format!("{name}: {value} is no name in quotes"),
                        ));
                    }
                    fields.push(self.expr(value, place)?);
                }
                Ok(build::call("spark_named_struct", fields))
            }
            Kind::If => {
                let values = self.exactly::<3>(name, values, place)?;
                let [condition, yes, no] = values;
                Ok(case(condition, yes, no))
            }
            Kind::NullIf => {
                let [value, other] = self.exactly::<2>(name, values, place)?;
                Ok(case(
                    build::binary(value.clone(), BinaryOperator::Eq, other),
                    build::null(),
                    value,
                ))
            }
            Kind::IfNotNull => {
                let [value, yes, no] = self.exactly::<3>(name, values, place)?;
                Ok(case(Expr::IsNotNull(Box::new(value)), yes, no))
            }
            Kind::IsNull(wanted) => {
                let [value] = self.exactly::<1>(name, values, place)?;
                Ok(if wanted {
                    Expr::IsNull(Box::new(value))
                } else {
                    Expr::IsNotNull(Box::new(value))
                })
            }
            Kind::Exists => {
                count(name, values.len(), 1, 1)?;
                match values
                    .pop()
                    .and_then(|value| from::literal(&build::argument(value)))
                {
                    Some(table) => Ok(build::boolean(self.exists(&table)?)),
                    None => Err(Error::new(
                        Code::Syntax,
                        "table_exists takes the name of a table in quotes",
                    )),
                }
            }
            Kind::Aggregate(_) | Kind::Window { .. } => {
                Err(Error::new(Code::System, "no scalar function"))
            }
        }
    }

    fn exactly<const N: usize>(
        &mut self,
        name: &str,
        values: Vec<Expr>,
        place: &mut Place<'_>,
    ) -> Result<[Expr; N], Error> {
        let given = values.len();
        self.all(values, place)?
            .try_into()
            .map_err(|_| wrong(name, given, N, N))
    }

    fn lambda(&mut self, lambda: LambdaFunction, place: &mut Place<'_>) -> Result<Expr, Error> {
        let LambdaFunction {
            mut params,
            body,
            syntax,
        } = lambda;
        let before = place.parameters.len();
        let rename = |param: &mut datafusion::sql::sqlparser::ast::LambdaFunctionParameter| {
            let internal = self.provider.unique(&param.name.value);
            let written = std::mem::replace(&mut param.name, quoted(&internal));
            place.parameters.push((written.value, internal));
        };
        match &mut params {
            OneOrManyWithParens::One(param) => [param].into_iter().for_each(rename),
            OneOrManyWithParens::Many(params) => params.iter_mut().for_each(rename),
        }
        let body = self.expr(*body, place);
        place.parameters.truncate(before);
        Ok(Expr::Lambda(LambdaFunction {
            params,
            body: Box::new(body?),
            syntax,
        }))
    }

    fn aggregate(
        &mut self,
        aggregate: Aggregate,
        name: &str,
        arguments: Arguments,
        written: Function,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        let first = std::mem::replace(&mut place.aliases_first, false);
        let result = self.aggregate_here(aggregate, name, arguments, written, place);
        place.aliases_first = first;
        result
    }

    fn aggregate_here(
        &mut self,
        aggregate: Aggregate,
        name: &str,
        arguments: Arguments,
        written: Function,
        place: &mut Place<'_>,
    ) -> Result<Expr, Error> {
        let Arguments {
            values,
            star,
            distinct,
        } = arguments;
        if star && (distinct || aggregate != Aggregate::Count) {
            return Err(Error::new(
                Code::Syntax,
                format!("{name}(*): only count takes it"),
            ));
        }
        if written.null_treatment.is_some() && !matches!(aggregate, Aggregate::First(_)) {
            return Err(Error::unsupported(format!(
                "IGNORE or RESPECT NULLS of {name}"
            )));
        }
        let (least, most) = aggregate.arguments();
        if !star {
            count(name, values.len(), least, most)?;
        }
        let mut values = self.all(values, place)?;
        let mut filter = match written.filter {
            Some(filter) => Some(self.expr(*filter, place)?),
            None => None,
        };
        let over = match written.over {
            Some(over) => Some(self.window(over, None, place)?),
            None => None,
        };
        let mut restrict = |condition: Expr| {
            filter = Some(match filter.take() {
                Some(filter) => build::binary(
                    Expr::Nested(Box::new(filter)),
                    BinaryOperator::And,
                    Expr::Nested(Box::new(condition)),
                ),
                None => condition,
            });
        };
        let mut unique = distinct;
        let function = match aggregate {
            Aggregate::Count => {
                if values.len() > 1 {
                    // A row counts if none of them is null.
                    for value in &values {
                        restrict(Expr::IsNotNull(Box::new(value.clone())));
                    }
                    if distinct {
                        let fields = values
                            .drain(..)
                            .enumerate()
                            .flat_map(|(number, value)| [build::text(format!("c{number}")), value])
                            .collect();
                        values = vec![build::call("spark_named_struct", fields)];
                    } else {
                        values = vec![build::number(1)];
                    }
                }
                if star {
                    values = vec![build::number(1)];
                }
                "count"
            }
            Aggregate::CountDistinct => {
                unique = true;
                "count"
            }
            Aggregate::CountIf => {
                values.drain(..).for_each(&mut restrict);
                values = vec![build::number(1)];
                "count"
            }
            Aggregate::Number(function) => {
                values = values
                    .into_iter()
                    .map(|value| build::call("spark_number", vec![value]))
                    .collect();
                function
            }
            Aggregate::Plain(function) | Aggregate::First(function) => function,
            Aggregate::Collect { set } => {
                if over.is_some() {
                    return Err(Error::unsupported(format!("{name} OVER")));
                }
                for value in &values {
                    restrict(Expr::IsNotNull(Box::new(value.clone())));
                }
                unique |= set;
                "array_agg"
            }
        };
        let mut call = build::function(function, values);
        if let FunctionArguments::List(list) = &mut call.args
            && unique
        {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
        }
        call.filter = filter.map(Box::new);
        call.null_treatment = written.null_treatment;
        call.over = over;
        let call = Expr::Function(call);
        // Of no rows there is an empty list.
        Ok(match aggregate {
            Aggregate::Collect { .. } => build::call("spark_list", vec![call]),
            _ => call,
        })
    }

    /// What stands behind OVER; `ordered` names a function that needs an order.
    fn window(
        &mut self,
        window: WindowType,
        ordered: Option<&str>,
        place: &mut Place<'_>,
    ) -> Result<WindowType, Error> {
        let spec = match window {
            WindowType::WindowSpec(spec) => spec,
            WindowType::NamedWindow(name) => named_window(&name.value, place)?,
        };
        let spec = match &spec.window_name {
            None => spec,
            Some(_) => return Err(Error::unsupported("A window that builds on a named one")),
        };
        if let Some(function) = ordered
            && spec.order_by.is_empty()
        {
            return Err(Error::new(
                Code::Syntax,
                format!("{function} takes OVER with an ORDER BY"),
            ));
        }
        let partition_by = self.all(spec.partition_by, place)?;
        let mut order_by = spec.order_by;
        for order in &mut order_by {
            let expr = std::mem::replace(&mut order.expr, build::null());
            order.expr = self.expr(expr, place)?;
            select::nulls(order);
        }
        Ok(WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by,
            order_by,
            window_frame: spec.window_frame,
        }))
    }
}

fn named_window(name: &str, place: &Place<'_>) -> Result<WindowSpec, Error> {
    let found = place
        .windows
        .iter()
        .find(|window| window.0.value.eq_ignore_ascii_case(name));
    match found.map(|window| &window.1) {
        Some(NamedWindowExpr::WindowSpec(spec)) => Ok(spec.clone()),
        Some(NamedWindowExpr::NamedWindow(_)) => {
            Err(Error::unsupported("A window that is another's name"))
        }
        None => Err(Error::new(
            Code::Syntax,
            format!("there is no WINDOW {name}"),
        )),
    }
}

fn arguments(name: &str, arguments: FunctionArguments) -> Result<Arguments, Error> {
    let mut out = Arguments {
        values: Vec::new(),
        star: false,
        distinct: false,
    };
    let list = match arguments {
        FunctionArguments::None => return Ok(out),
        FunctionArguments::List(list) => list,
        FunctionArguments::Subquery(_) => {
            return Err(Error::unsupported(format!("{name} of a subquery")));
        }
    };
    out.distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
    if let Some(clause) = list.clauses.first() {
        return Err(Error::unsupported(format!(
            "{clause} within the arguments of {name}"
        )));
    }
    for argument in list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => out.values.push(value),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => out.star = true,
            other => {
                return Err(Error::unsupported(format!(
                    "{other} as an argument of {name}"
                )));
            }
        }
    }
    Ok(out)
}

fn count(name: &str, given: usize, least: usize, most: usize) -> Result<(), Error> {
    if (least..=most).contains(&given) {
        Ok(())
    } else {
        Err(wrong(name, given, least, most))
    }
}

fn wrong(name: &str, given: usize, least: usize, most: usize) -> Error {
    let right = match (least, most) {
        (least, most) if least == most => format!("{least}"),
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) => format!("{least} to {most}"),
    };
    Error::new(
        Code::UndefinedFunction,
        format!("{name} takes {right} arguments, not {given}"),
    )
}

fn case(condition: Expr, yes: Expr, no: Expr) -> Expr {
    build::call("spark_case", vec![condition, yes, no])
}
