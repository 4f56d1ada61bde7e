"""check_relationalize.py DIR: what lies in DIR/TABLE, table by table, led back to the orders by the keys, as JSON."""
import json
import pathlib
import sys

import duckdb

out = pathlib.Path(sys.argv[1])
con = duckdb.connect()
TABLES = ["orders", "orders_items", "orders_items.val.discounts", "orders_tags"]


def numbers(sql):
    cursor = con.execute(sql)
    return dict(zip([c[0] for c in cursor.description], [float(v) if v is not None else None for v in cursor.fetchone()]))


files = [f for f in out.rglob("*.parquet") if not any(p[0] in "._" for p in f.relative_to(out).parts)]
columns = {}
try:
    for table in TABLES:
        own = [str(f) for f in files if f.relative_to(out).parts[0] == table]
        con.execute(f"""create view "{table}" as from read_parquet({own})""")
        columns[table] = [[c[0], c[1]] for c in con.execute(f"""describe "{table}" """).fetchall()]
        if table == "orders":
            # Numbers of arrays may be those of their records or their own: they lead back all the same.
            con.execute("""create temp table o as select id, items, tags from orders""")
    found = {
        "orders": numbers("""select count(*) as rows, sum("customer.id") as customers from orders"""),
        "orders_items": numbers(
            """select count(*) as rows, sum("items.val.quantity") as quantity, sum("items.val.price") as price,
               sum(o.id * "items.val.quantity"::double) as quantity_by_order
               from orders_items i join o on i.id = o.items"""
        ),
        "orders_items.val.discounts": numbers(
            """select count(*) as rows, sum("items.val.discounts.val.percent") as percent,
               sum(o.id * "items.val.discounts.val.percent"::double) as percent_by_order
               from "orders_items.val.discounts" d join orders_items i on d.id = i."items.val.discounts"
               join o on i.id = o.items"""
        ),
        "orders_tags": numbers(
            "select count(*) as rows, sum(o.id)::double as rows_by_order from orders_tags t join o on t.id = o.tags"
        ),
    }
except duckdb.Error as e:
    found = str(e)
print(
    json.dumps({"files": len(files), "bytes": sum(f.stat().st_size for f in files), "found": found, "columns": columns})
)
