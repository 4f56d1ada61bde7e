//! The sections of a script but its steps: parameters, sources and sinks.

use crate::script::ast::{Origin, RelationDef, SinkDef, SinkFormat, SinkMode, SourceDef};
use crate::script::parameters::{Parameter, ParameterType};
use crate::script::reader::{Reader, get};
use crate::script::tree::{Kind, Node};
use crate::source::Text;

impl Reader {
    pub(crate) fn read_parameters(&mut self, node: &Node) -> Vec<Parameter> {
        let pairs = self.pairs(node, "a mapping of parameters");
        pairs
            .into_iter()
            .filter_map(|(name, node)| self.read_parameter(name, node))
            .collect()
    }

    fn read_parameter(&mut self, name: Text, node: &Node) -> Option<Parameter> {
        let parameter = |kind, default: Option<Text>, description| Parameter {
            name: name.clone(),
            kind,
            value: default.as_ref().map(|d| d.as_str().to_owned()),
            default,
            description,
            secret: false,
        };
        if let Kind::Scalar { plain, .. } = node.kind {
            if node.is_null() {
                return Some(parameter(ParameterType::String, None, None));
            }
            let default = self.raw(node, "a default value")?;
            let kind = match plain {
                true => ParameterType::of(default.as_str()),
                false => ParameterType::String,
            };
            return Some(parameter(kind, Some(default), None));
        }
        let keys = ["type", "default", "description"];
        let pairs = self.known(node, "a parameter", &keys);
        let default = get(&pairs, "default").and_then(|n| self.raw(n, "a default value"));
        let description = get(&pairs, "description").and_then(|n| self.raw(n, "a description"));
        let kind = match get(&pairs, "type").and_then(|n| self.raw(n, "a type")) {
            Some(text) => ParameterType::named(text.as_str()).or_else(|| {
                self.unknown(&text, "parameter type", ParameterType::NAMES);
                None
            }),
            None => default.as_ref().map(|d| ParameterType::of(d.as_str())),
        };
        Some(parameter(
            kind.unwrap_or(ParameterType::String),
            default,
            description,
        ))
    }

    pub(crate) fn read_sources(&mut self, node: &Node) -> Vec<SourceDef> {
        let pairs = self.pairs(node, "a mapping of sources");
        for (name, _) in &pairs {
            self.declared.push(name.as_str().to_owned());
        }
        pairs
            .into_iter()
            .filter_map(|(name, node)| self.read_source(name, node))
            .collect()
    }

    fn read_source(&mut self, name: Text, node: &Node) -> Option<SourceDef> {
        if matches!(node.kind, Kind::Scalar { .. }) {
            let table = self.text(node, "a table, database.table,")?;
            let table = self.table_name(table, true)?;
            return Some(SourceDef {
                name,
                origin: Origin::Table(table),
                predicate: None,
                partitions: None,
                bookmark: false,
            });
        }
        let keys = [
            "table",
            "path",
            "connection",
            "query",
            "where",
            "push_down_predicate",
            "bookmark",
            "format",
            "options",
        ];
        let pairs = self.known(node, "a source", &keys);
        let partitions = get(&pairs, "push_down_predicate")
            .and_then(|n| self.sql(n, "a condition on partition keys"));
        let bookmark = get(&pairs, "bookmark").is_some_and(|n| self.boolean(n, "bookmark"));
        let predicate = get(&pairs, "where").and_then(|n| self.sql(n, "a condition"));
        let origin = match (get(&pairs, "table"), get(&pairs, "path")) {
            _ if get(&pairs, "connection").is_some() || get(&pairs, "query").is_some() => {
                self.read_connection(&name, &pairs)?
            }
            (Some(table), None) => {
                for key in ["format", "options"] {
                    if let Some((key, _)) = pairs.iter().find(|(k, _)| k.as_str() == key) {
                        self.error(key.span(), format!("a table has its own {key}"));
                    }
                }
                let table = self.text(table, "a table, database.table,")?;
                Origin::Table(self.table_name(table, true)?)
            }
            (None, Some(path)) => Origin::Path {
                path: self.text(path, "a path")?,
                format: get(&pairs, "format").and_then(|n| self.text(n, "a format")),
                options: get(&pairs, "options").map_or_else(Vec::new, |n| self.options(n)),
            },
            (Some(_), Some(_)) => {
                self.error(
                    name.span(),
                    format!("source '{name}' has both a table and a path"),
                );
                return None;
            }
            (None, None) => {
                self.error(
                    name.span(),
                    format!("source '{name}' has no table, path or connection"),
                )
                .hint = Some(format!(
                    "write {name}: database.table, {name}: {{path: ...}}, or {name}: {{connection: ..., table: ...}}"
                ));
                return None;
            }
        };
        Some(SourceDef {
            name,
            origin,
            predicate,
            partitions,
            bookmark,
        })
    }

    /// Where a source's records are in a database.
    fn read_connection(&mut self, name: &Text, pairs: &[(Text, &Node)]) -> Option<Origin> {
        let found = |key: &str| pairs.iter().find(|(known, _)| known.as_str() == key);
        for (key, message, hint) in [
            (
                "bookmark",
                "a connection has no bookmark: a database has no files to tell which of them are new",
                "leave it out; 'where', or a query, can say what is new",
            ),
            (
                "push_down_predicate",
                "a connection has no partitions",
                "write the condition as 'where': the database sees to what it can",
            ),
            (
                "path",
                "a connection and a path are two places",
                "keep one of them",
            ),
            ("format", "a connection has no format", "leave it out"),
            (
                "options",
                "a connection has no options",
                "write them in its URL: ...?sslmode=require",
            ),
        ] {
            if let Some((key, node)) = found(key)
                && (key.as_str() != "bookmark" || self.boolean(node, "bookmark"))
            {
                self.error(key.span(), message).hint = Some(hint.to_owned());
            }
        }
        let Some((_, connection)) = found("connection") else {
            self.error(
                name.span(),
                format!("source '{name}' has a query and no connection"),
            )
            .hint = Some("say which database it is for: connection: postgresql://...".to_owned());
            return None;
        };
        let connection = self.url(connection, "a database's URL");
        let relation = match (found("table"), found("query")) {
            (Some((_, table)), None) => {
                RelationDef::Table(self.text(table, "a table of the database")?)
            }
            (None, Some((_, query))) => {
                RelationDef::Query(self.sql(query, "a query in the database's SQL")?)
            }
            (Some(_), Some((key, _))) => {
                let message = format!("source '{name}' has both a table and a query");
                self.error(key.span(), message).hint = Some("keep one of them".to_owned());
                return None;
            }
            (None, None) => {
                self.error(
                    name.span(),
                    format!("source '{name}' does not say what to read over its connection"),
                )
                .hint = Some("add 'table: schema.table' or 'query: select ...'".to_owned());
                return None;
            }
        };
        Some(Origin::Connection {
            connection: connection?,
            relation,
        })
    }

    /// Checks that a table's name is of the form `database.table`.
    fn table_name(&mut self, table: Text, source: bool) -> Option<Text> {
        let name = table.as_str();
        let parts = name.split('.').collect::<Vec<_>>();
        if parts.len() == 2
            && parts
                .iter()
                .all(|p| !p.is_empty() && !p.contains(['/', ':', ' ']))
        {
            return Some(table);
        }
        let hint = if source && (name.contains(['/', ':']) || name.starts_with('.')) {
            format!("a path is written as {{path: {name}}}")
        } else {
            "a table is named by its database and its own name: nyc.flights".to_owned()
        };
        self.error(table.span(), format!("'{name}' is no table's name"))
            .hint = Some(hint);
        None
    }

    pub(crate) fn read_sinks(&mut self, node: &Node) -> Vec<SinkDef> {
        match &node.kind {
            Kind::Sequence(items) => items.iter().filter_map(|n| self.read_sink(n)).collect(),
            Kind::Mapping(_) => self.read_sink(node).into_iter().collect(),
            Kind::Scalar { .. } => {
                self.error(node.span, "a list of sinks was expected here");
                Vec::new()
            }
        }
    }

    fn read_sink(&mut self, node: &Node) -> Option<SinkDef> {
        let keys = [
            "frame",
            "path",
            "format",
            "options",
            "partition_by",
            "mode",
            "key",
            "table",
        ];
        let pairs = self.known(node, "a sink", &keys);
        if pairs.is_empty() {
            return None;
        }
        let format = get(&pairs, "format").and_then(|n| self.text(n, "a format"));
        let format = format.and_then(|text| {
            SinkFormat::named(text.as_str()).or_else(|| {
                self.unknown(&text, "format to write", SinkFormat::NAMES);
                None
            })
        });
        let mode = get(&pairs, "mode").and_then(|n| self.text(n, "a mode"));
        let mode = mode.and_then(|text| {
            SinkMode::named(text.as_str()).or_else(|| {
                self.unknown(&text, "mode", SinkMode::NAMES);
                None
            })
        });
        let mode = mode.unwrap_or_default();
        let key = get(&pairs, "key").map_or_else(Vec::new, |n| self.texts(n, "a field"));
        if let Some((at, _)) = pairs.iter().find(|(k, _)| {
            let has_key = !key.is_empty();
            (k.as_str() == "mode" && mode == SinkMode::Upsert && !has_key)
                || (k.as_str() == "key" && mode != SinkMode::Upsert && has_key)
        }) {
            self.error(at.span(), "mode: upsert and a key belong together")
                .hint =
                Some("write mode: upsert, key: [the fields that tell records apart]".to_owned());
        }
        let options = get(&pairs, "options").map_or_else(Vec::new, |n| self.options(n));
        let partition_by =
            get(&pairs, "partition_by").map_or_else(Vec::new, |n| self.texts(n, "a field"));
        let table = get(&pairs, "table").and_then(|n| self.text(n, "a table, database.table,"));
        let table = table.and_then(|t| self.table_name(t, false));
        let mut needed = |key: &str, what: &str| match get(&pairs, key) {
            Some(node) => self.text(node, what),
            None => {
                let place = pairs[0].0.span();
                self.error(place, format!("a sink needs a '{key}'"));
                None
            }
        };
        let frame = needed("frame", "a frame");
        let path = needed("path", "a path");
        Some(SinkDef {
            frame: frame?,
            path: path?,
            format: format.unwrap_or_default(),
            options,
            partition_by,
            mode,
            key,
            table,
        })
    }
}
