"""check_etl.py CSV DIR: what lies in DIR, partition by partition, and what should, as JSON."""
import json
import pathlib
import sys

import duckdb

csv, out = sys.argv[1], pathlib.Path(sys.argv[2])
con = duckdb.connect()


def partitions(source, revenue, columns):
    rows = con.execute(
        f"select l_shipmode, count(*), sum({revenue})::double, sum(l_quantity)::double from {source} group by 1 order by 1"
    ).fetchall()
    return {r[0]: {"rows": r[1], "revenue": r[2], "quantity": r[3], "columns": columns} for r in rows}


files = [f for f in out.rglob("*.parquet") if not any(p[0] in "._" for p in f.relative_to(out).parts)]
try:
    parquet = f"read_parquet('{out}/l_shipmode=*/*.parquet', hive_partitioning = true, hive_types = {{l_shipmode: varchar}})"
    columns = len(con.execute(f"describe select * from {parquet}").fetchall())
    found = partitions(parquet, "revenue", columns)
except duckdb.Error as e:
    found = str(e)
expected = partitions(
    f"(from read_csv('{csv}') where l_shipdate >= date '1995-01-01')", "l_extendedprice * (1 - l_discount)", 17
)
print(json.dumps({"files": len(files), "bytes": sum(f.stat().st_size for f in files), "found": found, "expected": expected}))
