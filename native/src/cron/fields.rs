//! From text to croner's pattern. Croner says what the fields mean; here is refused what it would take and not do, and
//! the field is found that is wrong.

use std::str::FromStr;

use super::error::{CronError, Field};

const FIELDS: [Field; 6] =
    [Field::Second, Field::Minute, Field::Hour, Field::DayOfMonth, Field::Month, Field::DayOfWeek];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Croner's mark of a weekday that matches when it is the last of its month.
const LAST: u8 = 1 << 6;

/// Reads a pattern.
pub(super) fn read(text: &str) -> Result<croner::Cron, CronError> {
    let text = text.trim();
    if text.starts_with('@') {
        return croner::Cron::from_str(text).map_err(|_| nickname_unknown(text));
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    let fields = match parts.len() {
        0 => return Err(CronError::new(Field::Pattern, "the pattern is empty")),
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        1 => return Err(CronError::new(Field::Pattern, "the pattern has 1 field")),
        count => return Err(CronError::new(Field::Pattern, format_args!("the pattern has {count} fields"))),
    };
    let is_sound = fields.iter().zip(&parts).all(|(&field, part)| is_well_formed(field, part));
    match parse(&parts).and_then(with_last_sunday) {
        Ok(cron) if is_sound => Ok(cron),
        _ => Err(first_wrong(fields, &parts, text)),
    }
}

fn nickname_unknown(text: &str) -> CronError {
    let message = format!("`{text}` is not known; write `@yearly`, `@monthly`, `@weekly`, `@daily` or `@hourly`");
    CronError { field: Field::Pattern, message }
}

/// Names the first field that is wrong by itself.
fn first_wrong(fields: &[Field], parts: &[&str], text: &str) -> CronError {
    let wrong =
        fields.iter().zip(parts).position(|(&field, part)| !is_well_formed(field, part) || !is_right(field, part));
    match wrong {
        Some(place) => {
            let (number, name, part) = (place + 1, fields[place].name(), parts[place]);
            CronError::new(fields[place], format_args!("field {number} ({name}) is `{part}`"))
        }
        None => CronError::new(Field::Pattern, format_args!("the pattern `{text}` cannot be read")),
    }
}

/// Whether croner takes it with `*` for all other fields.
fn is_right(field: Field, part: &str) -> bool {
    parse(&FIELDS.map(|other| if other == field { part } else { "*" })).is_ok()
}

/// Asks croner. Years are not used: with one year instead of `*` this takes half the time.
fn parse(parts: &[&str]) -> Result<croner::Cron, croner::errors::CronError> {
    let second = if parts.len() == FIELDS.len() { "" } else { "0 " };
    croner::Cron::from_str(&format!("{second}{} 1", parts.join(" ")))
}

/// Whether it consists of words that belong into this field, in places where they mean something. Croner replaces names
/// wherever they stand (`MAR` is a Wednesday to it), and ignores empty items and what follows a `W`.
fn is_well_formed(field: Field, part: &str) -> bool {
    let list = if field == Field::DayOfWeek { part.strip_prefix('+').unwrap_or(part) } else { part };
    list.is_ascii() && list.to_ascii_uppercase().split(',').all(|item| is_item(field, item))
}

fn is_item(field: Field, item: &str) -> bool {
    let (item, nth) = item.split_once('#').map_or((item, None), |(item, nth)| (item, Some(nth)));
    let is_nth = nth.is_none_or(|nth| matches!(nth, "1" | "2" | "3" | "4" | "5" | "L"));
    is_nth && !item.is_empty() && words(item).all(|word| is_word(field, word))
}

fn words(item: &str) -> impl Iterator<Item = &str> {
    item.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn is_word(field: Field, word: &str) -> bool {
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number(word)
        || match field {
            Field::DayOfMonth => word == "L" || word.strip_suffix('W').is_some_and(is_number),
            Field::Month => MONTHS.contains(&word),
            Field::DayOfWeek => {
                let day = word.strip_suffix('L').unwrap_or(word);
                DAYS.contains(&day) || is_number(day)
            }
            _ => false,
        }
}

/// Croner reads `7` as Sunday, but not in `7L`.
fn with_last_sunday(mut cron: croner::Cron) -> Result<croner::Cron, croner::errors::CronError> {
    let days = &mut cron.pattern.days_of_week;
    if days.is_bit_set(7, LAST)? {
        days.unset_bit(7, LAST)?;
        days.set_bit(0, LAST)?;
    }
    Ok(cron)
}
