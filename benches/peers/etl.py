"""lineitem.csv to Parquet with zstd, partitioned by l_shipmode: shipped since 1995, with a derived revenue."""
import pathlib

from peer import arguments, duck, measured

args = arguments("csv", "out")

if args.who == "duckdb":
    import duckdb  # noqa: F401

    def work():
        con = duck(args)
        con.execute(
            f"""
            copy (
              select *, l_extendedprice * (1 - l_discount) as revenue
              from read_csv('{args.csv}')
              where l_shipdate >= date '1995-01-01'
            ) to '{args.out}' (format parquet, compression zstd, partition_by (l_shipmode))
            """
        )
else:
    import datetime

    import polars as pl

    def work():
        pathlib.Path(args.out).mkdir()
        (
            pl.scan_csv(args.csv, try_parse_dates=True)
            .filter(pl.col("l_shipdate") >= datetime.date(1995, 1, 1))
            .with_columns(revenue=pl.col("l_extendedprice") * (1 - pl.col("l_discount")))
            .sink_parquet(
                pl.PartitionBy(args.out, key="l_shipmode", include_key=False), compression="zstd", mkdir=True
            )
        )


measured(args, work)
