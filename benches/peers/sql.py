"""One query over DIR/TABLE/*.parquet, its answer written as CSV with a header."""
import pathlib

from peer import arguments, duck, measured

args = arguments("query", "dir", "out")
query = pathlib.Path(args.query).read_text()
tables = sorted(p for p in pathlib.Path(args.dir).iterdir() if p.is_dir())

if args.who == "duckdb":
    import duckdb  # noqa: F401

    def work():
        con = duck(args)
        for table in tables:
            con.execute(f"create view {table.name} as from read_parquet('{table}/*.parquet')")
        con.sql(query).write_csv(args.out, header=True)
else:
    import polars as pl

    def work():
        context = pl.SQLContext({t.name: pl.scan_parquet(f"{t}/*.parquet") for t in tables})
        context.execute(query).collect(engine="streaming").write_csv(args.out)


measured(args, work)
