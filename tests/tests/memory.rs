//! Runs within a memory limit.

use std::fmt::Write as _;

use mastic_tests::Lake;

const SCRIPT: &str = "\
name: big
sources:
  orders: {path: lake/orders}
  customers: {path: lake/customers}
frames:
  joined:
    - from: orders
    - join: {with: customers, on: {customer: id}}
  sums:
    - sql: SELECT customer, name, count(*) AS n FROM joined GROUP BY customer, name
  sorted:
    - sql: SELECT * FROM joined ORDER BY note DESC
sinks:
  - {frame: joined, path: out/joined, partition_by: [day]}
  - {frame: sums, path: out/sums}
  - {frame: sorted, path: out/sorted}
";

/// Joins, groups, sorts and writes partitions; the source is read once for all three sinks. By construction each
/// order has its customer, and each customer five orders.
#[test]
fn a_run_completes_within_a_limit() {
    const ORDERS: usize = 200_000;
    let lake = Lake::new();
    let mut orders = String::from("id,customer,day,note\n");
    for id in 0..ORDERS {
        let (customer, day, mix) = (
            id * 7919 % (ORDERS / 5),
            id % 7,
            id * 2_654_435_761 % 4_294_967_296,
        );
        writeln!(
            orders,
            "{id},{customer},{day},a note of some length {mix:040x}"
        )
        .unwrap();
    }
    let mut customers = String::from("id,name\n");
    for id in 0..ORDERS / 5 {
        writeln!(customers, "{id},the customer with the number {id:020}").unwrap();
    }
    lake.file("lake/orders/o.csv", orders);
    lake.file("lake/customers/c.csv", customers);
    lake.file("s.yaml", SCRIPT);
    lake.ok(["run", "s.yaml", "--memory-limit", "24MB"]);
    lake.ok(["crawl", "out", "--database", "out"]);
    let query = "SELECT (SELECT count(*) FROM out.joined), (SELECT sum(n) FROM out.sums),
                 (SELECT count(*) FROM out.sums WHERE n = 5), (SELECT count(DISTINCT id) FROM out.sorted)";
    let counts = lake.ok(["sql", query, "-o", "csv"]);
    let last = counts.stdout.lines().last().unwrap_or_default();
    assert_eq!(last, "200000,200000,40000,200000");
}

#[test]
fn a_limit_is_a_size() {
    let lake = Lake::new();
    lake.file("s.yaml", SCRIPT);
    let wrong = lake.mastic(["run", "s.yaml", "--memory-limit", "much"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(wrong.stderr.contains("'much' is no size"), "{wrong}");
    lake.file("mastic.toml", "memory_limit = \"1MB\"\n");
    lake.fails(["run", "s.yaml"], "memory_limit: '1MB' is too little");
}
