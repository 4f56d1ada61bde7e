//! The names of parameters that say something to Mastic: of tables, of partitions and of their storage descriptors.
//!
//! Values are text, as all of Glue's parameters are. Source of Glue's: "Parameters set on Data Catalog tables by
//! crawler" (AWS Glue developer guide). Those that begin with `mastic.` are Mastic's own.

/// The format of the files, by the name the classifier gave it: `parquet`, `csv`, `json`…
pub const CLASSIFICATION: &str = "classification";

/// How the files are compressed as a whole: `none`, `gzip`…; several, joined by commas, where they differ.
pub const COMPRESSION_TYPE: &str = "compressionType";

/// What the table stands for: `file`, `table` or `view`.
pub const TYPE_OF_DATA: &str = "typeOfData";

/// How many records there are. A crawl estimates it where it does not read all of a file.
pub const RECORD_COUNT: &str = "recordCount";

/// How many bytes a record has on average, in the files as they are stored.
pub const AVERAGE_RECORD_SIZE: &str = "averageRecordSize";

/// How many bytes the files have together, as they are stored.
pub const SIZE_KEY: &str = "sizeKey";

/// How many files there are.
pub const OBJECT_COUNT: &str = "objectCount";

/// CSV: the character between two fields.
pub const DELIMITER: &str = "delimiter";

/// CSV: `true` where the columns have the same order in all files.
pub const COLUMNS_ORDERED: &str = "columnsOrdered";

/// CSV: `true` where fields are in quotes.
pub const ARE_COLUMNS_QUOTED: &str = "areColumnsQuoted";

/// Text formats: how many lines at the beginning of each file are no records. Source: Hive
/// (`skip.header.line.count`).
pub const SKIP_HEADER: &str = "skip.header.line.count";

/// Text formats: how many lines at the end of each file are no records. Source: Hive (`skip.footer.line.count`).
pub const SKIP_FOOTER: &str = "skip.footer.line.count";

/// The crawler that wrote the table last. Whoever finds it missing knows that the table is no crawler's.
pub const UPDATED_BY_CRAWLER: &str = "UPDATED_BY_CRAWLER";

/// The version of the writer of schemas: `1.0` in all that Glue's crawlers write.
pub const CRAWLER_SCHEMA_SERIALIZER_VERSION: &str = "CrawlerSchemaSerializerVersion";

/// The version of the reader of schemas: `1.0` in all that Glue's crawlers write.
pub const CRAWLER_SCHEMA_DESERIALIZER_VERSION: &str = "CrawlerSchemaDeserializerVersion";

/// The globs of files that are none of the table's, as a JSON array.
pub const EXCLUSIONS: &str = "exclusions";

/// On a table whose files are gone, as a crawl has found (delete behaviour `DEPRECATE_IN_DATABASE`). What its value is
/// does not matter.
pub const DEPRECATED: &str = "DEPRECATED_BY_CRAWLER";

/// Globs for the names of the table's files, as a JSON array, where its folder holds other tables' files too.
/// Without it, all files below the location are the table's.
pub const INCLUDE: &str = "mastic.include";

/// Of a partition with several locations: the globs of each, as a JSON object by location. A location that is not
/// there has none.
pub const INCLUDE_BY_LOCATION: &str = "mastic.include_by_location";

/// Of a table: `true` where its crawler gives partitions no columns of their own.
pub const INHERIT: &str = "mastic.inherit_from_table";

/// A partition's folders beside its location, as a JSON array: several may stand for the same values (`k=a b` and
/// `k=a%20b`).
pub const MORE_LOCATIONS: &str = "mastic.more_locations";

/// What changes when the files do: a digest of their names, sizes and times.
pub const FINGERPRINT: &str = "mastic.fingerprint";

/// What the last crawl found the columns to be, as a JSON object of Hive types by name. A column that is there and not
/// among the table's was dropped by hand.
pub const INFERRED: &str = "mastic.inferred";

/// Of a column: its type as a dynamic frame reads it, where its values disagree in type: a Hive type with choices, such
/// as `choice<bigint,string>` or `struct<a:choice<bigint,string>>`.
pub const CHOICE: &str = "mastic.choice";
