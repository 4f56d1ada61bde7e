//! Digests and checksums of bytes.
//!
//! DataFusion has `md5`, `sha256` and `sha512` of text under the same names; those stay what text gets.

use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::functions::crypto;
use datafusion::logical_expr::{Expr, ScalarUDF};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::murmur3::murmur3;
use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of, exactly};
use crate::trino::rows::{bigint, bytes, ints, varbinary};

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let one = Params::Kinds(&[Kind::Bytes], 1);
    let keyed = Params::Kinds(&[Kind::Bytes, Kind::Bytes], 2);
    vec![
        Function::new("crc32", one, bigint, crc32).udf(),
        of_text_too("md5", |t| type_of(&crypto::md5(), t), md5_of)
            .rewritten_by_type(|a, t| builtin(crypto::md5(), a, t))
            .udf(),
        Function::new("sha1", one, varbinary, |c| {
            digest(c, |b| Sha1::digest(b).to_vec())
        })
        .udf(),
        of_text_too("sha256", |t| type_of(&crypto::sha256(), t), sha256_of)
            .rewritten_by_type(|a, t| builtin(crypto::sha256(), a, t))
            .udf(),
        of_text_too("sha512", |t| type_of(&crypto::sha512(), t), sha512_of)
            .rewritten_by_type(|a, t| builtin(crypto::sha512(), a, t))
            .udf(),
        Function::new("xxhash64", one, varbinary, |c| digest(c, xxhash64)).udf(),
        Function::new("murmur3", one, varbinary, |c| {
            digest(c, |b| murmur3(b).to_vec())
        })
        .udf(),
        Function::new("hmac_md5", keyed, varbinary, hmac_md5).udf(),
        Function::new("hmac_sha1", keyed, varbinary, hmac_sha1).udf(),
        Function::new("hmac_sha256", keyed, varbinary, hmac_sha256).udf(),
        Function::new("hmac_sha512", keyed, varbinary, hmac_sha512).udf(),
    ]
}

fn of_text_too(
    name: &'static str,
    returns: fn(&[DataType]) -> Result<DataType>,
    eval: fn(&Call<'_>) -> Result<ArrayRef>,
) -> Function {
    Function::new(name, Params::Custom(text_or_bytes), returns, eval)
}

fn text_or_bytes(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 1)?;
    all_of(name, &[Kind::Text], types).or_else(|_| all_of(name, &[Kind::Bytes], types))
}

/// Of bytes `varbinary`, of text what DataFusion's own gives.
fn type_of(udf: &ScalarUDF, types: &[DataType]) -> Result<DataType> {
    if types.iter().any(DataType::is_binary) {
        return Ok(DataType::Binary);
    }
    udf.return_type(types)
}

fn builtin(udf: Arc<ScalarUDF>, args: &[Expr], types: &[DataType]) -> Option<Expr> {
    types
        .iter()
        .all(DataType::is_string)
        .then(|| udf.call(args.to_vec()))
}

fn either(call: &Call<'_>, udf: Arc<ScalarUDF>, of: fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    if call.array(0)?.data_type().is_binary() {
        return digest(call, of);
    }
    udf.invoke_with_args(call.args.clone())?
        .into_array(call.rows)
}

fn md5_of(call: &Call<'_>) -> Result<ArrayRef> {
    either(call, crypto::md5(), |b| Md5::digest(b).to_vec())
}

fn sha256_of(call: &Call<'_>) -> Result<ArrayRef> {
    either(call, crypto::sha256(), |b| Sha256::digest(b).to_vec())
}

fn sha512_of(call: &Call<'_>) -> Result<ArrayRef> {
    either(call, crypto::sha512(), |b| Sha512::digest(b).to_vec())
}

fn digest(call: &Call<'_>, of: fn(&[u8]) -> Vec<u8>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    bytes(call, |row| {
        Ok(values.is_valid(row).then(|| of(values.value(row))))
    })
}

fn crc32(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    ints(call, |row| {
        Ok(values
            .is_valid(row)
            .then(|| i64::from(crc32fast::hash(values.value(row)))))
    })
}

/// With the highest byte first.
fn xxhash64(bytes: &[u8]) -> Vec<u8> {
    let mut hasher = twox_hash::XxHash64::with_seed(0);
    hasher.write(bytes);
    hasher.finish().to_be_bytes().to_vec()
}

fn keyed(call: &Call<'_>, of: fn(&[u8], &[u8]) -> Option<Vec<u8>>) -> Result<ArrayRef> {
    let (values, keys) = (call.bytes(0)?, call.bytes(1)?);
    bytes(call, |row| {
        if values.is_null(row) || keys.is_null(row) {
            return Ok(None);
        }
        match of(values.value(row), keys.value(row)) {
            Some(code) => Ok(Some(code)),
            None => exec_err!("{}: the key cannot be used", call.name),
        }
    })
}

macro_rules! hmac_of {
    ($name:ident, $digest:ty) => {
        fn $name(call: &Call<'_>) -> Result<ArrayRef> {
            keyed(call, |value, key| {
                let mut mac = <Hmac<$digest> as KeyInit>::new_from_slice(key).ok()?;
                mac.update(value);
                Some(mac.finalize().into_bytes().to_vec())
            })
        }
    };
}

hmac_of!(hmac_md5, Md5);
hmac_of!(hmac_sha1, Sha1);
hmac_of!(hmac_sha256, Sha256);
hmac_of!(hmac_sha512, Sha512);
