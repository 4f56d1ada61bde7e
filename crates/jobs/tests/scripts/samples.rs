//! The sample scripts, over tables like those that a crawl of the samples finds.

use std::path::Path;

use mastic_jobs::{Script, Source, explain, plan};

use crate::support::Memory;

fn read(name: &str) -> Script {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/scripts");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    Script::parse(&Source::new(name, text), &[]).unwrap_or_else(|e| panic!("{}", e.render()))
}

#[tokio::test]
async fn every_sample_plans() {
    for name in ["flights_enriched", "delays_by_carrier", "countries_flat"] {
        let script = read(&format!("{name}.yaml"));
        let plan = plan(&script, &Memory::new())
            .await
            .unwrap_or_else(|e| panic!("{}", e.render()));
        let mut drawn = explain(&script, Some(&plan));
        for sink in &plan.sinks {
            drawn.push_str(&format!(
                "\n{}\n{}",
                sink.def.path,
                sink.frame.pretty_schema()
            ));
            let rows = sink.frame.clone().into_dataframe().count().await.unwrap();
            drawn.push_str(&format!("{rows} rows\n"));
        }
        insta::assert_snapshot!(name, drawn);
    }
}
