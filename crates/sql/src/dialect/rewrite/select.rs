//! One SELECT.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, GroupByWithModifier, OrderByExpr, Select, SelectFlavor,
    SelectItem, TableWithJoins, Value,
};

use super::super::error::{Code, Error};
use super::super::scope::{Scope, quoted};
use super::expr::{Alias, Place};
use super::items::{self, Item};
use super::{Output, Rewriter, build, calls, numbered, refuse};

/// A SELECT, its ORDER BY, and the columns that it gives.
type Selected = (Select, Vec<OrderByExpr>, Vec<Output>);

impl Rewriter<'_> {
    pub(super) fn select(
        &mut self,
        mut select: Select,
        order: Vec<OrderByExpr>,
        outer: Option<&Scope<'_>>,
    ) -> Result<Selected, Error> {
        refuse_clauses(&select)?;
        let mut scope = Scope {
            relations: Vec::new(),
            outer,
        };
        let mut from = self.from(std::mem::take(&mut select.from), &mut scope)?;
        for view in std::mem::take(&mut select.lateral_views) {
            (from, scope) = self.lateral_view(from, scope, view)?;
        }
        let windows = std::mem::take(&mut select.named_window);
        let mut selection = match select.selection.take() {
            Some(selection) => Some(self.condition(selection, &mut Place::of(&scope))?),
            None => None,
        };

        let mut projection = std::mem::take(&mut select.projection);
        if let Some(relation) = self.history_in_select(&projection)? {
            if !from.is_empty() {
                return Err(Error::unsupported("history_meta in SELECT with a FROM"));
            }
            let source = relation.internal.clone();
            from = vec![TableWithJoins {
                relation: build::table(&source, &source),
                joins: Vec::new(),
            }];
            scope.relations.push(relation);
            projection = vec![SelectItem::Wildcard(Default::default())];
        }

        let mut made = Vec::new();
        let at = items::generator(&projection)?;
        if let Some(at) = at {
            let grouped =
                !matches!(&select.group_by, GroupByExpr::Expressions(all, _) if all.is_empty());
            if grouped || select.having.is_some() || projection.iter().any(calls::aggregates) {
                return Err(Error::unsupported(
                    "A generator in a SELECT with aggregates or window functions",
                ));
            }
            let (mut generator, names) = items::generator_of(&projection, at)?;
            let mut place = Place::of(&scope);
            for item in projection.iter().take(at) {
                if let SelectItem::ExprWithAlias { expr, alias } = item {
                    let expr = self.expr(expr.clone(), &mut place)?;
                    place.aliases.push(Alias {
                        name: alias.value.clone(),
                        expr,
                    });
                }
            }
            generator.argument = self.expr(generator.argument, &mut place)?;
            let generated =
                self.generate(from, scope, selection.take(), generator, &names, None)?;
            (from, scope, made) = (generated.from, generated.scope, generated.columns);
            // They have names for the items behind them, if they were given any, and are no columns of FROM.
            for column in scope
                .relations
                .last_mut()
                .into_iter()
                .flat_map(|own| &mut own.columns)
            {
                column.hidden = true;
            }
        }

        let mut place = Place {
            windows: &windows,
            ..Place::of(&scope)
        };
        let mut items: Vec<Item> = Vec::new();
        for (number, item) in projection.into_iter().enumerate() {
            if at == Some(number) {
                let named = !matches!(item, SelectItem::UnnamedExpr(_));
                for (name, expr) in made.drain(..) {
                    if named {
                        place.aliases.push(Alias {
                            name: name.clone(),
                            expr: expr.clone(),
                        });
                    }
                    items.push(Item { name, expr });
                }
                continue;
            }
            items.append(&mut self.item(item, &mut place)?);
        }
        if items.is_empty() {
            return Err(Error::new(Code::Syntax, "SELECT takes at least one column"));
        }

        select.group_by = self.group_by(select.group_by, &items, &mut place)?;
        if let Some(having) = select.having.take() {
            place.aliases_first = true;
            select.having = Some(self.expr(having, &mut place)?);
        }
        let outputs: Vec<Output> = items
            .iter()
            .map(|item| Output {
                name: item.name.clone(),
                internal: self.provider.unique(&item.name),
            })
            .collect();
        let order = self.order_by(order, &items, &outputs, &mut place)?;
        select.projection = items
            .into_iter()
            .zip(&outputs)
            .map(|(item, output)| build::aliased(item.expr, &output.internal))
            .collect();
        select.from = from;
        select.selection = selection;
        Ok((select, order, outputs))
    }

    fn group_by(
        &mut self,
        group_by: GroupByExpr,
        items: &[Item],
        place: &mut Place<'_>,
    ) -> Result<GroupByExpr, Error> {
        let (expressions, modifiers) = match group_by {
            GroupByExpr::Expressions(expressions, modifiers) => (expressions, modifiers),
            GroupByExpr::All(_) => return Err(Error::unsupported("GROUP BY ALL")),
        };
        let mut groups = Vec::with_capacity(expressions.len());
        for expr in expressions {
            groups.push(self.group(expr, items, place)?);
        }
        for modifier in modifiers {
            let sets = std::mem::take(&mut groups)
                .into_iter()
                .map(|expr| vec![expr])
                .collect();
            groups.push(match modifier {
                GroupByWithModifier::Rollup => Expr::Rollup(sets),
                GroupByWithModifier::Cube => Expr::Cube(sets),
                other => return Err(Error::unsupported(format!("GROUP BY … {other}"))),
            });
        }
        Ok(GroupByExpr::Expressions(groups, Vec::new()))
    }

    fn group(&mut self, expr: Expr, items: &[Item], place: &mut Place<'_>) -> Result<Expr, Error> {
        let mut sets =
            |rewriter: &mut Self, sets: Vec<Vec<Expr>>| -> Result<Vec<Vec<Expr>>, Error> {
                sets.into_iter()
                    .map(|set| {
                        set.into_iter()
                            .map(|expr| rewriter.group(expr, items, place))
                            .collect()
                    })
                    .collect()
            };
        Ok(match expr {
            Expr::Rollup(all) => Expr::Rollup(sets(self, all)?),
            Expr::Cube(all) => Expr::Cube(sets(self, all)?),
            Expr::GroupingSets(all) => Expr::GroupingSets(sets(self, all)?),
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                constant(numbered(&value, items)?.expr.clone())
            }
            other => constant(self.expr(other, place)?),
        })
    }

    fn order_by(
        &mut self,
        order: Vec<OrderByExpr>,
        items: &[Item],
        outputs: &[Output],
        place: &mut Place<'_>,
    ) -> Result<Vec<OrderByExpr>, Error> {
        place.aliases_first = true;
        place.aliases = outputs
            .iter()
            .map(|output| Alias {
                name: output.name.clone(),
                expr: Expr::Identifier(quoted(&output.internal)),
            })
            .collect();
        order
            .into_iter()
            .map(|mut one| {
                one.expr = match one.expr {
                    Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                        Expr::Identifier(quoted(&numbered(&value, outputs)?.internal))
                    }
                    other => {
                        let expr = self.expr(other, place)?;
                        match items
                            .iter()
                            .zip(outputs)
                            .find(|(item, _)| item.expr == expr)
                        {
                            Some((_, output)) => Expr::Identifier(quoted(&output.internal)),
                            None => expr,
                        }
                    }
                };
                nulls(&mut one);
                Ok(one)
            })
            .collect()
    }
}

/// A number in GROUP BY would be taken for that of a column.
fn constant(expr: Expr) -> Expr {
    match &expr {
        Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
            build::call("spark_same", vec![expr])
        }
        _ => expr,
    }
}

/// Nulls are the least of all, as in Spark, where nothing else is said.
pub(super) fn nulls(order: &mut OrderByExpr) {
    let ascending = order.options.asc.unwrap_or(true);
    order.options.nulls_first.get_or_insert(ascending);
}

fn refuse_clauses(select: &Select) -> Result<(), Error> {
    refuse(&[
        (
            matches!(select.distinct, Some(Distinct::On(_))),
            "DISTINCT ON",
        ),
        (select.select_modifiers.is_some(), "Modifiers of SELECT"),
        (select.top.is_some(), "TOP"),
        (select.exclude.is_some(), "EXCLUDE"),
        (select.into.is_some(), "SELECT INTO"),
        (select.prewhere.is_some(), "PREWHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (!select.cluster_by.is_empty(), "CLUSTER BY"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
        (!select.sort_by.is_empty(), "SORT BY"),
        (select.qualify.is_some(), "QUALIFY"),
        (select.value_table_mode.is_some(), "SELECT AS STRUCT/VALUE"),
        (
            select.flavor != SelectFlavor::Standard,
            "FROM in front of SELECT",
        ),
    ])
}
