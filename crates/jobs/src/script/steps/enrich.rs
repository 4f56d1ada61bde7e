//! Reading the steps that bring something into a frame's records, or make several of one.

use std::str::FromStr;

use mastic_dynamic_frame::{
    Fill, FillMethod, FlatMap, JoinKey, Kmeans, Lookup, Missing, Multiple, Unbox, UnboxFormat,
};

use crate::script::ast::{SinkDef, SinkFormat, SinkMode};
use crate::script::enrich::EnrichStep;
use crate::script::reader::{Reader, first_line, get};
use crate::script::tree::{Kind, Node};
use crate::source::Text;

/// The verbs of these steps.
pub(crate) const VERBS: [&str; 10] = [
    "flat_map",
    "lookup",
    "merge",
    "unbox",
    "fill_missing_values",
    "kmeans",
    "find_matches",
    "repartition",
    "coalesce",
    "spigot",
];

/// Of how many records an unboxed field's type is found, where the script does not say.
const INFERRED: usize = 1_000;

pub(super) type Pairs<'n> = Vec<(Text, &'n Node)>;

impl Reader {
    pub(super) fn read_enrich(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        match verb.as_str() {
            "flat_map" => self.read_flat_map(verb, value),
            "lookup" => self.read_lookup(verb, value),
            "merge" => {
                let pairs = self.known(value, "a merge", &["with", "primary_keys"]);
                let with = self.needed_text(verb, &pairs, "with", "the staged frame")?;
                let keys =
                    self.needed_node(verb, &pairs, "primary_keys", "the fields of the key")?;
                let primary_keys = self.texts(keys, "a field");
                Some(EnrichStep::Merge { with, primary_keys })
            }
            "unbox" => self.read_unbox(verb, value),
            "fill_missing_values" => self.read_fill(verb, value),
            "kmeans" => self.read_kmeans(verb, value),
            "find_matches" => self.read_find_matches(verb, value),
            "repartition" => {
                if !matches!(value.kind, Kind::Mapping(_)) {
                    let num = self.whole(value, "a number of streams", 1, 10_000)?;
                    return Some(EnrichStep::Repartition {
                        num,
                        by: Vec::new(),
                    });
                }
                let pairs = self.known(value, "a repartition", &["num", "by"]);
                let num = self.needed_node(verb, &pairs, "num", "a number of streams")?;
                let num = self.whole(num, "a number of streams", 1, 10_000)?;
                let by = get(&pairs, "by").map_or_else(Vec::new, |n| self.texts(n, "a field"));
                Some(EnrichStep::Repartition { num, by })
            }
            "coalesce" => {
                let num = self.whole(value, "a number of streams", 1, 10_000)?;
                Some(EnrichStep::Coalesce(num))
            }
            "spigot" => self.read_spigot(verb, value),
            _ => None,
        }
    }

    fn read_flat_map(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        if !matches!(value.kind, Kind::Mapping(_)) {
            let array = self.sql(value, "an array")?;
            return Some(EnrichStep::FlatMap {
                map: FlatMap::of(array.as_str()),
                texts: vec![array],
            });
        }
        let keys = ["array", "as", "outer", "spread", "prefix"];
        let pairs = self.known(value, "a flat_map", &keys);
        let array = self.needed_node(verb, &pairs, "array", "a field or an expression")?;
        let array = self.sql(array, "an array")?;
        let mut map = FlatMap::of(array.as_str());
        let mut texts = vec![array];
        if let Some(output) = self.optional(&pairs, "as", "a field") {
            map = map.output(output.as_str());
            texts.push(output);
        }
        if self.yes(&pairs, "outer") {
            map = map.outer();
        }
        let prefix = self.optional(&pairs, "prefix", "a prefix");
        if self.yes(&pairs, "spread") {
            map = map.spread(prefix.as_ref().map_or("", Text::as_str));
        } else if let Some(prefix) = prefix {
            self.error(prefix.span(), "a prefix is for fields that are spread")
                .hint = Some("add spread: true".to_owned());
        }
        Some(EnrichStep::FlatMap { map, texts })
    }

    fn read_lookup(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        let keys = ["with", "on", "fields", "prefix", "missing", "multiple"];
        let pairs = self.known(value, "a lookup", &keys);
        let with = self.needed_text(verb, &pairs, "with", "the frame to look up in")?;
        let on = self.needed_node(verb, &pairs, "on", "the fields that must be equal")?;
        let on = self.named_pairs(on, "a mapping of own fields to the other's");
        let mut texts: Vec<Text> = Vec::new();
        let keys: Vec<JoinKey> = on
            .into_iter()
            .map(|(left, right)| {
                let right = right.unwrap_or_else(|| left.clone());
                let key = JoinKey::new(left.as_str(), right.as_str());
                texts.extend([left, right]);
                key
            })
            .collect();
        let mut lookup = Lookup::by(with.as_str(), keys);
        if let Some(node) = get(&pairs, "fields") {
            for (field, name) in self.named_pairs(node, "a mapping of fields to names") {
                lookup = lookup.field(field.as_str(), name.as_ref().map(Text::as_str));
                texts.push(field);
                texts.extend(name);
            }
        }
        if let Some(prefix) = self.optional(&pairs, "prefix", "a prefix") {
            lookup = lookup.prefix(prefix.as_str());
        }
        lookup = lookup
            .missing(self.choice(
                &pairs,
                "missing",
                "way with what is missing",
                Missing::NAMES,
            ))
            .multiple(self.choice(&pairs, "multiple", "way with several", Multiple::NAMES));
        Some(EnrichStep::Lookup {
            with,
            lookup,
            texts,
        })
    }

    fn read_unbox(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        let keys = [
            "path",
            "format",
            "schema",
            "withSchema",
            "infer",
            "separator",
            "quote",
            "quoteChar",
            "escaper",
            "skipFirst",
            "withHeader",
            "as",
        ];
        let pairs = self.known(value, "an unbox", &keys);
        let path = self.needed_text(verb, &pairs, "path", "the field to parse")?;
        let format = self.needed_text(verb, &pairs, "format", "what its text is written in")?;
        let format: UnboxFormat = match format.as_str().parse() {
            Ok(format) => format,
            Err(_) => {
                self.unknown(&format, "format to unbox", UnboxFormat::NAMES);
                return None;
            }
        };
        let mut unbox = Unbox::of(path.as_str(), format);
        let mut texts = vec![path];
        for key in ["schema", "withSchema"] {
            if let Some(schema) = self.optional(&pairs, key, "a type") {
                unbox.schema = Some(schema.as_str().to_owned());
                texts.push(schema);
            }
        }
        if let Some(output) = self.optional(&pairs, "as", "a field") {
            unbox.output = Some(output.as_str().to_owned());
            texts.push(output);
        }
        let infer = match get(&pairs, "infer") {
            Some(node) => self.whole(node, "a number of records", 1, 1_000_000)?,
            None => INFERRED,
        };
        unbox.separator = self.letter(&pairs, "separator");
        unbox.escaper = self.letter(&pairs, "escaper");
        for key in ["quote", "quoteChar"] {
            match self.optional(&pairs, key, "a character") {
                // Glue turns quotes off by -1.
                Some(text) if matches!(text.as_str(), "-1" | "") => unbox.quote = Some(None),
                Some(_) => unbox.quote = self.letter(&pairs, key).map(Some),
                None => {}
            }
        }
        unbox.skip_first = self.yes(&pairs, "skipFirst");
        unbox.with_header = self.yes(&pairs, "withHeader");
        Some(EnrichStep::Unbox {
            unbox,
            infer,
            texts,
        })
    }

    fn read_fill(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        if !matches!(value.kind, Kind::Mapping(_)) {
            let column = self.text(value, "a field")?;
            return Some(EnrichStep::Fill {
                fill: Fill::of(column.as_str()),
                texts: vec![column],
            });
        }
        let keys = [
            "missing_values_column",
            "output_column",
            "method",
            "value",
            "order_by",
        ];
        let pairs = self.known(value, "a fill_missing_values", &keys);
        let what = "the field that lacks values";
        let column = self.needed_text(verb, &pairs, "missing_values_column", what)?;
        let mut fill = Fill::of(column.as_str());
        let mut texts = vec![column];
        if let Some(output) = self.optional(&pairs, "output_column", "a field") {
            fill = fill.into_column(output.as_str());
            texts.push(output);
        }
        let value = get(&pairs, "value").and_then(|n| self.sql(n, "an expression"));
        let order = get(&pairs, "order_by").and_then(|n| self.sql(n, "an expression"));
        let method = self.optional(&pairs, "method", "a method");
        // A value says the method, and so does an order.
        let name = match (&method, &value, &order) {
            (Some(name), ..) => name.as_str(),
            (None, Some(_), _) => "constant",
            (None, None, Some(_)) => "forward",
            (None, None, None) => "model",
        };
        let at = method.as_ref().map_or(verb.span(), Text::span);
        let method = match (name, value, order) {
            ("constant", Some(value), None) => {
                texts.push(value.clone());
                FillMethod::Constant(value.as_str().to_owned())
            }
            ("forward", None, Some(order)) => {
                texts.push(order.clone());
                FillMethod::Forward(order.as_str().to_owned())
            }
            ("constant", ..) => {
                self.error(at, "method constant needs a 'value', and nothing else")
                    .hint = Some("write value: 0, or value: \"'none'\" for text".to_owned());
                return None;
            }
            ("forward", ..) => {
                self.error(at, "method forward needs an 'order_by', and nothing else")
                    .hint =
                    Some("write order_by: a field by which records follow each other".to_owned());
                return None;
            }
            (name, None, None) => match (FillMethod::from_str(name), method) {
                (Ok(method), _) => method,
                (Err(_), Some(text)) => {
                    self.unknown(&text, "method", FillMethod::NAMES);
                    return None;
                }
                (Err(_), None) => return None,
            },
            (name, ..) => {
                self.error(
                    at,
                    format!("method {name} takes neither a value nor an order"),
                );
                return None;
            }
        };
        let fill = fill.by(method);
        Some(EnrichStep::Fill { fill, texts })
    }

    fn read_kmeans(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        let keys = [
            "columns",
            "k",
            "output_column",
            "seed",
            "iterations",
            "scale",
        ];
        let pairs = self.known(value, "a kmeans", &keys);
        let columns = self.needed_node(verb, &pairs, "columns", "the numeric fields")?;
        let columns = self.texts(columns, "a field");
        let k = self.needed_node(verb, &pairs, "k", "how many clusters")?;
        let k = self.whole(k, "a number of clusters", 1, 1_000)?;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut kmeans = Kmeans::over(columns.iter().map(Text::as_str), small(k));
        let mut texts = columns;
        if let Some(output) = self.optional(&pairs, "output_column", "a field") {
            kmeans.output_column = output.as_str().to_owned();
            texts.push(output);
        }
        if let Some(node) = get(&pairs, "iterations") {
            kmeans.iterations = small(self.whole(node, "a number of iterations", 1, 10_000)?);
        }
        if let Some(node) = get(&pairs, "seed") {
            let seed = self.text(node, "a seed")?;
            kmeans.seed = match seed.as_str().parse() {
                Ok(seed) => seed,
                Err(_) => {
                    self.error(seed.span(), format!("'{seed}' is no whole number"));
                    return None;
                }
            };
        }
        if get(&pairs, "scale").is_some() {
            kmeans.scale = self.yes(&pairs, "scale");
        }
        Some(EnrichStep::Kmeans { kmeans, texts })
    }

    fn read_spigot(&mut self, verb: &Text, value: &Node) -> Option<EnrichStep> {
        let keys = ["path", "topk", "prob", "format", "options", "mode"];
        let pairs = self.known(value, "a spigot", &keys);
        let path = self.needed_text(verb, &pairs, "path", "where the sample goes")?;
        let topk = match get(&pairs, "topk") {
            Some(node) => self.whole(node, "a number of records", 1, usize::MAX)?,
            None => 100,
        };
        let prob = match self.optional(&pairs, "prob", "a probability") {
            None => 1.0,
            Some(text) => match text.as_str().parse::<f64>() {
                Ok(prob) if (0.0..=1.0).contains(&prob) => prob,
                _ => {
                    self.error(text.span(), format!("'{text}' is no probability"))
                        .hint = Some("write a number from 0 to 1".to_owned());
                    return None;
                }
            },
        };
        let format = match self.optional(&pairs, "format", "a format") {
            None => SinkFormat::Json,
            Some(text) => match SinkFormat::named(text.as_str()) {
                Some(format) => format,
                None => {
                    self.unknown(&text, "format to write", SinkFormat::NAMES);
                    return None;
                }
            },
        };
        let mode = match self.optional(&pairs, "mode", "a mode") {
            None => SinkMode::default(),
            Some(text) => match SinkMode::named(text.as_str()) {
                Some(mode) => mode,
                None => {
                    self.unknown(&text, "mode", SinkMode::NAMES);
                    return None;
                }
            },
        };
        let options = get(&pairs, "options").map_or_else(Vec::new, |n| self.options(n));
        let sink = SinkDef {
            frame: Text::made("spigot", verb.span()),
            path,
            format,
            options,
            key: Vec::new(),
            partition_by: Vec::new(),
            mode,
            table: None,
        };
        Some(EnrichStep::Spigot {
            sink: Box::new(sink),
            topk,
            prob,
        })
    }

    /// A union's frames, and whether types that disagree are widened.
    pub(super) fn read_union(&mut self, verb: &Text, value: &Node) -> Option<(Vec<Text>, bool)> {
        if !matches!(value.kind, Kind::Mapping(_)) {
            return Some((self.texts(value, "a frame"), false));
        }
        let pairs = self.known(value, "a union", &["with", "widen"]);
        let with = self.needed_node(verb, &pairs, "with", "the other frames")?;
        Some((self.texts(with, "a frame"), self.yes(&pairs, "widen")))
    }

    fn needed_node<'n>(
        &mut self,
        verb: &Text,
        pairs: &Pairs<'n>,
        key: &str,
        what: &str,
    ) -> Option<&'n Node> {
        let found = get(pairs, key);
        // What is no mapping was complained of.
        if found.is_none() && !pairs.is_empty() {
            self.error(verb.span(), format!("{verb} needs '{key}': {what}"));
        }
        found
    }

    fn needed_text(
        &mut self,
        verb: &Text,
        pairs: &Pairs<'_>,
        key: &str,
        what: &str,
    ) -> Option<Text> {
        let node = self.needed_node(verb, pairs, key, what)?;
        self.text(node, what)
    }

    pub(super) fn optional(&mut self, pairs: &Pairs<'_>, key: &str, what: &str) -> Option<Text> {
        get(pairs, key).and_then(|node| self.text(node, what))
    }

    /// Whether `true` is written under a key.
    pub(super) fn yes(&mut self, pairs: &Pairs<'_>, key: &str) -> bool {
        let Some(text) = self.optional(pairs, key, "true or false") else {
            return false;
        };
        match text.as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.error(text.span(), format!("'{text}' is neither true nor false"));
                false
            }
        }
    }

    /// One of several names; the default, where there is none or a wrong one.
    fn choice<T: FromStr + Default>(
        &mut self,
        pairs: &Pairs<'_>,
        key: &str,
        what: &str,
        names: &[&str],
    ) -> T {
        // `missing: null` is YAML's null, and means the name.
        let Some(node) = get(pairs, key).filter(|node| !node.is_null()) else {
            return T::default();
        };
        let Some(text) = self.text(node, what) else {
            return T::default();
        };
        text.as_str().parse().unwrap_or_else(|_| {
            self.unknown(&text, what, names.iter().copied());
            T::default()
        })
    }

    /// A whole number within bounds.
    fn whole(&mut self, node: &Node, what: &str, least: usize, most: usize) -> Option<usize> {
        let text = self.text(node, what)?;
        match text.as_str().parse::<usize>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let told = self.error(text.span(), format!("'{text}' is not {what}"));
                told.hint = Some(match most {
                    usize::MAX => format!("write a number from {least} on"),
                    most => format!("write a number from {least} to {most}"),
                });
                None
            }
        }
    }

    /// One character of ASCII, which `\t` stands for a tab in.
    fn letter(&mut self, pairs: &Pairs<'_>, key: &str) -> Option<char> {
        let text = self.optional(pairs, key, "a character")?;
        let mut letters = text.as_str().chars();
        match (letters.next(), letters.next(), text.as_str()) {
            (_, _, "\\t") => Some('\t'),
            (Some(letter), None, _) if letter.is_ascii() => Some(letter),
            _ => {
                self.error(
                    text.span(),
                    format!("'{text}' is not one character of ASCII"),
                );
                None
            }
        }
    }

    /// `name`, `[a, b]`, or `{a: other}`.
    pub(super) fn named_pairs(&mut self, node: &Node, what: &str) -> Vec<(Text, Option<Text>)> {
        match &node.kind {
            Kind::Mapping(_) => {
                let mut out = Vec::new();
                for (name, node) in self.pairs(node, what) {
                    if node.is_null() {
                        self.error(first_line(node), format!("'{name}' needs a name beside it"));
                        continue;
                    }
                    if let Some(other) = self.text(node, "a name") {
                        out.push((name, Some(other)));
                    }
                }
                out
            }
            _ => {
                let texts = self.texts(node, "a field");
                texts.into_iter().map(|text| (text, None)).collect()
            }
        }
    }
}
