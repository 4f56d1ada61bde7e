//! IP addresses, which are text here. Semantics: <https://trino.io/docs/current/functions/ipaddress.html>.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;
use ipnet::IpNet;

use crate::args::Call;
use crate::function::{Function, Kind, Params};
use crate::trino::rows::{boolean, booleans, texts, varchar};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Kinds(&[Kind::Text], 1);
    let two = Params::Kinds(&[Kind::Text, Kind::Text], 2);
    vec![
        Function::new("ip_address", one, varchar, address).udf(),
        Function::new("ip_contains", two, boolean, contains).udf(),
    ]
}

fn parse(call: &Call<'_>, text: &str) -> Result<IpAddr> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| exec_datafusion_err!("{}: '{text}' is not an IP address", call.name))?;
    // An IPv4 address within IPv6 is the IPv4 address.
    Ok(address.to_canonical())
}

/// An address in the one form that it is written in, what `CAST(x AS ipaddress)` is.
fn address(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    texts(call, |row| {
        values
            .get(row)
            .map(|text| parse(call, text).map(|a| a.to_string()))
            .transpose()
    })
}

/// Whether a network, such as `10.0.0.0/8`, has an address.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let (networks, addresses) = (call.text(0)?, call.text(1)?);
    let mut last: Option<(&str, IpNet)> = None;
    booleans(call, |row| {
        let (Some(network), Some(address)) = (networks.get(row), addresses.get(row)) else {
            return Ok(None);
        };
        let parsed = match last {
            Some((text, parsed)) if text == network => parsed,
            _ => {
                let parsed = network.parse::<IpNet>().map_err(|_| {
                    exec_datafusion_err!(
                        "contains: '{network}' is not a network such as 10.0.0.0/8"
                    )
                })?;
                last.insert((network, parsed)).1
            }
        };
        Ok(Some(parsed.contains(&parse(call, address)?)))
    })
}
