//! What crawls remember of objects: a cache by scope and item.

use std::collections::BTreeMap;

use super::driver::{Arg, Pool, Tx, args};
use crate::error::{CatalogError, Result};

/// How long scope and item may be, in bytes: together what PostgreSQL takes in an index (2,704 with its own).
const MAX_SCOPE: usize = 1_000;
const MAX_ITEM: usize = 1_600;
/// Items in one statement.
const ITEMS_PER_LIST: usize = 5_000;

/// A scope that can be one.
fn check(scope: &str) -> Result<()> {
    let reason = if scope.len() > MAX_SCOPE {
        "it has more than 1,000 bytes"
    } else if scope.contains('\0') {
        "it contains a NUL character"
    } else {
        return Ok(());
    };
    Err(CatalogError::InvalidName {
        what: "scope",
        name: scope.to_owned(),
        reason,
    })
}

/// Whether an item can be remembered: a cache may leave out what its keys do not hold.
fn fits(item: &str) -> bool {
    item.len() <= MAX_ITEM && !item.contains('\0')
}

pub(super) async fn remember(
    pool: &Pool,
    scope: &str,
    items: Vec<(String, Vec<u8>)>,
) -> Result<()> {
    check(scope)?;
    // Each once, the last one counts; and in one order, so that two writers do not wait for each other in a circle.
    let items: BTreeMap<String, Vec<u8>> =
        items.into_iter().filter(|(item, _)| fits(item)).collect();
    if items.is_empty() {
        return Ok(());
    }
    let mut tx = pool.begin_write().await?;
    let per_statement = tx.dialect().rows_per_insert() * 4;
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        let mut args = args![scope];
        let mut rows = String::new();
        for (item, value) in items.by_ref().take(per_statement) {
            let at = args.len();
            let comma = if at == 1 { "" } else { ", " };
            rows.push_str(&format!("{comma}($1, ${}, ${})", at + 1, at + 2));
            args.push(Arg::from(item));
            args.push(Arg::Bytes(value));
        }
        let sql = format!(
            "INSERT INTO crawl_memory (scope, item, value) VALUES {rows}
             ON CONFLICT (scope, item) DO UPDATE SET value = excluded.value
             WHERE crawl_memory.value <> excluded.value"
        );
        tx.execute("remember what was crawled", sql, args).await?;
    }
    tx.commit().await
}

pub(super) async fn forget(pool: &Pool, scope: &str, items: &[String]) -> Result<()> {
    check(scope)?;
    let mut tx = pool.begin_write().await?;
    for list in lists(items) {
        let sql = format!(
            "DELETE FROM crawl_memory WHERE scope = $1 AND {}",
            tx.dialect().in_list("item", "$2")
        );
        tx.execute("forget what was crawled", sql, args![scope, list])
            .await?;
    }
    tx.commit().await
}

pub(super) async fn forget_all(pool: &Pool, scope: &str) -> Result<()> {
    check(scope)?;
    let mut tx = pool.begin_write().await?;
    let delete = "DELETE FROM crawl_memory WHERE scope = $1";
    tx.execute("forget what was crawled", delete, args![scope])
        .await?;
    tx.commit().await
}

pub(super) async fn recall(
    tx: &mut Tx,
    scope: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Vec<u8>)>> {
    check(scope)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No item has a NUL: what is after one that does is what is after its beginning.
    let (beyond, after) = match after {
        Some(after) => (">", after.split('\0').next().unwrap_or_default()),
        None => (">=", ""),
    };
    // Not `scope = $1 AND item > $3`: PostgreSQL, which does not know how many items a scope has, would read all that
    // follow and sort them, for each page. So put, the order is the index's, and it stops at the limit.
    let sql = format!(
        "SELECT item, value FROM crawl_memory
         WHERE (scope, item) {beyond} ($1, $3) AND scope <= $1
         ORDER BY scope, item LIMIT $2"
    );
    tx.rows(
        "recall what was crawled",
        sql,
        args![scope, limit, after],
        |row| Ok((row.text(0)?, row.bytes(1)?)),
    )
    .await
}

pub(super) async fn recall_last(
    tx: &mut Tx,
    scope: &str,
    up_to: &str,
) -> Result<Option<(String, Vec<u8>)>> {
    check(scope)?;
    let up_to = up_to.split('\0').next().unwrap_or_default();
    tx.row(
        "recall what was crawled",
        "SELECT item, value FROM crawl_memory
         WHERE (scope, item) <= ($1, $2) AND scope >= $1
         ORDER BY scope DESC, item DESC LIMIT 1",
        args![scope, up_to],
        |row| Ok((row.text(0)?, row.bytes(1)?)),
    )
    .await
}

pub(super) async fn recall_items(
    tx: &mut Tx,
    scope: &str,
    items: &[String],
) -> Result<Vec<(String, Vec<u8>)>> {
    check(scope)?;
    let mut found = Vec::new();
    for list in lists(items) {
        let sql =
            tx.dialect()
                .select_by_list("item, value", "crawl_memory", "scope = $1", "item", "$2");
        let some = tx
            .rows("recall what was crawled", sql, args![scope, list], |row| {
                Ok((row.text(0)?, row.bytes(1)?))
            })
            .await?;
        found.extend(some);
    }
    // Those asked for twice, in two lists, come twice.
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The scopes, each looked up after the one before: it costs nothing how many items they have.
pub(super) async fn scopes(tx: &mut Tx) -> Result<Vec<String>> {
    let action = "list what was crawled";
    let mut scopes: Vec<String> = Vec::new();
    loop {
        let next = match scopes.last() {
            None => {
                tx.row(
                    action,
                    "SELECT MIN(scope) FROM crawl_memory",
                    vec![],
                    |row| Ok(row.optional_text(0)?),
                )
                .await?
            }
            Some(last) => {
                tx.row(
                    action,
                    "SELECT MIN(scope) FROM crawl_memory WHERE scope > $1",
                    args![last.as_str()],
                    |row| Ok(row.optional_text(0)?),
                )
                .await?
            }
        };
        match next.flatten() {
            Some(next) => scopes.push(next),
            None => return Ok(scopes),
        }
    }
}

/// The items in lists for one statement each, without those that cannot be there.
fn lists(items: &[String]) -> impl Iterator<Item = Vec<String>> {
    items.chunks(ITEMS_PER_LIST).map(|chunk| {
        let mut list: Vec<String> = chunk.iter().filter(|item| fits(item)).cloned().collect();
        // In the order in which the index has them, and every writer takes them.
        list.sort_unstable();
        list.dedup();
        list
    })
}
