//! Bytes as text and numbers as bytes, and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Float32Array, Int32Array};
use arrow::datatypes::DataType;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::functions::string;
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::base32;
use crate::args::Call;
use crate::function::{Function, Kind, Params, all_of, exactly};
use crate::trino::rows::{bigint, bytes, double, doubles, ints, texts, varbinary, varchar};

/// As Java's decoders take them: with padding or without, whatever the bits behind the last byte are.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let of_bytes = Params::Kinds(&[Kind::Bytes], 1);
    let of_text = Params::Kinds(&[Kind::Text], 1);
    let of_int = Params::Kinds(&[Kind::Int], 1);
    let of_double = Params::Kinds(&[Kind::Double], 1);
    vec![
        Function::new("to_hex", Params::Custom(hex_types), varchar, to_hex)
            .rewritten_by_type(builtin_hex)
            .udf(),
        Function::new("from_hex", of_text, varbinary, from_hex).udf(),
        Function::new("to_base64", of_bytes, varchar, |c| {
            encode(c, |b| BASE64.encode(b))
        })
        .udf(),
        Function::new("from_base64", of_text, varbinary, |c| {
            decode(c, |t| BASE64.decode(t).map_err(|e| e.to_string()))
        })
        .udf(),
        Function::new("to_base64url", of_bytes, varchar, |c| {
            encode(c, |b| BASE64_URL.encode(b))
        })
        .udf(),
        Function::new("from_base64url", of_text, varbinary, |c| {
            decode(c, |t| BASE64_URL.decode(t).map_err(|e| e.to_string()))
        })
        .udf(),
        Function::new("to_base32", of_bytes, varchar, |c| {
            encode(c, base32::encode)
        })
        .udf(),
        Function::new("from_base32", of_text, varbinary, |c| {
            decode(c, base32::decode)
        })
        .udf(),
        Function::new("to_big_endian_64", of_int, varbinary, to_big_endian_64).udf(),
        Function::new("from_big_endian_64", of_bytes, bigint, from_big_endian_64).udf(),
        Function::new("to_big_endian_32", of_int, varbinary, to_big_endian_32).udf(),
        Function::new(
            "from_big_endian_32",
            of_bytes,
            |_| Ok(DataType::Int32),
            from_big_endian_32,
        )
        .udf(),
        Function::new("to_ieee754_64", of_double, varbinary, to_ieee754_64).udf(),
        Function::new("from_ieee754_64", of_bytes, double, from_ieee754_64).udf(),
        Function::new("to_ieee754_32", of_double, varbinary, to_ieee754_32).udf(),
        Function::new(
            "from_ieee754_32",
            of_bytes,
            |_| Ok(DataType::Float32),
            from_ieee754_32,
        )
        .udf(),
    ]
}

fn hex_types(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    exactly(name, types, 1)?;
    all_of(name, &[Kind::Bytes], types)
        .or_else(|e| all_of(name, &[Kind::Int], types).map_err(|_| e))
}

/// Of an integer, DataFusion's function of this name.
fn builtin_hex(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    types
        .iter()
        .all(DataType::is_integer)
        .then(|| string::to_hex().call(args.to_vec()))
}

fn to_hex(call: &Call<'_>) -> Result<ArrayRef> {
    if call.array(0)?.data_type().is_integer() {
        let numbers = call.ints(0)?;
        return texts(call, |row| Ok(numbers.get(row).map(|n| format!("{n:x}"))));
    }
    encode(call, |bytes| {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |n: u8| {
            DIGITS
                .get(usize::from(n & 15))
                .copied()
                .map_or('0', char::from)
        };
        bytes
            .iter()
            .flat_map(|b| [digit(b >> 4), digit(*b)])
            .collect()
    })
}

fn from_hex(call: &Call<'_>) -> Result<ArrayRef> {
    decode(call, |text| {
        if text.len() % 2 != 0 {
            return Err("its length is odd".to_owned());
        }
        let digit = |b: u8| {
            char::from(b)
                .to_digit(16)
                .ok_or_else(|| format!("'{}' is no hex digit", char::from(b)))
        };
        text.as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Ok((digit(*high)? << 4 | digit(*low)?) as u8),
                _ => Err("its length is odd".to_owned()),
            })
            .collect()
    })
}

fn encode(call: &Call<'_>, to: fn(&[u8]) -> String) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    texts(call, |row| {
        Ok(values.is_valid(row).then(|| to(values.value(row))))
    })
}

fn decode(call: &Call<'_>, from: fn(&str) -> Result<Vec<u8>, String>) -> Result<ArrayRef> {
    let values = call.text(0)?;
    bytes(call, |row| {
        values
            .get(row)
            .map(|text| {
                from(text).map_err(|e| {
                    exec_datafusion_err!("{}: '{text}' cannot be decoded: {e}", call.name)
                })
            })
            .transpose()
    })
}

/// The bytes of a row, of which there must be exactly so many.
fn exact<const N: usize>(
    call: &Call<'_>,
    values: &BinaryArray,
    row: usize,
) -> Result<Option<[u8; N]>> {
    if values.is_null(row) {
        return Ok(None);
    }
    match <[u8; N]>::try_from(values.value(row)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => exec_err!(
            "{}: the varbinary must have {N} bytes, not {}",
            call.name,
            values.value(row).len()
        ),
    }
}

fn to_big_endian_64(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.ints(0)?;
    bytes(call, |row| Ok(numbers.get(row).map(i64::to_be_bytes)))
}

fn from_big_endian_64(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    ints(call, |row| {
        Ok(exact::<8>(call, &values, row)?.map(i64::from_be_bytes))
    })
}

fn to_big_endian_32(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.ints(0)?;
    bytes(call, |row| {
        let Some(n) = numbers.get(row) else {
            return Ok(None);
        };
        match i32::try_from(n) {
            Ok(n) => Ok(Some(n.to_be_bytes())),
            Err(_) => exec_err!("{}: {n} is out of the range of integer", call.name),
        }
    })
}

fn from_big_endian_32(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    let numbers: Vec<Option<i32>> = (0..call.rows)
        .map(|row| Ok(exact::<4>(call, &values, row)?.map(i32::from_be_bytes)))
        .collect::<Result<_>>()?;
    Ok(Arc::new(Int32Array::from(numbers)))
}

fn to_ieee754_64(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.doubles(0)?;
    bytes(call, |row| {
        Ok(numbers
            .is_valid(row)
            .then(|| numbers.value(row).to_be_bytes()))
    })
}

fn from_ieee754_64(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    doubles(call, |row| {
        Ok(exact::<8>(call, &values, row)?.map(f64::from_be_bytes))
    })
}

fn to_ieee754_32(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.doubles(0)?;
    bytes(call, |row| {
        Ok(numbers
            .is_valid(row)
            .then(|| (numbers.value(row) as f32).to_be_bytes()))
    })
}

fn from_ieee754_32(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.bytes(0)?;
    let numbers: Vec<Option<f32>> = (0..call.rows)
        .map(|row| Ok(exact::<4>(call, &values, row)?.map(f32::from_be_bytes)))
        .collect::<Result<_>>()?;
    Ok(Arc::new(Float32Array::from(numbers)))
}
