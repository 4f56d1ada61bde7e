#!/usr/bin/env python3
"""Writes the answers of DuckDB into the .slt files of this folder.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install duckdb==2.0.0 pytz
    /tmp/venv/bin/python complete.py

What lies below each `----` is DuckDB's answer, never Mastic's own: a difference is a mistake of one of the two.
Where the two write a query in different ways, DuckDB's stands in a comment `# duckdb: …` above it. Where DuckDB
lacks the function, the answer is from Trino's documentation, and a comment `# by hand: …` says so; this program
leaves it alone.
"""

import datetime as dt
import json
import pathlib
import re

import duckdb

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parent.parent / "samples" / "lake"
GOLDEN = HERE.parent / "lake"

db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute("CREATE SCHEMA demo; CREATE SCHEMA golden")
for table, source in {
    "demo.flights": f"read_csv('{SAMPLES}/flights/*/*/*.csv.gz', nullstr='NA', hive_partitioning=true, hive_types={{'year': 'INT', 'month': 'INT'}})",
    "demo.weather": f"read_json('{SAMPLES}/weather/*/*/*/*.json.gz')",
    "demo.airlines": f"read_json('{SAMPLES}/airlines/airlines.json')",
    "demo.airports": f"read_parquet('{SAMPLES}/airports/airports.parquet')",
    "demo.countries": f"read_json('{SAMPLES}/countries/countries.json', maximum_object_size=100000000)",
    "demo.movies": f"read_json('{SAMPLES}/movies/movies.json', columns={{'Title': 'JSON', 'US Gross': 'BIGINT'}})",
    "golden.orders": f"""(SELECT * REPLACE (nullif(region, '__HIVE_DEFAULT_PARTITION__') AS region) FROM read_csv(
        '{GOLDEN}/orders/*/*/*.csv', nullstr=['NA', ''], hive_partitioning=true, hive_types={{'year': 'INT', 'region': 'VARCHAR'}}, union_by_name=true,
        types={{'store': 'VARCHAR', 'amount': 'DOUBLE'}}))""",
    "golden.stores": f"read_csv('{GOLDEN}/stores/stores.csv', types={{'store': 'VARCHAR', 'opened': 'DATE'}})",
    "golden.events": f"""(SELECT *, split_part(filename, '/', -4)::INT AS year, split_part(filename, '/', -3)::INT AS month,
        split_part(filename, '/', -2)::INT AS day
        FROM read_json('{GOLDEN}/events/*/*/*/*.json', union_by_name=true, filename=true,
        columns={{'id': 'BIGINT', 'kind': 'VARCHAR', 'at': 'TIMESTAMPTZ', 'user': 'STRUCT(name VARCHAR, address STRUCT(city VARCHAR, zip VARCHAR))',
        'tags': 'VARCHAR[]', 'items': 'STRUCT(sku VARCHAR, n BIGINT)[]', 'ref': 'BIGINT'}}))""",
}.items():
    db.execute(f"CREATE TABLE {table} AS SELECT * FROM {source}")
# DuckDB does not read zip archives of CSV.
import csv, io, zipfile
with zipfile.ZipFile(SAMPLES / "planes" / "planes.csv.zip") as archive:
    text = archive.read(archive.namelist()[0]).decode()
path = pathlib.Path("/tmp/mastic-planes.csv")
path.write_text(text)
db.execute(f"CREATE TABLE demo.planes AS SELECT * FROM read_csv('{path}', nullstr='NA')")


def show(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dt.datetime,)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (list, dict)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{value:.1f}"
    return str(value) or "(empty)"


for file in sorted(HERE.glob("*.slt")):
    out, lines = [], file.read_text().splitlines()
    at = 0
    duck, by_hand = None, False
    while at < len(lines):
        line = lines[at]
        out.append(line)
        at += 1
        if line.startswith("# duckdb: "):
            duck = line.removeprefix("# duckdb: ")
        elif line.startswith("# by hand"):
            by_hand = True
        elif line.startswith("query "):
            if "error" in line:
                continue
            query = []
            while lines[at] != "----":
                query.append(lines[at])
                at += 1
            out += query + ["----"]
            at += 1
            old = []
            while at < len(lines) and lines[at]:
                old.append(lines[at])
                at += 1
            if by_hand:
                out += old
            else:
                for row in db.execute(duck or "\n".join(query)).fetchall():
                    out.append("\t".join(show(value) for value in row))
            duck, by_hand = None, False
    file.write_text("\n".join(out) + "\n")
