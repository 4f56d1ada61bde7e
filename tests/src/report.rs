//! What a crawl reports for programs.

use serde_json::Value;

use crate::{Lake, Output};

/// The report of `crawl --output json`.
pub struct Report {
    /// The report.
    pub json: Value,
    /// All that the command said.
    pub output: Output,
}

impl Report {
    /// The report in what a command said.
    #[track_caller]
    pub fn of(output: Output) -> Self {
        assert_eq!(output.code, 0, "{output}");
        let json =
            serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e} in\n{output}"));
        Report { json, output }
    }

    /// A number of the report.
    #[track_caller]
    pub fn number(&self, name: &str) -> u64 {
        let number = self.json[name].as_u64();
        number.unwrap_or_else(|| panic!("no number '{name}' in\n{}", self.output))
    }

    /// How many files there are, were opened, and were as before.
    #[track_caller]
    pub fn files(&self) -> (u64, u64, u64) {
        (
            self.number("files"),
            self.number("opened"),
            self.number("unchanged"),
        )
    }

    /// The names of its tables, each with what became of it.
    pub fn outcomes(&self) -> Vec<String> {
        let tables = self.json["tables"].as_array().unwrap();
        tables
            .iter()
            .map(|t| {
                format!(
                    "{} {}",
                    t["name"].as_str().unwrap(),
                    t["outcome"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// What it says of a table.
    #[track_caller]
    pub fn table(&self, name: &str) -> &Value {
        let tables = self.json["tables"].as_array().unwrap();
        let table = tables.iter().find(|t| t["name"] == name);
        table.unwrap_or_else(|| panic!("no table {name} in\n{}", self.output))
    }

    /// A list of a table's report, such as `why` and `changes`, a line each.
    #[track_caller]
    pub fn lines(&self, table: &str, what: &str) -> String {
        lines(&self.table(table)[what])
    }

    /// Why files were skipped, a line each.
    pub fn problems(&self) -> Vec<String> {
        let all = self.json["problems"].as_array().unwrap();
        all.iter()
            .map(|p| p["reason"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Its notes, a line each.
    pub fn notes(&self) -> String {
        lines(&self.json["notes"])
    }
}

fn lines(list: &Value) -> String {
    let all = list.as_array().unwrap().iter();
    all.map(|l| l.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

impl Lake {
    /// Crawls into the database `t`, with these arguments.
    #[track_caller]
    pub fn report<const N: usize>(&self, args: [&str; N]) -> Report {
        let args = ["crawl", "-d", "t", "-o", "json"].into_iter().chain(args);
        Report::of(self.mastic(args))
    }

    /// Changes a table by hand, as with Glue's API: through an export and an import.
    #[track_caller]
    pub fn edit(&self, table: &str, change: impl FnOnce(&mut Value)) {
        let mut all: Value = serde_json::from_str(&self.catalog()).unwrap();
        let databases = all["Databases"].as_array_mut().unwrap();
        let tables = databases
            .iter_mut()
            .flat_map(|d| d["Tables"].as_array_mut().unwrap());
        let mut all: Vec<&mut Value> = tables.collect();
        let found = all
            .iter_mut()
            .find(|t| {
                format!(
                    "{}.{}",
                    t["Table"]["DatabaseName"].as_str().unwrap(),
                    t["Table"]["Name"].as_str().unwrap()
                ) == table
            })
            .unwrap_or_else(|| panic!("no table {table}"));
        change(&mut found["Table"]);
        let text = serde_json::json!({ "Table": found["Table"] }).to_string();
        let output = self.mastic_fed(["catalog", "import", "-"], text.as_bytes());
        assert_eq!(output.code, 0, "{output}");
    }

    /// All of a database but times and version numbers, to be compared with what another way led to.
    #[track_caller]
    pub fn content(&self, catalog: &str) -> String {
        let text = self.ok(["catalog", "export", "--catalog", catalog]).stdout;
        let kept = text.lines().filter(|line| {
            let name = line.trim_start();
            ![
                "\"CreateTime\"",
                "\"UpdateTime\"",
                "\"CreationTime\"",
                "\"VersionId\"",
            ]
            .iter()
            .any(|n| name.starts_with(n))
        });
        kept.collect::<Vec<_>>().join("\n")
    }
}
