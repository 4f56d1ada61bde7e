"""orders.json to four flat tables as Parquet with zstd, which refer to each other by numbers."""
import pathlib

from peer import arguments, duck, measured

args = arguments("json", "out")
out = pathlib.Path(args.out)


def work():
    con = duck(args)
    con.execute("set preserve_insertion_order = false")

    def write(table, select):
        (out / table).mkdir(parents=True)
        con.execute(f"copy ({select}) to '{out}/{table}/data.parquet' (format parquet, compression zstd)")

    # Text is read once, into a table in memory; from there each table is written. One read of the text for each table
    # takes longer: see benches/README.md.
    con.execute(
        f"""
        create temp table records as
        select row_number() over () as record, *
        from read_json('{args.json}', format = 'newline_delimited', columns = {{
            id: 'BIGINT', placed: 'TIMESTAMP', channel: 'VARCHAR',
            customer: 'STRUCT(id BIGINT, name VARCHAR, email VARCHAR,
                address STRUCT(street VARCHAR, city VARCHAR, country VARCHAR))',
            items: 'STRUCT(sku VARCHAR, title VARCHAR, quantity BIGINT, price DOUBLE,
                discounts STRUCT(code VARCHAR, "percent" BIGINT)[])[]',
            tags: 'VARCHAR[]'
        }})
        """
    )
    write(
        "orders",
        """
        select id, placed, channel, customer.id as "customer.id", customer.name as "customer.name",
            customer.email as "customer.email", customer.address.street as "customer.address.street",
            customer.address.city as "customer.address.city", customer.address.country as "customer.address.country",
            record as items, record as tags
        from records
        """,
    )
    # Unnested once for both tables that it makes.
    con.execute(
        """
        create temp table items as
        select row_number() over () as number, record, index, item
        from (select record, unnest(items) as item, generate_subscripts(items, 1) - 1 as index from records)
        """
    )
    write(
        "orders_items",
        """
        select record as id, index, item.sku as "items.val.sku", item.title as "items.val.title",
            item.quantity as "items.val.quantity", item.price as "items.val.price", number as "items.val.discounts"
        from items
        """,
    )
    write(
        "orders_items.val.discounts",
        """
        select number as id, index, discount.code as "items.val.discounts.val.code",
            discount.percent as "items.val.discounts.val.percent"
        from (
            select number, unnest(item.discounts) as discount, generate_subscripts(item.discounts, 1) - 1 as index
            from items
        )
        """,
    )
    write(
        "orders_tags",
        """
        select record as id, index, tag as "tags.val"
        from (select record, unnest(tags) as tag, generate_subscripts(tags, 1) - 1 as index from records)
        """,
    )


measured(args, work)
