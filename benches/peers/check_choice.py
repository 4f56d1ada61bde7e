"""check_choice.py DIR: counts and sums of what was written, as JSON."""
import json
import sys

import duckdb

names = ["rows", "values", "ids", "sum", "product"]
found = duckdb.execute(
    f"""select count(*), count(value), sum(id)::double, sum(value)::double, sum(id * value::double)
        from read_parquet('{sys.argv[1]}/**/*.parquet')"""
).fetchone()
kind = duckdb.execute(f"select typeof(value) from read_parquet('{sys.argv[1]}/**/*.parquet') limit 1").fetchone()[0]
print(json.dumps({"type": kind, "found": {"value": dict(zip(names, found))}}))
