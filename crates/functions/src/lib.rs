//! What SQL can say: the functions of Athena (that is, of Trino) which DataFusion lacks.
//!
//! [`register_all`] adds them to whatever plans or runs SQL. A plan names its functions, so every place
//! that reads one, a cluster's workers included, must have called it too.
//!
//! ```
//! use datafusion::prelude::SessionContext;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> datafusion::error::Result<()> {
//! let mut session = SessionContext::new();
//! mastic_functions::register_all(&mut session)?;
//!
//! let answer = session
//!     .sql(
//!         "SELECT date_diff('month', date_parse(seen, '%d/%m/%Y'), DATE '2024-03-31') AS months, \
//!                 json_extract_scalar(body, '$.user.tags[0]') AS tag \
//!          FROM (VALUES ('31/01/2024', '{\"user\": {\"tags\": [\"new\"]}}')) AS t(seen, body)",
//!     )
//!     .await?
//!     .collect()
//!     .await?;
//!
//! let answer = datafusion::arrow::util::pretty::pretty_format_batches(&answer)?.to_string();
//! assert!(answer.contains("| 2      | new |"), "{answer}");
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! `docs/functions.md` lists every function of Trino with ours beside it: the same, different in what is said, or
//! missing. Beside those, for frames:
//!
//! | topic | functions |
//! |---|---|
//! | values held in text | `from_json`, `from_csv`, `from_avro`; `unbox_json`, `unbox_csv`, `unbox_avro` with the reason where there is none |
//! | frames | `to_choice`, `sample_hash`, `kmeans`, `nearest_centroid`, `least_squares` |
//! | frames' transforms | `resolve_choice`, `cast_failure`, `array_field`, `simplify_ddb_json`: see [`choice`] and [`ddb`] |
//! | likeness | `match_normalize`, `match_number`, `match_hash`, `damerau_levenshtein_distance`, `damerau_levenshtein_similarity`, `jaro_winkler_similarity`, `qgram_similarity`, `edit_similarity`, `string_similarity`: see [`matching`] |
//!
//! Some of Trino's functions are syntax (`try`, `CAST`, `UNNEST` in FROM), or have a name that DataFusion gives to
//! something else (`array_sort` with a lambda). A session that is to have these too reads and writes its
//! statements anew with [`sql`].
//!
//! # Where DataFusion's own meaning is replaced
//!
//! Athena's SQL runs unchanged only if these mean what they mean there. DataFusion's functions stay
//! under the names given here, if they have one.
//!
//! | name | DataFusion | here, as in Trino |
//! |---|---|---|
//! | `date_format` | `to_char`, with `strftime` formats | MySQL formats: `%i` is minutes, `%M` a month's name |
//! | `date_trunc` | a timestamp of a date | a date of a date |
//! | `to_unixtime` | whole seconds | a double, with the fraction |
//! | `from_unixtime` | whole seconds, without a zone | a double, to milliseconds in UTC |
//! | `split_part` | empty text beyond the last field; counts from the end if negative | NULL; an error |
//! | `regexp_replace` | with three arguments, the first match | every match, `$1` for groups; with flags as before |
//! | `substr`, `substring` | places below 1 are before the text | a negative place counts from the end; 0 is nowhere |
//! | `strpos` | two arguments | a third: which occurrence |
//! | `replace`, `reverse`, `length`, `concat_ws` | of text | without a replacement; of arrays and bytes; bytes of bytes; of arrays |
//! | `md5`, `sha256`, `sha512`, `to_hex` | of text, or of integers | of bytes too: bytes, or their digits |
//! | `ceil`, `floor` | a double of an integer | an integer of an integer |
//! | `greatest`, `least` | pass NULLs over | NULL if any value is |
//! | `random` | no arguments | bounds too; also called `rand` |
//! | `repeat` | a text of copies of a text | an array of copies of a value |
//! | `element_at` | `map_extract`: maps only, gives an array | arrays too, gives the element |
//! | `cardinality` | unsigned, counts innermost elements | `bigint`, the length |
//! | `contains` | text only | arrays too |
//! | `flatten` | all levels | one level, NULL arrays passed over |
//! | `array_sort` | NULLs first | NULLs last; with more arguments as before |
//! | `array_min`, `array_max` | pass NULLs over | NULL if any element is |
//! | `array_remove`, `array_position` | the first; NULL if there is none | all; 0 if there is none |
//! | `array_distinct`, `array_union`, `array_intersect`, `array_except` | order of their own | the order in which elements stand |
//! | `arrays_overlap` | true or false | NULL if only a NULL could be in both |
//! | `cosine_distance`, `dot_product` | of arrays | of maps too; an error where lengths differ |
//!
//! # What all of them keep to
//!
//! NULL in, NULL out, unless Trino's documentation says otherwise. Bad input is an error that names the
//! function and the value; where Trino returns NULL for it (JSON), so do these. An argument may be a
//! column or a constant, text in any of Arrow's string types or a dictionary of them. Text is never taken for
//! a date or a number without a `CAST`.
//!
//! Timestamps with a time zone are taken apart, and added to by days or more, on the calendar of that zone.
//!
//! This crate holds no state and reads no files.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod aggregates;
mod args;
mod arrays;
pub mod choice;
mod dates;
pub mod ddb;
mod function;
mod json;
pub mod matching;
mod parsing;
mod regexp;
mod sample;
mod scalars;
pub mod sql;
mod strings;
mod to_choice;
mod trino;
mod typed;
pub mod views;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::functions::{math, string};
use datafusion::functions_aggregate::{any_value, bit_and_or_xor, bool_and_or, variance};

pub use aggregates::{kmeans, least_squares, nearest_centroid};
pub use parsing::{Boxed, REASON, VALUE, csv_record, unbox};
pub use sample::{sample_hash, sample_number};
pub use to_choice::to_choice;

/// Adds the functions of this crate to `registry`. Doing so again changes nothing.
///
/// # Errors
///
/// If the registry takes no functions.
pub fn register_all(registry: &mut dyn FunctionRegistry) -> Result<()> {
    let scalars = [
        dates::all(),
        strings::all(),
        regexp::all(),
        json::all(),
        scalars::all(),
        arrays::all(),
        trino::all(),
        parsing::all(),
        vec![to_choice(), sample_hash(), nearest_centroid()],
        choice::all(),
        ddb::all(),
        matching::all(),
    ];
    for udf in scalars.concat() {
        registry.register_udf(udf)?;
    }
    for udf in trino::higher_order() {
        registry.register_higher_order_function(udf)?;
    }
    for udaf in aggregates::all() {
        registry.register_udaf(udaf)?;
    }

    // Functions that DataFusion has under another name. They keep it in plans, and DataFusion's own stay
    // what is found under it, for what the optimizer knows of them is lost on an alias.
    let aliases = [
        (string::levenshtein(), "levenshtein_distance"),
        (math::trunc(), "truncate"),
        (math::isnan(), "is_nan"),
    ];
    for (udf, alias) in aliases {
        registry.register_udf(Arc::new(udf.as_ref().clone().with_aliases([alias])))?;
        registry.register_udf(udf)?;
    }
    let aliases = [
        (any_value::any_value_udaf(), "arbitrary"),
        (bool_and_or::bool_and_udaf(), "every"),
        (variance::var_samp_udaf(), "variance"),
        (bit_and_or_xor::bit_and_udaf(), "bitwise_and_agg"),
        (bit_and_or_xor::bit_or_udaf(), "bitwise_or_agg"),
        (bit_and_or_xor::bit_xor_udaf(), "bitwise_xor_agg"),
    ];
    for (udaf, alias) in aliases {
        registry.register_udaf(Arc::new(udaf.as_ref().clone().with_aliases([alias])))?;
        registry.register_udaf(udaf)?;
    }
    Ok(())
}
