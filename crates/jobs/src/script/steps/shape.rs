//! The steps that change the shape of records: choices, nested values, collections.

use mastic_dynamic_frame::ChoiceAction;

use crate::script::ast::{RowsDef, ShapeStep};
use crate::script::reader::{Reader, first_line, get};
use crate::script::tree::{Kind, Node};
use crate::source::Text;

/// Glue's name for the first table of a `relationalize` that gives it none.
const ROOT: &str = "root";

/// The step of a verb that needs nothing to work on.
pub(super) fn without_argument(verb: &Text) -> Option<ShapeStep> {
    Some(match verb.as_str() {
        "unnest" => ShapeStep::Unnest,
        "simplify_ddb_json" | "unnest_ddb_json" => ShapeStep::DynamoDb {
            numbers: None,
            unnest: verb.as_str() == "unnest_ddb_json",
        },
        "relationalize" => ShapeStep::Relationalize(Text::made(ROOT, verb.span())),
        _ => return None,
    })
}

impl Reader {
    /// The step of this verb, or a complaint that there is none.
    pub(super) fn read_shape(&mut self, verb: &Text, value: &Node) -> Option<ShapeStep> {
        let nothing = value.is_null();
        match verb.as_str() {
            "resolve_choice" => self.read_resolve_choice(verb, value),
            "unnest" | "simplify_ddb_json" | "unnest_ddb_json" | "relationalize" if nothing => {
                without_argument(verb)
            }
            "unnest" => {
                self.error(first_line(value), "'unnest' takes nothing").hint =
                    Some("for the elements of an array use relationalize".to_owned());
                None
            }
            "simplify_ddb_json" | "unnest_ddb_json" => {
                let pairs = self.known(value, verb.as_str(), &["numbers"]);
                let numbers = get(&pairs, "numbers").and_then(|n| self.text(n, "a type"));
                Some(ShapeStep::DynamoDb {
                    numbers,
                    unnest: verb.as_str() == "unnest_ddb_json",
                })
            }
            "relationalize" => {
                let root = match &value.kind {
                    Kind::Mapping(_) => {
                        let pairs = self.known(value, "relationalize", &["root_table_name"]);
                        let name = get(&pairs, "root_table_name");
                        name.and_then(|n| self.text(n, "a table's name"))?
                    }
                    _ => self.text(value, "a name for the first table")?,
                };
                Some(ShapeStep::Relationalize(root))
            }
            "split_fields" => {
                let pairs = self.known(value, "split_fields", &["paths", "name1", "name2"]);
                let paths = self.needed(verb, &pairs, "paths", "the fields to split off")?;
                let paths = self.texts(paths, "a field");
                let names = self.read_names(verb, &pairs)?;
                Some(ShapeStep::SplitFields { paths, names })
            }
            "split_rows" => {
                let keys = ["where", "comparison_dict", "name1", "name2"];
                let pairs = self.known(value, "split_rows", &keys);
                let rows = match (get(&pairs, "where"), get(&pairs, "comparison_dict")) {
                    (Some(node), None) => RowsDef::Where(self.sql(node, "a condition")?),
                    (None, Some(node)) => RowsDef::Comparisons(self.read_comparisons(node)),
                    _ => {
                        self.error(
                            verb.span(),
                            "split_rows needs either 'where' or 'comparison_dict'",
                        )
                        .hint = Some(
                            "write where: age > 10, or comparison_dict: {age: {'>': 10}}"
                                .to_owned(),
                        );
                        return None;
                    }
                };
                let names = self.read_names(verb, &pairs)?;
                Some(ShapeStep::SplitRows { rows, names })
            }
            "select_from_collection" => {
                let key = match &value.kind {
                    Kind::Mapping(_) => {
                        let pairs = self.known(value, "select_from_collection", &["key"]);
                        self.needed(verb, &pairs, "key", "a frame's key")?
                    }
                    _ => value,
                };
                Some(ShapeStep::Select(self.text(key, "a frame's key")?))
            }
            "map_to_collection" => {
                let steps = match &value.kind {
                    Kind::Sequence(items) => {
                        items.iter().filter_map(|n| self.read_step(n)).collect()
                    }
                    _ => self.read_step(value).into_iter().collect(),
                };
                Some(ShapeStep::MapEach(steps))
            }
            _ => {
                self.unknown(verb, "step", super::VERBS);
                None
            }
        }
    }

    fn needed<'n>(
        &mut self,
        verb: &Text,
        pairs: &[(Text, &'n Node)],
        key: &str,
        what: &str,
    ) -> Option<&'n Node> {
        let found = get(pairs, key);
        if found.is_none() {
            self.error(verb.span(), format!("{verb} needs '{key}': {what}"));
        }
        found
    }

    fn read_names(&mut self, verb: &Text, pairs: &[(Text, &Node)]) -> Option<(Text, Text)> {
        let first = self.needed(verb, pairs, "name1", "a name for what is split off")?;
        let second = self.needed(verb, pairs, "name2", "a name for the rest")?;
        Some((
            self.text(first, "a frame's key")?,
            self.text(second, "a frame's key")?,
        ))
    }

    fn read_comparisons(&mut self, node: &Node) -> Vec<(Text, Text, Text)> {
        let mut all = Vec::new();
        for (path, node) in self.pairs(node, "a mapping of fields to comparisons") {
            for (operator, value) in self.pairs(node, "a mapping of operators to values") {
                if let Some(value) = self.text(value, "a value") {
                    all.push((path.clone(), operator, value));
                }
            }
        }
        all
    }

    /// `cast:long` for all, `{c: cast:long, a.b: make_cols}` by paths, or Glue's arguments: `specs` as pairs,
    /// `choice`, `database` and `table_name`.
    fn read_resolve_choice(&mut self, verb: &Text, value: &Node) -> Option<ShapeStep> {
        let pairs = match &value.kind {
            Kind::Scalar { .. } => return self.read_choice(verb, value, &[]),
            Kind::Sequence(_) => return self.read_specs(value),
            Kind::Mapping(_) => self.pairs(value, "a mapping of paths to actions"),
        };
        if let Some(node) = get(&pairs, "match_catalog").filter(|_| pairs.len() == 1) {
            return Some(ShapeStep::MatchCatalog(self.text(node, "a table")?));
        }
        let named = |(key, _): &(Text, &Node)| {
            ["choice", "specs", "database", "table_name"].contains(&key.as_str())
        };
        if pairs.iter().all(named) {
            return match (get(&pairs, "choice"), get(&pairs, "specs")) {
                (Some(choice), None) => self.read_choice(verb, choice, &pairs),
                (None, Some(specs)) if matches!(specs.kind, Kind::Mapping(_)) => {
                    let pairs = self.pairs(specs, "a mapping of paths to actions");
                    Some(self.read_actions(pairs))
                }
                (None, Some(specs)) => self.read_specs(specs),
                _ => {
                    self.error(
                        verb.span(),
                        "resolve_choice needs either 'specs' or 'choice'",
                    );
                    None
                }
            };
        }
        Some(self.read_actions(pairs))
    }

    fn read_actions(&mut self, pairs: Vec<(Text, &Node)>) -> ShapeStep {
        let mut specs = Vec::new();
        for (path, node) in pairs {
            let Some(text) = self.text(node, "an action") else {
                continue;
            };
            if let Some(action) = self.action(&text) {
                specs.push((path, action, text));
            }
        }
        ShapeStep::ResolveChoice(specs)
    }

    fn read_choice(
        &mut self,
        verb: &Text,
        node: &Node,
        pairs: &[(Text, &Node)],
    ) -> Option<ShapeStep> {
        let text = self.text(node, "an action")?;
        if text.as_str() == "match_catalog" {
            let Some(table) = get(pairs, "table_name") else {
                self.error(text.span(), "match_catalog needs a table").hint =
                    Some(format!("write {verb}: {{match_catalog: database.table}}"));
                return None;
            };
            let table = self.text(table, "a table")?;
            let database = get(pairs, "database").and_then(|n| self.text(n, "a database"));
            let named = match database {
                Some(database) => Text::made(format!("{database}.{table}"), table.span()),
                None => table,
            };
            return Some(ShapeStep::MatchCatalog(named));
        }
        let action = self.action(&text)?;
        Some(ShapeStep::ResolveChoices(action, text))
    }

    /// Pairs of a path and an action.
    fn read_specs(&mut self, node: &Node) -> Option<ShapeStep> {
        let Kind::Sequence(items) = &node.kind else {
            self.error(first_line(node), "a list of pairs was expected here")
                .hint = Some("write specs: [[path, action]]".to_owned());
            return None;
        };
        let mut specs = Vec::new();
        for item in items {
            let Kind::Sequence(pair) = &item.kind else {
                self.error(
                    first_line(item),
                    "a pair of a path and an action was expected here",
                )
                .hint = Some("write [path, cast:long]".to_owned());
                continue;
            };
            let [path, action] = pair.as_slice() else {
                self.error(first_line(item), "a path and an action make a pair");
                continue;
            };
            let (path, text) = (self.text(path, "a path"), self.text(action, "an action"));
            if let (Some(path), Some(text)) = (path, text)
                && let Some(action) = self.action(&text)
            {
                specs.push((path, action, text));
            }
        }
        Some(ShapeStep::ResolveChoice(specs))
    }

    fn action(&mut self, text: &Text) -> Option<ChoiceAction> {
        match text.as_str().parse::<ChoiceAction>() {
            Ok(action) => Some(action),
            Err(error) => {
                let told = self.error(text.span(), error.to_string());
                told.did_you_mean = error.did_you_mean().map(str::to_owned);
                told.hint = error.hint();
                None
            }
        }
    }
}
