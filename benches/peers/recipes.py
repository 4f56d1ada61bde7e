"""How Splink is asked, once for each kind of data: by its documentation's examples, without labels. What changes from file
to file of a kind is the columns' names and nothing else.

A recipe is a dictionary: `columns` (what each column is made of, in DuckDB's SQL, when the file is read: Splink asks for
values in one spelling), `settings`, `deterministic` rules with their `recall`, `training` rules and
how many pairs they are given at most (`training_pairs`; all if it is not there), `pairs` to estimate u from.
"""
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import block_on


def plain(column):
    """Lower case, no spaces around it, nothing instead of no text."""
    return f"nullif(trim(lower({column})), '')"


def words(column):
    """The same with single spaces for all that is neither letter nor digit."""
    return f"nullif(trim(regexp_replace(lower({column}), '[^\\w]+', ' ', 'g')), '')"


def febrl():
    """Persons of Australia, as in Splink's example of febrl3, and clustered as in its other examples."""
    names = ["given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state"]
    return dict(
        columns={name: plain(name) for name in [*names, "date_of_birth", "soc_sec_id"]},
        settings=dict(
            link_type="dedupe_only",
            blocking_rules_to_generate_predictions=[
                block_on("soc_sec_id"),
                block_on("given_name"),
                block_on("surname"),
                block_on("date_of_birth"),
                block_on("postcode"),
            ],
            comparisons=[
                cl.NameComparison("given_name"),
                cl.NameComparison("surname"),
                cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
                cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
                cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
                cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
            ],
        ),
        deterministic=[
            block_on("soc_sec_id"),
            block_on("given_name", "surname", "date_of_birth"),
            "l.given_name = r.surname and l.surname = r.given_name and l.date_of_birth = r.date_of_birth",
        ],
        recall=0.9,
        training=[block_on("date_of_birth"), block_on("postcode")],
        pairs=1e6,
    )


def persons():
    """Persons with an address, a telephone and an e-mail, after Splink's example of 50,000 historical persons.

    Its blocking rules by the beginnings of two columns alone are left out or have a third: with a million records they
    give hundreds of millions of pairs. Of the columns that follow from each other (street, city, postcode) one is compared, as
    the documentation advises; with all three F1 is lower by 0.03, and with that example's comparison of both names
    at once or with telephones that nearly agree it is lower again.
    """
    names = ["given_name", "surname", "date_of_birth", "city", "postcode", "email"]
    return dict(
        columns={name: plain(name) for name in names}
        | {"phone": "nullif(regexp_replace(phone, '[^0-9]+', '', 'g'), '')"},
        settings=dict(
            link_type="dedupe_only",
            blocking_rules_to_generate_predictions=[
                block_on("given_name", "surname"),
                block_on("surname", "date_of_birth"),
                block_on("given_name", "date_of_birth"),
                block_on("postcode", "given_name"),
                block_on("postcode", "surname"),
                block_on("date_of_birth", "city"),
                block_on("date_of_birth", "substr(postcode, 1, 3)"),
                block_on("phone"),
                block_on("email"),
                block_on("substr(given_name, 1, 2)", "substr(surname, 1, 2)", "substr(date_of_birth, 1, 4)"),
            ],
            comparisons=[
                cl.NameComparison("given_name"),
                cl.NameComparison("surname"),
                cl.DateOfBirthComparison("date_of_birth", input_is_string=True),
                cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
                cl.ExactMatch("phone"),
                cl.EmailComparison("email"),
            ],
        ),
        deterministic=[
            block_on("given_name", "surname", "date_of_birth"),
            block_on("date_of_birth", "postcode", "substr(given_name, 1, 1)"),
            block_on("email"),
        ],
        recall=0.8,
        training=[block_on("given_name", "surname"), block_on("date_of_birth")],
        pairs=1e7,
        # With all pairs, training takes a minute of a million records and the F1 is the same.
        training_pairs=1e6,
    )


def tokens(column):
    """The distinct words of a text that are longer than three letters or have a digit."""
    split = f"string_split({words(column)}, ' ')"
    return f"list_distinct(list_filter({split}, lambda w: length(w) > 3 or regexp_matches(w, '[0-9]')))"


def papers():
    """Papers of two libraries. No example of Splink's is of texts: blocks are whole values, beginnings and shared words,
    and texts are compared by the library's functions for strings."""
    return dict(
        columns={"title": words("title"), "title_words": tokens("title"), "authors": words("authors")}
        | {name: plain(name) for name in ["venue", "year"]},
        settings=dict(
            link_type="link_only",
            blocking_rules_to_generate_predictions=[
                block_on("title"),
                block_on("authors"),
                block_on("substr(authors, 1, 8)", "year"),
                block_on("title_words", "year", arrays_to_explode=["title_words"]),
            ],
            comparisons=[
                cl.JaroWinklerAtThresholds("title", [0.95, 0.88, 0.8]),
                cl.ArrayIntersectAtSizes("title_words", [6, 4, 2, 1]),
                cl.JaroWinklerAtThresholds("authors", [0.95, 0.88, 0.8]),
                cl.ExactMatch("venue").configure(term_frequency_adjustments=True),
                cl.ExactMatch("year"),
            ],
        ),
        deterministic=[block_on("title", "year"), block_on("authors", "year", "substr(title, 1, 10)")],
        recall=0.7,
        training=[block_on("title"), block_on("authors")],
        pairs=1e7,
    )


def products():
    """Products of two shops: as papers, and prices by their difference."""
    return dict(
        columns={
            "name": words("name"),
            "name_words": tokens("name"),
            "description": words("description"),
            "price": "try_cast(regexp_replace(price, '[^0-9.]+', '', 'g') as double)",
        },
        settings=dict(
            link_type="link_only",
            blocking_rules_to_generate_predictions=[
                block_on("name"),
                block_on("name_words", arrays_to_explode=["name_words"]),
            ],
            comparisons=[
                cl.JaroWinklerAtThresholds("name", [0.95, 0.88, 0.8]),
                cl.ArrayIntersectAtSizes("name_words", [6, 4, 3, 2, 1]),
                cl.JaroWinklerAtThresholds("description", [0.95, 0.88, 0.8]),
                cl.CustomComparison(
                    output_column_name="price",
                    comparison_levels=[
                        cll.NullLevel("price"),
                        cll.ExactMatchLevel("price"),
                        cll.PercentageDifferenceLevel("price", 0.1),
                        cll.PercentageDifferenceLevel("price", 0.3),
                        cll.ElseLevel(),
                    ],
                ),
            ],
        ),
        deterministic=[block_on("name"), block_on("substr(name, 1, 12)", "price")],
        recall=0.2,
        training=[block_on("substr(name, 1, 12)"), block_on("price")],
        pairs=1e7,
    )


def restaurants():
    """Restaurants of two guides, most of them with one or two columns filled."""
    return dict(
        columns={
            "name": words("name"),
            "phone": "nullif(regexp_replace(phone_number, '[^0-9]+', '', 'g'), '')",
            "street": words("street"),
        },
        settings=dict(
            link_type="link_only",
            blocking_rules_to_generate_predictions=[
                block_on("name"),
                block_on("phone"),
                block_on("street"),
                block_on("substr(name, 1, 4)"),
                block_on("substr(street, 1, 6)"),
            ],
            comparisons=[
                cl.NameComparison("name"),
                cl.LevenshteinAtThresholds("phone", [1, 2]),
                cl.JaroWinklerAtThresholds("street", [0.95, 0.88]),
            ],
        ),
        deterministic=[block_on("phone"), block_on("name", "street")],
        recall=0.7,
        training=[block_on("name"), block_on("phone")],
        pairs=1e7,
    )
