"""Splink, run by a recipe: reading, training, scoring and clustering."""
import logging

from splink import DuckDBAPI, Linker, SettingsCreator

logging.getLogger("splink").setLevel(logging.ERROR)


def read(con, table, path, columns):
    """A CSV file as a table with a number for each row, from 0 in the file's order, which Splink needs."""
    con.execute("set preserve_insertion_order = true")
    select = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    con.execute(
        f"""
        create table {table} as
        select row_number() over () - 1 as unique_id, {select}
        from read_csv(?, header = true, delim = ',', quote = '"', all_varchar = true)
        """,
        [path],
    )


def linker(con, recipe, paths):
    """A trained model over one file or two."""
    api = DuckDBAPI(connection=con)
    tables = ["lhs", "rhs"][: len(paths)]
    for table, path in zip(tables, paths):
        read(con, f"{table}_rows", path, recipe["columns"])
    frames = [api.register(con.table(f"{table}_rows"), dataset_display_name=table) for table in tables]
    settings = SettingsCreator(
        **recipe["settings"], retain_matching_columns=False, retain_intermediate_calculation_columns=False
    )
    model = Linker(frames if len(frames) > 1 else frames[0], settings)
    train = model.training
    train.estimate_probability_two_random_records_match(recipe["deterministic"], recall=recipe["recall"])
    train.estimate_u_using_random_sampling(max_pairs=recipe["pairs"], seed=1)
    for rule in recipe["training"]:
        train.estimate_parameters_using_expectation_maximisation(
            rule, estimate_without_term_frequencies=True, max_pairs=recipe.get("training_pairs")
        )
    return model
