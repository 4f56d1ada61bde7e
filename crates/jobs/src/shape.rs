//! The steps that change the shape of records, planned.

use mastic_dynamic_frame::{Comparison, DynamicFrame, FrameCollection};

use crate::collections::Value;
use crate::error::ScriptError;
use crate::plan::{Labels, Planner};
use crate::script::{FrameDef, RowsDef, ShapeStep, StepDef};
use crate::source::Text;

/// What DynamoDB's numbers become where nothing is said: what Glue leaves them.
const NUMBERS: &str = "string";

impl Planner<'_> {
    pub(crate) async fn shape(
        &mut self,
        def: &FrameDef,
        step: &StepDef,
        shape: &ShapeStep,
        value: Value,
        labels: &Labels,
        name: &str,
    ) -> Option<(Value, Option<Labels>)> {
        match shape {
            ShapeStep::Select(key) => {
                let all = self.several(value, &step.verb)?;
                let frame = self.told(all.select(key.as_str()), &[key], key.span())?;
                let own = labels.iter().filter(|(k, _)| k == key.as_str());
                let own = own.map(|(_, label)| (String::new(), label.clone()));
                Some((Value::from(frame), Some(own.collect())))
            }
            ShapeStep::MapEach(steps) => {
                let all = self.several(value, &step.verb)?;
                let (mut made, mut counted) = (Vec::new(), Labels::new());
                for (key, frame) in all.iter() {
                    let one = Some(Value::from(frame.clone()));
                    let own = labels.iter().filter(|(k, _)| k == key);
                    let own = own
                        .map(|(_, label)| (String::new(), label.clone()))
                        .collect();
                    let prefix = format!("{name}/{key}");
                    let (value, labels) = self.steps(def, steps, one, own, &prefix).await?;
                    match value {
                        Value::Frame(frame) => {
                            made.push((key.to_owned(), *frame));
                            counted.extend(labels.into_iter().map(|(_, l)| (key.to_owned(), l)));
                        }
                        // Several of each: Glue's FlatMap.
                        Value::Collection(inner) => {
                            let named = |k: &str| format!("{key}_{k}");
                            made.extend(inner.iter().map(|(k, f)| (named(k), f.clone())));
                            counted.extend(labels.into_iter().map(|(k, l)| (named(&k), l)));
                        }
                    }
                }
                let made = self.told(FrameCollection::new(made), &[], step.verb.span())?;
                Some((Value::Collection(made), Some(counted)))
            }
            _ => {
                let frame = self.one(value, &step.verb)?;
                let value = self.reshaped(step, shape, frame).await?;
                Some((value, None))
            }
        }
    }

    async fn reshaped(
        &mut self,
        step: &StepDef,
        shape: &ShapeStep,
        frame: DynamicFrame,
    ) -> Option<Value> {
        let at = step.verb.span();
        let frame = match shape {
            ShapeStep::ResolveChoice(specs) => {
                let texts: Vec<&Text> = specs.iter().flat_map(|(p, _, a)| [p, a]).collect();
                let specs: Vec<_> = specs
                    .iter()
                    .map(|(path, action, _)| (path.as_str().to_owned(), action.clone()))
                    .collect();
                self.told(frame.resolve_choice(&specs), &texts, at)
            }
            ShapeStep::ResolveChoices(action, text) => {
                self.told(frame.resolve_choices(action), &[text], text.span())
            }
            ShapeStep::MatchCatalog(table) => {
                let columns = match self.sources.columns(table.as_str()).await {
                    Ok(columns) => columns,
                    Err(error) => {
                        let source = &self.script.source;
                        let mut told = ScriptError::new(source, table.span(), error.message);
                        told.did_you_mean = error.did_you_mean;
                        told.hint = error.hint;
                        self.errors.push(told);
                        return None;
                    }
                };
                self.told(frame.match_catalog(&columns), &[], table.span())
            }
            ShapeStep::Unnest => self.told(frame.unnest(), &[], at),
            ShapeStep::DynamoDb { numbers, unnest } => {
                let texts: Vec<&Text> = numbers.iter().collect();
                let to = numbers.as_ref().map_or(NUMBERS, Text::as_str);
                let made = match unnest {
                    true => frame.unnest_ddb_json(to),
                    false => frame.simplify_ddb_json(to),
                };
                self.told(made, &texts, at)
            }
            ShapeStep::SplitFields { paths, names } => {
                let texts: Vec<&Text> = paths.iter().chain([&names.0, &names.1]).collect();
                let paths: Vec<&str> = paths.iter().map(Text::as_str).collect();
                let made = frame.split_fields(&paths, names.0.as_str(), names.1.as_str());
                return self.told(made, &texts, at).map(Value::Collection);
            }
            ShapeStep::SplitRows { rows, names } => {
                let (first, second) = (names.0.as_str(), names.1.as_str());
                let mut texts = vec![&names.0, &names.1];
                let made = match rows {
                    RowsDef::Where(condition) => {
                        texts.push(condition);
                        frame.split_rows_where(condition.as_str(), first, second)
                    }
                    RowsDef::Comparisons(all) => {
                        texts.extend(all.iter().flat_map(|(p, o, v)| [p, o, v]));
                        let all: Vec<Comparison> = all
                            .iter()
                            .map(|(path, operator, value)| Comparison {
                                path: path.as_str().to_owned(),
                                operator: operator.as_str().to_owned(),
                                value: value.as_str().to_owned(),
                            })
                            .collect();
                        frame.split_rows(&all, first, second)
                    }
                };
                return self.told(made, &texts, at).map(Value::Collection);
            }
            ShapeStep::Relationalize(root) => {
                let made = frame.relationalize(root.as_str());
                return self.told(made, &[root], at).map(Value::Collection);
            }
            // Steps on collections: they were done above.
            ShapeStep::Select(_) | ShapeStep::MapEach(_) => Some(frame),
        };
        frame.map(Value::from)
    }
}
