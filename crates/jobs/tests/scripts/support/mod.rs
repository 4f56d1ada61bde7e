//! Tables in memory, as a script's sources.

use async_trait::async_trait;
use datafusion::prelude::{DataFrame, SessionContext};
use mastic_jobs::{Script, ScriptErrors, Source, SourceError, Sources};
use mastic_query::frame::{FrameOptions, FrameSource};

pub struct Memory {
    context: SessionContext,
}

const TABLES: &[(&str, &str)] = &[
    (
        "nyc.flights",
        "SELECT * FROM (VALUES
            (1, 'UA', 'N1', 'EWR', 2013, 1, 30, 700, 100.0),
            (2, 'AA', 'N2', 'JFK', 2013, 1, NULL, 900, 120.0),
            (3, 'UA', NULL, 'JFK', 2013, 2, -5, 300, NULL))
         AS f(flight, carrier, tailnum, origin, year, month, dep_delay, distance, air_time)",
    ),
    (
        "nyc.planes",
        "SELECT * FROM (VALUES ('N1', 1999, 'Fixed wing', 100), ('N2', 2004, 'Rotorcraft', 90))
         AS p(tailnum, year, type, speed)",
    ),
    (
        "nyc.airlines",
        "SELECT * FROM (VALUES ('UA', 'United'), ('AA', 'American')) AS a(code, name)",
    ),
    (
        "geo.countries",
        "SELECT named_struct('common', 'Aruba', 'official', 'Aruba') AS name, 'ABW' AS cca3,
                'Americas' AS region, [12.5, -69.9] AS latlng",
    ),
    // The samples' tables, as a crawl finds them, with a record or two of each.
    (
        "demo.flights",
        "SELECT day, dep_time, dep_delay, arr_delay, carrier, flight, tailnum, origin, dest, air_time,
                distance, hour, arrow_cast(time_hour, 'Timestamp(Microsecond, None)') AS time_hour,
                arrow_cast(year, 'Int32') AS year, arrow_cast(month, 'Int32') AS month
         FROM (VALUES
            (1, 517, 2, 11, 'UA', 1545, 'N14228', 'EWR', 'IAH', 227, 1400, 5, '2013-01-01T10:00:00', 2013, 1),
            (1, 533, 4, 20, 'UA', 1714, 'N00000', 'LGA', 'IAH', 227, 1416, 5, '2013-01-01T10:00:00', 2013, 2),
            (1, NULL, NULL, NULL, 'UA', 1, NULL, 'LGA', 'IAH', NULL, 1416, 6, '2013-01-01T11:00:00', 2013, 1))
         AS f(day, dep_time, dep_delay, arr_delay, carrier, flight, tailnum, origin, dest, air_time,
              distance, hour, time_hour, year, month)",
    ),
    (
        "demo.planes",
        "SELECT 'N14228' AS tailnum, 1999 AS year, 'Fixed wing' AS type, 'BOEING' AS manufacturer,
                '737-824' AS model, 2 AS engines, 149 AS seats, NULL AS speed, 'Turbo-fan' AS engine",
    ),
    ("demo.airlines", "SELECT 'UA' AS carrier, 'United Air Lines Inc.' AS name"),
    (
        "demo.weather",
        "SELECT 'EWR' AS origin, 2013 AS year, 1 AS month, 1 AS day, 5 AS hour, 39.02 AS temp,
                12.65 AS wind_speed, CAST(NULL AS double) AS wind_gust, 0.0 AS precip, 10.0 AS visib,
                arrow_cast('2013-01-01T10:00:00', 'Timestamp(Microsecond, None)') AS time_hour",
    ),
    (
        "demo.countries",
        "SELECT named_struct('common', 'Aruba', 'official', 'Aruba') AS name, 'AW' AS cca2, 'ABW' AS cca3,
                'Americas' AS region, 'Caribbean' AS subregion, ['Oranjestad'] AS capital,
                [12.5, -69.96] AS latlng, 180.0 AS area, false AS landlocked,
                arrow_cast([], 'List(Utf8)') AS borders",
    ),
];

impl Memory {
    pub fn new() -> Self {
        Self {
            context: SessionContext::new(),
        }
    }

    async fn table(&self, name: &str) -> Result<DataFrame, SourceError> {
        if name == "odd.mixed" {
            return mixed(&self.context);
        }
        let known = TABLES.iter().find(|(known, _)| *known == name);
        let Some((_, sql)) = known else {
            let names = TABLES.iter().map(|(known, _)| *known);
            return Err(SourceError::new(format!("there is no table '{name}'"))
                .meant(mastic_schema::names::closest(name, names)));
        };
        self.context
            .sql(sql)
            .await
            .map_err(|e| SourceError::new(e.to_string()))
    }
}

#[async_trait]
impl Sources for Memory {
    async fn open(&self, source: &FrameSource, _: &FrameOptions) -> Result<DataFrame, SourceError> {
        match source {
            FrameSource::Table(name) => self.table(name).await,
            FrameSource::Path { path, .. } if path.contains("missing") => {
                Err(SourceError::new(format!("there is nothing at '{path}'")))
            }
            FrameSource::Path { .. } => self.table("nyc.airlines").await,
        }
    }

    fn context(&self) -> &SessionContext {
        &self.context
    }
}

/// A table whose columns disagree in type: the alternatives of a choice are named in its JSON.
fn mixed(context: &SessionContext) -> Result<DataFrame, SourceError> {
    use datafusion::arrow::datatypes::{DataType, Schema};
    let DataType::Struct(fields) = mastic_schema::hive::parse_type(
        "struct<id:bigint,c:choice<bigint,string>,tags:array<struct<k:string,v:choice<double,string>>>>",
    )
    .unwrap() else {
        panic!()
    };
    let lines = r#"{"id": 1, "c": {"long": 7}, "tags": [{"k": "a", "v": {"double": 1}}, {"k": "b"}]}
                   {"id": 2, "c": {"string": "n/a"}, "tags": [{"v": {"string": "x"}}]}
                   {"id": 3}"#;
    let reader =
        datafusion::arrow::json::ReaderBuilder::new(std::sync::Arc::new(Schema::new(fields)))
            .build(lines.as_bytes())
            .unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    context
        .read_batches(batches)
        .map_err(|e| SourceError::new(e.to_string()))
}

pub fn parse(text: &str, given: &[(&str, &str)]) -> Result<Script, ScriptErrors> {
    let given: Vec<(String, String)> = given
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    Script::parse(&Source::new("job.yaml", text), &given)
}
