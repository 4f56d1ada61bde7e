//! Orders as nested JSON lines: a customer with an address, three to eight items with up to three discounts each, tags.
//! The same scale is the same file. Beside it lies what a right answer must have, as the generator knows it.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{Outcome, random::Random, setting::Setting};

/// Orders at scale 1, which are about a gigabyte.
const ORDERS: f64 = 950_000.0;

/// The file of orders and the truth about it, made unless they are there.
pub(crate) fn json(setting: &Setting, scale: f64) -> Outcome<(PathBuf, Value)> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(format!("{scale} is no scale: 1 is about a gigabyte").into());
    }
    let orders = (ORDERS * scale).ceil() as u64;
    let dir = setting.data(&format!("orders-{scale}-json"), |dir| make(dir, orders))?;
    let truth = serde_json::from_slice(&fs::read(dir.join("truth.json"))?)?;
    Ok((dir.join("orders.json"), truth))
}

/// What is summed while orders are made. The products with an order's number are right only where each row of a
/// table leads to its order.
#[derive(Default)]
struct Truth {
    orders: u64,
    customers: u64,
    items: u64,
    quantity: u64,
    cents: u64,
    quantity_by_order: f64,
    discounts: u64,
    percent: u64,
    percent_by_order: f64,
    tags: u64,
    tags_by_order: f64,
}

fn make(dir: &Path, orders: u64) -> Outcome<()> {
    const TAGS: [&str; 6] = ["gift", "express", "fragile", "bulk", "return", "vip"];
    const CODES: [&str; 4] = ["SPRING", "LOYAL", "CLEAR", "STAFF"];
    const CITIES: [(&str, &str); 5] = [
        ("Utrecht", "NL"),
        ("Łódź", "PL"),
        ("São Paulo", "BR"),
        ("Osaka", "JP"),
        ("Leeds", "GB"),
    ];
    fs::create_dir_all(dir)?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(dir.join("orders.json"))?);
    let mut random = Random(11);
    let mut truth = Truth::default();
    let mut text = String::new();
    for id in 1..=orders {
        truth.orders += 1;
        let by_order = id as f64;
        text.clear();
        let customer = random.below(200_000);
        truth.customers += customer as u64;
        let (city, country) = CITIES[random.below(CITIES.len())];
        let (month, day) = (1 + random.below(12), 1 + random.below(28));
        let (hour, minute) = (random.below(24), random.below(60));
        write!(
            text,
            r#"{{"id": {id}, "placed": "2025-{month:02}-{day:02} {hour:02}:{minute:02}:00", "channel": "{}", "#,
            ["web", "store", "phone"][random.below(3)]
        )?;
        write!(
            text,
            r#""customer": {{"id": {customer}, "name": "Customer {customer:06}", "email": "c{customer}@example.org", "address": {{"street": "{} High Street", "city": "{city}", "country": "{country}"}}}}, "items": ["#,
            1 + random.below(900)
        )?;
        for item in 0..3 + random.below(6) {
            let (quantity, cents) = (1 + random.below(9) as u64, 99 + random.below(50_000) as u64);
            truth.items += 1;
            truth.quantity += quantity;
            truth.cents += cents;
            truth.quantity_by_order += by_order * quantity as f64;
            let comma = if item == 0 { "" } else { ", " };
            write!(
                text,
                r#"{comma}{{"sku": "SKU-{:05}", "title": "Article no. {}", "quantity": {quantity}, "price": {}.{:02}, "discounts": ["#,
                random.below(40_000),
                random.below(40_000),
                cents / 100,
                cents % 100
            )?;
            for discount in 0..random.below(4) {
                let percent = 5 * (1 + random.below(6) as u64);
                truth.discounts += 1;
                truth.percent += percent;
                truth.percent_by_order += by_order * percent as f64;
                let comma = if discount == 0 { "" } else { ", " };
                let code = CODES[random.below(CODES.len())];
                write!(text, r#"{comma}{{"code": "{code}", "percent": {percent}}}"#)?;
            }
            text.push_str("]}");
        }
        text.push_str(r#"], "tags": ["#);
        for tag in 0..random.below(4) {
            truth.tags += 1;
            truth.tags_by_order += by_order;
            let comma = if tag == 0 { "" } else { ", " };
            write!(text, r#"{comma}"{}""#, TAGS[random.below(TAGS.len())])?;
        }
        text.push_str("]}\n");
        out.write_all(text.as_bytes())?;
    }
    out.into_inner()?.sync_all()?;
    fs::write(dir.join("truth.json"), truth.json().to_string())?;
    Ok(())
}

impl Truth {
    fn json(&self) -> Value {
        json!({
            "orders": {"rows": self.orders, "customers": self.customers},
            "orders_items": {
                "rows": self.items,
                "quantity": self.quantity,
                "price": self.cents as f64 / 100.0,
                "quantity_by_order": self.quantity_by_order,
            },
            "orders_items.val.discounts": {
                "rows": self.discounts,
                "percent": self.percent,
                "percent_by_order": self.percent_by_order,
            },
            "orders_tags": {"rows": self.tags, "rows_by_order": self.tags_by_order},
        })
    }
}
