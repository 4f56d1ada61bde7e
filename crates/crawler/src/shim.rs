use mastic_lake::format::CsvOptions;
#[derive(Debug, Clone)]
pub enum Classifier {}
pub(crate) fn same_dialect(a: &CsvOptions, b: &CsvOptions) -> bool {
    let plain = |o: &CsvOptions| CsvOptions { null_markers: Vec::new(), ..o.clone() };
    plain(a) == plain(b)
}
pub(crate) fn merge(a: &mut CsvOptions, b: &CsvOptions) {
    for m in &b.null_markers { if !a.null_markers.contains(m) { a.null_markers.push(m.clone()); } }
    a.null_markers.sort();
}
use mastic_catalog::CatalogStore;
#[async_trait::async_trait]
pub(crate) trait Remember {
    async fn recall(&self, _: &str, _: Option<&str>, _: usize) -> crate::Result<Vec<(String, Vec<u8>)>> { Ok(vec![]) }
    async fn remember(&self, _: &str, _: Vec<(String, Vec<u8>)>) -> crate::Result<()> { Ok(()) }
    async fn forget(&self, _: &str, _: &[String]) -> crate::Result<()> { Ok(()) }
    async fn forget_all(&self, _: &str) -> crate::Result<()> { Ok(()) }
    async fn list_scopes(&self) -> crate::Result<Vec<String>> { Ok(vec![]) }
}
impl Remember for dyn CatalogStore + '_ {}
pub(crate) mod history {
    use super::*;
    pub(crate) async fn start(_: &dyn CatalogStore, _: &crate::CrawlOptions, _: &[crate::survey::Root]) -> crate::Result<Option<i64>> { Ok(None) }
    pub(crate) async fn finish(_: &dyn CatalogStore, _: &crate::CrawlReport, _: Option<&crate::CrawlError>) -> crate::Result<()> { Ok(()) }
}
