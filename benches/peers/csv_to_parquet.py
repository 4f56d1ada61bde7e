"""csv_to_parquet.py CSV_DIR OUT_DIR: TPC-H's tables as Parquet, with TPC-H's types, written by Arrow C++."""
import pathlib
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

KEYS = ("_regionkey", "_nationkey", "_partkey", "_suppkey", "_custkey", "_orderkey")
MONEY = ("_acctbal", "_retailprice", "_supplycost", "_totalprice", "_extendedprice", "_discount", "_tax", "_quantity")
WHOLE = ("_size", "_availqty", "_shippriority", "_linenumber")


def kind(column):
    if column.endswith(KEYS):
        return pa.int64()
    if column.endswith(MONEY):
        return pa.decimal128(15, 2)
    if column.endswith(WHOLE):
        return pa.int32()
    if column.endswith("date"):
        return pa.date32()
    return pa.string()


source, target = map(pathlib.Path, sys.argv[1:])
for csv in sorted(source.glob("*/*.csv")):
    with open(csv) as f:
        names = f.readline().strip().split(",")
    options = pa.csv.ConvertOptions(column_types={n: kind(n) for n in names}, strings_can_be_null=False)
    folder = target / csv.parent.name
    folder.mkdir(parents=True)
    reader = pa.csv.open_csv(csv, convert_options=options)
    # Decimals as Spark, Trino, DuckDB and Rust's parquet write them; Arrow's default are bytes of a fixed length.
    written = {"compression": "snappy", "store_decimal_as_integer": True}
    with pa.parquet.ParquetWriter(folder / f"{csv.stem}.parquet", reader.schema, **written) as writer:
        group, rows = [], 0
        for batch in reader:
            group.append(batch)
            rows += batch.num_rows
            if rows >= 250_000:
                writer.write_table(pa.Table.from_batches(group), row_group_size=rows)
                group, rows = [], 0
        if group:
            writer.write_table(pa.Table.from_batches(group), row_group_size=rows)
print("{}")
