"""Clusters of a labelled set by the recipe for its kind, at several thresholds, and the pairs that were compared.

RECIPE LEFT RIGHT OUT: RIGHT is `-` where one table is de-duplicated. OUT gets `pairs.csv` and `clusters-THRESHOLD.csv`.
"""
from peer import arguments, duck, measured

import recipes
from splinking import linker

args = arguments("recipe", "left", "right", "out")
link = args.right != "-"
# Those of Splink's examples, and an even chance.
thresholds = [0.5, 0.9, 0.95]


def work():
    con = duck(args)
    recipe = getattr(recipes, args.recipe)()
    model = linker(con, recipe, [args.left, args.right] if link else [args.left])
    pairs = model.inference.predict()
    # The second table's rows are counted on from the first one's.
    rows = con.execute("select count(*) from lhs_rows").fetchall()[0][0] if link else 0
    con.execute(
        f"""
        copy (select unique_id_l as left_row, unique_id_r + {rows} as right_row from {pairs.physical_name})
        to '{args.out}/pairs.csv' (header)
        """
    )
    for threshold in thresholds:
        if link:
            clusters = model.clustering.cluster_using_single_best_links(
                pairs, duplicate_free_datasets=["lhs", "rhs"], threshold_match_probability=threshold
            )
        else:
            clusters = model.clustering.cluster_pairwise_predictions_at_threshold(
                pairs, threshold_match_probability=threshold
            )
        source = "(source_dataset = 'rhs')::int" if link else "0"
        con.execute(
            f"""
            copy (select {source} as source, unique_id as row, cluster_id as cluster from {clusters.physical_name})
            to '{args.out}/clusters-{threshold}.csv' (header)
            """
        )


measured(args, work)
