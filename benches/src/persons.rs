//! Records of persons with known truth: a fifth of the rows are once more somebody who is there already, as another
//! clerk would have written them down, or after a move or a marriage. The same number of rows is the same file.
//!
//! What makes it hard is that people share things: households have a surname, an address and a telephone in common,
//! fathers and sons a name, and common names come with common names.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    Outcome,
    person_names::{Names, other_form, shortened},
    random::Random,
    setting::Setting,
};

/// The share of rows that are duplicates of others.
const DUPLICATES: f64 = 0.2;

/// The share of persons who live with another one.
const HOUSEHOLDS: f64 = 0.1;

/// The columns of the file. None of them is a key.
pub(crate) const COLUMNS: [&str; 8] = [
    "given_name",
    "surname",
    "date_of_birth",
    "street",
    "city",
    "postcode",
    "phone",
    "email",
];

/// The file of persons, and the file that says for each of its rows which person it is; made unless they are there.
pub(crate) fn csv(setting: &Setting, rows: usize) -> Outcome<(PathBuf, PathBuf)> {
    let dir = setting.data(&format!("persons-{rows}"), |dir| make(dir, rows))?;
    Ok((dir.join("persons.csv"), dir.join("truth.txt")))
}

/// Makes `DIR/persons.csv` and `DIR/truth.txt`, which has the number of a row's person in the same line, without a
/// header.
pub(crate) fn make(dir: &Path, rows: usize) -> Outcome<()> {
    if rows < 10 || u32::try_from(rows).is_err() {
        return Err(format!("{rows} rows: it takes 10, and at most 4 billion").into());
    }
    fs::create_dir_all(dir)?;
    let names = Names::new();
    let persons = rows - (rows as f64 * DUPLICATES) as usize;
    let mut random = Random(21);
    // Which person, and which of their records: 0 is the first.
    let mut order: Vec<(u32, u32)> = (0..persons as u32).map(|id| (id, 0)).collect();
    for copy in 0..(rows - persons) as u32 {
        order.push((random.below(persons) as u32, copy + 1));
    }
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }

    let open = |name| -> Outcome<_> {
        let file = File::create(dir.join(name))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    };
    let (mut data, mut truth) = (open("persons.csv")?, open("truth.txt")?);
    writeln!(data, "{}", COLUMNS.join(","))?;
    for (id, copy) in order {
        let mut random = seeded(u64::from(id), 1 + u64::from(copy));
        let mut person = Person::new(&names, id);
        if copy > 0 {
            person.live_on(&names, &mut random);
        }
        let mut fields = person.fields();
        write_down(&mut fields, &mut random, copy > 0);
        writeln!(data, "{}", fields.join(","))?;
        writeln!(truth, "{id}")?;
    }
    data.into_inner()?.sync_all()?;
    truth.into_inner()?.sync_all()?;
    Ok(())
}

/// Random numbers that depend on nothing but these two.
fn seeded(a: u64, b: u64) -> Random {
    let mut random =
        Random(a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03));
    let seed = random.next();
    Random(seed)
}

struct Person {
    woman: bool,
    given: String,
    surname: String,
    born: (usize, usize, usize),
    street: String,
    city: String,
    postcode: String,
    phone: String,
    email: String,
}

impl Person {
    /// Always the same for a number. Two in a row may be a household.
    fn new(names: &Names, id: u32) -> Self {
        let mut random = seeded(u64::from(id), 0);
        let mut home = seeded(u64::from(id / 2), u64::MAX);
        let together = home.unit() < HOUSEHOLDS;
        let shared = if together { &mut home } else { &mut random };
        let (family, landline) = (names.surname(shared), phone(shared, "02"));
        let (city, postcode) = names.place(shared);
        let street = names.street(shared);

        let woman = random.unit() < 0.5;
        let mut given = names.given(&mut random, woman);
        // A son who has his father's name.
        if together && !woman && id % 2 == 1 && random.unit() < 0.05 {
            given = names.given(&mut seeded(u64::from(id / 2), u64::MAX - 1), false);
        }
        let surname = if together && random.unit() < 0.2 {
            names.surname(&mut random)
        } else {
            family
        };
        let phone = if together && random.unit() < 0.5 {
            landline
        } else {
            phone(&mut random, "07")
        };
        let born = (
            1930 + random.below(76),
            1 + random.below(12),
            1 + random.below(28),
        );
        let email = email(names, &mut random, &given, &surname);
        Self {
            woman,
            given,
            surname,
            born,
            street,
            city,
            postcode,
            phone,
            email,
        }
    }

    /// What may have changed since they were written down first.
    fn live_on(&mut self, names: &Names, random: &mut Random) {
        if random.unit() < 0.15 {
            (self.city, self.postcode) = names.place(random);
            self.street = names.street(random);
        }
        if self.woman && random.unit() < 0.08 {
            self.surname = names.surname(random);
        }
        if random.unit() < 0.1 {
            self.phone = phone(random, "07");
        }
        if random.unit() < 0.15 {
            self.email = email(names, random, &self.given, &self.surname);
        }
    }

    /// In the order of [`COLUMNS`].
    fn fields(self) -> [String; 8] {
        let (year, month, day) = self.born;
        [
            self.given,
            self.surname,
            format!("{year}-{month:02}-{day:02}"),
            self.street,
            self.city,
            self.postcode,
            self.phone,
            self.email,
        ]
    }
}

fn phone(random: &mut Random, start: &str) -> String {
    format!("{start}{:09}", random.below(1_000_000_000))
}

/// An address that nobody else is likely to have; of half of the people it says nothing about their names.
fn email(names: &Names, random: &mut Random, given: &str, surname: &str) -> String {
    let initial = given.get(..1).unwrap_or_default();
    let number = random.below(10_000);
    let name = match random.below(6) {
        0 => format!("{given}.{surname}{number}"),
        1 => format!("{initial}{surname}{number}"),
        2 => format!("{given}{}{number}", names.word(random)),
        _ => format!("{}{number}", names.word(random)),
    };
    format!("{name}@{}", Names::provider(random))
}

/// What is missing from a record, by [`COLUMNS`].
const MISSING: [f64; 8] = [0.02, 0.01, 0.06, 0.08, 0.05, 0.08, 0.25, 0.35];

/// What is mistyped in a record, by [`COLUMNS`].
const MISTYPED: [f64; 8] = [0.08, 0.10, 0.04, 0.12, 0.06, 0.05, 0.04, 0.05];

/// Writes a record down as a clerk does. First records have a quarter of the errors of later ones.
fn write_down(fields: &mut [String; 8], random: &mut Random, later: bool) {
    let rate = if later { 1.0 } else { 0.25 };
    if random.unit() < 0.12 * rate
        && let Some(other) = other_form(&fields[0])
    {
        other.clone_into(&mut fields[0]);
    }
    if random.unit() < 0.02 * rate {
        fields.swap(0, 1);
    }
    if random.unit() < 0.02 * rate {
        fields[2] = day_and_month_swapped(&fields[2]);
    }
    if random.unit() < 0.3 * rate
        && let Some(short) = shortened(&fields[3])
    {
        fields[3] = short;
    }
    if random.unit() < 0.1 * rate {
        fields[6] = in_groups(&fields[6]);
    }
    for (field, (missing, mistyped)) in fields.iter_mut().zip(MISSING.iter().zip(MISTYPED)) {
        if random.unit() < missing * if later { 1.0 } else { 0.6 } {
            field.clear();
        } else if random.unit() < mistyped * rate {
            *field = mistype(field, random);
            if random.unit() < 0.15 {
                *field = mistype(field, random);
            }
        }
    }
    if random.unit() < 0.03 * rate {
        fields
            .iter_mut()
            .take(5)
            .for_each(|f| *f = f.to_uppercase());
    }
}

fn day_and_month_swapped(date: &str) -> String {
    let parts: Vec<&str> = date.split('-').collect();
    match parts[..] {
        [year, month, day] if day <= "12" => format!("{year}-{day}-{month}"),
        _ => date.to_owned(),
    }
}

/// A telephone number with spaces, as people write it.
fn in_groups(phone: &str) -> String {
    match (phone.get(..5), phone.get(5..8), phone.get(8..)) {
        (Some(a), Some(b), Some(c)) => format!("{a} {b} {c}"),
        _ => phone.to_owned(),
    }
}

/// One letter or digit too many, too few, wrong, or before its neighbour.
fn mistype(text: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 2 {
        return text.to_owned();
    }
    let at = random.below(letters.len());
    let other = if letters[at].is_ascii_digit() {
        char::from(b'0' + random.below(10) as u8)
    } else if letters[at].is_ascii_alphabetic() {
        beside(letters[at], random)
    } else {
        // The dashes of a date and the @ of an address stay where they are.
        return text.to_owned();
    };
    let date_like = text.len() == 10 && text.matches('-').count() == 2;
    match random.below(4) {
        0 if !date_like => {
            letters.remove(at);
        }
        1 if !date_like => letters.insert(at, other),
        2 if at + 1 < letters.len() && letters[at + 1].is_alphanumeric() => {
            letters.swap(at, at + 1)
        }
        _ => letters[at] = other,
    }
    letters.into_iter().collect()
}

/// A letter near another one on the keyboard.
fn beside(letter: char, random: &mut Random) -> char {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let row = ROWS
        .iter()
        .find(|row| row.contains(letter.to_ascii_lowercase()));
    let Some((row, at)) = row.and_then(|row| Some((row, row.find(letter.to_ascii_lowercase())?)))
    else {
        return letter;
    };
    let step = if random.unit() < 0.5 {
        at.wrapping_sub(1)
    } else {
        at + 1
    };
    let near = row.as_bytes().get(step).or_else(|| row.as_bytes().get(1));
    near.map_or(letter, |&b| char::from(b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::{COLUMNS, make};

    #[test]
    fn a_fifth_are_duplicates_and_the_same_size_is_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str| {
            let at = dir.path().join(name);
            make(&at, 5_000).unwrap();
            let text = |file| std::fs::read_to_string(at.join(file)).unwrap();
            (text("persons.csv"), text("truth.txt"))
        };
        let (data, truth) = read("a");
        assert_eq!((data.clone(), truth.clone()), read("b"));
        assert_eq!(data.lines().count(), 5_001);
        assert!(
            data.lines()
                .all(|line| line.matches(',').count() == COLUMNS.len() - 1)
        );
        assert_eq!(truth.lines().count(), 5_000);
        assert_eq!(truth.lines().collect::<HashSet<_>>().len(), 4_000);
    }

    #[test]
    fn no_rows_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            make(dir.path(), 3)
                .unwrap_err()
                .to_string()
                .contains("it takes 10")
        );
    }
}
