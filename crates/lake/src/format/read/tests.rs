//! Files that are read with what is said of them. Expected values are those that the options' pages in Glue's
//! guide describe, written out by hand.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::Field;

use super::super::tests::{Lab, shown, types};
use super::*;
use crate::format::{Examined, Limits};

fn options(format: &str, options: &[(&str, &str)]) -> ReadOptions {
    ReadOptions::parse(Some(format), options.iter().copied()).unwrap()
}

fn told(format: Option<&str>, options: &[(&str, &str)]) -> String {
    let parsed = ReadOptions::parse(format, options.iter().copied());
    parsed.unwrap_err().to_string()
}

/// Examines with options; the types, and the rows as a table.
fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<(Vec<String>, String)> {
    let lab = Lab::new();
    let found: Examined = examine_with(&lab.file(name, bytes), &Limits::default(), options, false)?;
    let columns: Vec<Field> = found
        .inference
        .fields
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    let batches = lab.read(name, bytes, &found.format, columns)?;
    Ok((types(&found), shown(&batches)))
}

fn rows(table: &str) -> Vec<String> {
    table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(1)
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(str::trim).collect::<Vec<_>>().join("|")
        })
        .collect()
}

#[test]
fn names_and_values_are_checked_with_what_was_meant() {
    assert_eq!(
        told(Some("cvs"), &[]),
        "there is no format 'cvs'; did you mean 'csv'? there are csv, json, xml, parquet, avro, orc, grokLog"
    );
    assert_eq!(
        told(Some("json"), &[("jsonpath", "$")]),
        "json has no option 'jsonpath'; did you mean 'jsonPath'? there are exclusions, recurse, compressionType, groupFiles, groupSize, schema, multiLine, jsonPath"
    );
    // What is meant may be another name of an option.
    let near = told(Some("csv"), &[("delimeter", ";")]);
    assert!(
        near.starts_with("csv has no option 'delimeter'; did you mean 'delimiter'?"),
        "{near}"
    );
    assert_eq!(
        told(None, &[("rowTag", "a")]),
        "'rowTag' is an option of xml, and the source's format is not given; write format: xml"
    );
    assert_eq!(
        told(Some("parquet"), &[("schema", "a int")]),
        "'schema' is an option of csv and json and xml and grokLog, and this source is parquet"
    );
    for (format, name, value, says) in [
        ("csv", "separator", "||", "separator is one ASCII character"),
        ("csv", "withHeader", "maybe", "withHeader is true or false"),
        ("csv", "skip", "-1", "skip is a number of lines"),
        ("csv", "encoding", "latin-x", "which is no encoding"),
        ("csv", "schema", "a", "'a' has no type"),
        ("csv", "names", "a,,b", "names a column by nothing"),
        ("csv", "exclusions", "[a", "exclusions is a text or a list"),
        ("csv", "exclusions", "a[", "the exclude pattern 'a['"),
        ("csv", "compressionType", "gzp", "did you mean 'gzip'?"),
        (
            "csv",
            "groupFiles",
            "always",
            "groupFiles is one of none, inPartition",
        ),
        ("csv", "groupSize", "big", "groupSize is a number of bytes"),
        (
            "json",
            "jsonPath",
            "a b",
            "the JSON path 'a b' cannot be read",
        ),
        ("json", "multiLine", "2", "multiLine is true or false"),
        ("xml", "withSchema", "{}", "write it as schema:"),
        ("xml", "rowTag", "", "rowTag is empty"),
        ("xml", "attributePrefix", "", "attributePrefix is empty"),
        ("grokLog", "LineCount", "2", "LineCount can only be 1"),
        (
            "grokLog",
            "StrictMode",
            "maybe",
            "StrictMode is true or false",
        ),
        (
            "grokLog",
            "MISSING",
            "-",
            "give one, or a format that is known",
        ),
        (
            "grokLog",
            "logFormat",
            "%{NONE:x}",
            "logFormat cannot be used",
        ),
        ("avro", "version", "2", "version is one of 1.7, 1.8"),
    ] {
        let message = told(Some(format), &[(name, value)]);
        assert!(message.contains(says), "{name}={value}: {message}");
    }
    assert!(told(Some("csv"), &[("separator", "'"), ("quoteChar", "'")]).contains("the same"));
    assert!(
        told(
            Some("csv"),
            &[("skipFirst", "true"), ("withHeader", "true")]
        )
        .contains("skipFirst")
    );
    assert!(told(Some("csv"), &[("skipFirst", "true"), ("skip", "2")]).contains("give one"));
    // What changes nothing is taken.
    options(
        "csv",
        &[
            ("multiLine", "true"),
            ("groupFiles", "inPartition"),
            ("groupSize", "1048576"),
        ],
    );
    options("avro", &[("version", "1.8"), ("recurse", "true")]);
}

#[test]
fn a_dialect_that_is_given_wins() {
    // Told by itself, this is a table of three columns between commas.
    let text = b"a,b;c,d\n1,2;3,4\n5,6;7,8\n";
    let found = Lab::new().examine("x.csv", text).unwrap();
    assert_eq!(found.inference.fields.len(), 3);
    let (kinds, table) = read("x.csv", text, &options("csv", &[("separator", ";")])).unwrap();
    assert_eq!(kinds, ["a,b string", "c,d string"]);
    assert_eq!(rows(&table), ["1,2|3,4", "5,6|7,8"]);
    let one = options("csv", &[("separator", ";"), ("withHeader", "false")]);
    let (_, table) = read("x.csv", text, &one).unwrap();
    assert_eq!(rows(&table).len(), 3);
    // No quotes, and an escape.
    let text = b"a|b\n\"x|1\ny\\|z|2\n";
    let bare = options(
        "csv",
        &[
            ("delimiter", "|"),
            ("quote", "-1"),
            ("escape", "\\\\"),
            ("header", "true"),
        ],
    );
    let (kinds, table) = read("x.csv", text, &bare).unwrap();
    assert_eq!(kinds, ["a string", "b bigint"]);
    assert!(
        table.contains("| \"x") && table.contains("| y|z"),
        "{table}"
    );
}

#[test]
fn columns_are_named_with_and_without_a_header() {
    let expect = ["n bigint", "t string"];
    let named = |text: &[u8], more: &[(&str, &str)]| {
        let all = [&[("names", "[\"N\", \"t\"]")][..], more].concat();
        read("x.csv", text, &options("csv", &all)).unwrap()
    };
    for (text, more) in [
        (&b"1,a\n2,b\n"[..], &[][..]),
        (b"N,T\n1,a\n2,b\n", &[]),
        (b"id,name\n1,a\n2,b\n", &[("withHeader", "true")]),
        (b"1,a\n2,b\n", &[("withHeader", "false")]),
        (b"anything\n1,a\n2,b\n", &[("skipFirst", "true")]),
        (b"# x\n\n1,a\n2,b\n", &[("skip", "2")]),
    ] {
        let (kinds, table) = named(text, more);
        assert_eq!(kinds, expect, "{}", String::from_utf8_lossy(text));
        assert_eq!(rows(&table), ["1|a", "2|b"]);
    }
    let three = read(
        "x.csv",
        b"1,2,3\n4,5,6\n",
        &options("csv", &[("header", "[\"a\", \"b\"]")]),
    );
    let message = three.unwrap_err().to_string();
    assert!(
        message.contains("x.csv: it has 3 columns, and 2 are named"),
        "{message}"
    );
}

#[test]
fn a_schema_names_types_and_order() {
    let schema = ("schema", "b string, a decimal(5,2), c date");
    for text in [&b"a,b\n1,007\n2,008\n"[..], b"B,A\n007,1\n008,2\n"] {
        let given = options("csv", &[schema, ("withHeader", "true")]);
        let (kinds, table) = read("x.csv", text, &given).unwrap();
        assert_eq!(kinds, ["b string", "a decimal(5,2)", "c date"]);
        assert_eq!(rows(&table), ["007|1.00|", "008|2.00|"]);
    }
    // Without a header columns go by their place.
    let given = options("csv", &[schema, ("withHeader", "false")]);
    let (_, table) = read("x.csv", b"007,1,2024-01-31\n008,2,\n", &given).unwrap();
    assert_eq!(rows(&table), ["007|1.00|2024-01-31", "008|2.00|"]);
    let bad = read(
        "x.csv",
        b"a,b\nx,1\n",
        &options("csv", &[("schema", "a bigint, b int")]),
    );
    assert!(bad.unwrap_err().to_string().contains("line 2"));

    let (kinds, table) = read(
        "x.json",
        b"{\"a\":\"1\"}\n{\"a\":2,\"b\":[1]}\n",
        &options("json", &[("schema", "a string, b array<int>, z boolean")]),
    )
    .unwrap();
    assert_eq!(kinds, ["a string", "b array<int>", "z boolean"]);
    assert_eq!(rows(&table), ["1||", "2|[1]|"]);
}

#[test]
fn nulls_are_no_values_to_infer_from() {
    let text = b"a,b\n1,x\n-999,y\n?,-999\n";
    let given = options("csv", &[("nulls", "[\"-999\", \"?\"]")]);
    let (kinds, table) = read("x.csv", text, &given).unwrap();
    assert_eq!(kinds, ["a bigint", "b string"]);
    assert_eq!(rows(&table), ["1|x", "|y", "|"]);
}

#[test]
fn encodings_are_given() {
    // 0xE9 is é in Windows-1252 and щ in ISO-8859-5.
    let text = b"a;b\n\xe9;1\n";
    for (label, letter) in [("windows-1252", "é"), ("iso-8859-5", "щ")] {
        let given = options("csv", &[("encoding", label), ("header", "true")]);
        let (_, table) = read("x.csv", text, &given).unwrap();
        assert_eq!(rows(&table), [format!("{letter}|1")]);
        let (_, table) = read(
            "x.xml",
            b"<r><e><a>\xe9</a></e><e><a>x</a></e></r>",
            &options("xml", &[("encoding", label)]),
        )
        .unwrap();
        assert_eq!(rows(&table), [letter, "x"]);
    }
}

#[test]
fn json_is_read_where_a_path_leads() {
    let text = b"{\"meta\":{\"n\":2},\"data\":{\"rows\":[{\"a\":1},{\"a\":2}]}}";
    let given = options("json", &[("jsonPath", "$.data.rows[*]")]);
    let (kinds, table) = read("x.json", text, &given).unwrap();
    assert_eq!(kinds, ["a bigint"]);
    assert_eq!(rows(&table), ["1", "2"]);
    let nowhere = read(
        "x.json",
        text,
        &options("json", &[("jsonPath", "$.rows[*]")]),
    );
    let message = nowhere.unwrap_err().to_string();
    assert!(
        message.contains("jsonPath cannot be used: there is no record"),
        "{message}"
    );
}

const XML: &[u8] = b"<r><x n=\"1\">t<k> a </k><k>b</k></x><y id=\"7\"><v></v><w> 5 </w><u c=\"d\">NA</u></y><y id=\"8\"><v>q</v><w>6</w><u c=\"\">e</u></y></r>";

#[test]
fn xml_is_read_as_the_options_say() {
    let of = |more: &[(&str, &str)]| {
        let all = [&[("rowTag", "y")][..], more].concat();
        read("x.xml", XML, &options("xml", &all)).unwrap()
    };
    let (kinds, table) = of(&[]);
    assert_eq!(
        kinds,
        [
            "_id bigint",
            "v string",
            "w bigint",
            "u struct<_c:string,_VALUE:string>"
        ]
    );
    assert_eq!(
        rows(&table),
        ["7||5|{_c: d, _VALUE: NA}", "8|q|6|{_c: , _VALUE: e}"]
    );
    let (kinds, _) = of(&[("attributePrefix", "@"), ("valueTag", "text")]);
    assert_eq!(kinds[0], "@id bigint");
    assert_eq!(kinds[3], "u struct<@c:string,text:string>");
    let (kinds, table) = of(&[("excludeAttribute", "true"), ("nullValue", "NA")]);
    assert_eq!(kinds, ["v string", "w bigint", "u string"]);
    assert_eq!(rows(&table), ["|5|", "q|6|e"]);
    let (kinds, _) = of(&[("ignoreSurroundingSpaces", "false")]);
    assert_eq!(kinds[2], "w string");
    let lab = Lab::new();
    let kept = options(
        "xml",
        &[("rowTag", "y"), ("treatEmptyValuesAsNulls", "false")],
    );
    let found = examine_with(&lab.file("x.xml", XML), &Limits::default(), &kept, false).unwrap();
    let columns: Vec<Field> = found
        .inference
        .fields
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    let batches = lab.read("x.xml", XML, &found.format, columns).unwrap();
    assert_eq!(batches[0].column(1).null_count(), 0);
    let none = read("x.xml", XML, &options("xml", &[("rowTag", "z")]));
    let message = none.unwrap_err().to_string();
    assert!(
        message.contains("no element <z>, which rowTag asks for"),
        "{message}"
    );
    let (kinds, _) = of(&[("schema", "_id string, w double")]);
    assert_eq!(kinds, ["_id string", "w double"]);
}

#[test]
fn logs_are_read_by_their_pattern() {
    let given = options(
        "grokLog",
        &[
            ("logFormat", "%{LEVEL:level} %{NUMBER:n} %{NOTSPACE:who}"),
            ("customPatterns", "LEVEL [A-Z]+"),
            ("MISSING", "nil"),
        ],
    );
    let (kinds, table) = read("x.log", b"INFO 1 nil\nWARN 2 -\n", &given).unwrap();
    assert_eq!(kinds, ["level string", "n bigint", "who string"]);
    assert_eq!(rows(&table), ["INFO|1|", "WARN|2|-"]);
    let none = read("x.log", b"nothing like it\n", &given)
        .unwrap_err()
        .to_string();
    assert!(
        none.contains("logFormat matches none of its lines"),
        "{none}"
    );
}

#[test]
fn what_a_file_is_not_is_told() {
    let json = b"{\"a\":1}\n{\"a\":2}\n";
    let told = read("x.json", json, &options("xml", &[("rowTag", "a")]))
        .unwrap_err()
        .to_string();
    assert_eq!(told, "x.json: it is json, and xml was expected");
    let told = read("x.json", json, &options("parquet", &[]))
        .unwrap_err()
        .to_string();
    assert_eq!(told, "x.json: it is json, and parquet was expected");
    let told = read(
        "x.json",
        json,
        &options("json", &[("compressionType", "gz")]),
    )
    .unwrap_err();
    assert_eq!(
        told.to_string(),
        "x.json: its compression is none, and compressionType is gzip"
    );
    // A binary file is no CSV, whatever is said of it.
    let told = read("x", b"PAR1\0\0\0", &options("csv", &[("separator", ";")])).unwrap_err();
    assert!(!told.to_string().is_empty());
}

#[test]
fn exclusions_may_be_relative_or_whole() {
    let given = options(
        "csv",
        &[("exclusions", "[\"s3://b/p/**.pdf\", \"tmp/**\"]")],
    );
    let excluded = given.exclusions("s3://b/p").unwrap();
    for (key, out) in [
        ("a/b.pdf", true),
        ("x.pdf", true),
        ("tmp/a.csv", true),
        ("a/b.csv", false),
    ] {
        assert_eq!(excluded.excludes(key), out, "{key}");
    }
    assert!(given.recurses());
    assert!(!options("csv", &[("recurse", "false")]).recurses());
}
