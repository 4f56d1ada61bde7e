use mastic_lake::format::CsvOptions;
pub(crate) fn same_dialect(a: &CsvOptions, b: &CsvOptions) -> bool {
    let plain = |o: &CsvOptions| CsvOptions { null_markers: Vec::new(), ..o.clone() };
    plain(a) == plain(b)
}
pub(crate) fn merge(a: &mut CsvOptions, b: &CsvOptions) {
    for m in &b.null_markers { if !a.null_markers.contains(m) { a.null_markers.push(m.clone()); } }
    a.null_markers.sort();
}
