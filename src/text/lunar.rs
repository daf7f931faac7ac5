//! The lunar calendar of Viet Nam, for `mùng 2 Tết` and `rằm`.
//!
//! The method is the usual astronomical one (Meeus' new moons and the sun's
//! longitude, time zone +7), good from 1900 to 2199. Only what the reader needs:
//! a lunar day of a non-leap month becomes a day of the common calendar.

use chrono::NaiveDate;

const ZONE: f64 = 7.0;
const J1900: f64 = 2_415_021.076_998_695;
const MONTH: f64 = 29.530_588_853;

/// Julian day number of the day in +07:00 on which the `k`-th new moon since 1900 falls.
#[expect(
    clippy::cast_possible_truncation,
    reason = "day numbers of these centuries fit in i64"
)]
fn new_moon(k: f64) -> i64 {
    let t = k / 1236.85;
    let (t2, t3) = (t * t, t * t * t);
    let rad = std::f64::consts::PI / 180.0;
    let mean = 2_415_020.759_33 + 29.530_588_68 * k + 0.000_117_8 * t2 - 0.000_000_155 * t3
        + 0.000_33 * ((166.56 + 132.87 * t - 0.009_173 * t2) * rad).sin();
    let sun = 359.2242 + 29.105_356_08 * k - 0.000_033_3 * t2 - 0.000_003_47 * t3;
    let moon = 306.0253 + 385.816_918_06 * k + 0.010_730_6 * t2 + 0.000_012_36 * t3;
    let node = 21.2964 + 390.670_506_46 * k - 0.001_652_8 * t2 - 0.000_002_39 * t3;
    let c = (0.1734 - 0.000_393 * t) * (sun * rad).sin() + 0.0021 * (2.0 * sun * rad).sin()
        - 0.4068 * (moon * rad).sin()
        + 0.0161 * (2.0 * moon * rad).sin()
        - 0.0004 * (3.0 * moon * rad).sin()
        + 0.0104 * (2.0 * node * rad).sin()
        - 0.0051 * ((sun + moon) * rad).sin()
        - 0.0074 * ((sun - moon) * rad).sin()
        + 0.0004 * ((2.0 * node + sun) * rad).sin()
        - 0.0004 * ((2.0 * node - sun) * rad).sin()
        - 0.0006 * ((2.0 * node + moon) * rad).sin()
        + 0.0010 * ((2.0 * node - moon) * rad).sin()
        + 0.0005 * ((2.0 * moon + sun) * rad).sin();
    let delta = if t < -11.0 {
        0.001 + 0.000_839 * t + 0.000_226_1 * t2 - 0.000_008_45 * t3 - 0.000_000_081 * t * t3
    } else {
        -0.000_278 + 0.000_265 * t + 0.000_262 * t2
    };
    (mean + c - delta + 0.5 + ZONE / 24.0).floor() as i64
}

/// Which twelfth of the zodiac the sun is in at midnight of a Julian day.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "small whole numbers"
)]
fn sun_sector(day: i64) -> i64 {
    let t = (day as f64 - 0.5 - ZONE / 24.0 - 2_451_545.0) / 36525.0;
    let t2 = t * t;
    let rad = std::f64::consts::PI / 180.0;
    let m = 357.529_10 + 35_999.050_30 * t - 0.000_155_9 * t2 - 0.000_000_48 * t * t2;
    let l0 = 280.466_45 + 36_000.769_83 * t + 0.000_303_2 * t2;
    let dl = (1.914_600 - 0.004_817 * t - 0.000_014 * t2) * (m * rad).sin()
        + (0.019_993 - 0.000_101 * t) * (2.0 * m * rad).sin()
        + 0.000_290 * (3.0 * m * rad).sin();
    ((l0 + dl).rem_euclid(360.0) / 30.0).floor() as i64
}

fn julian(date: NaiveDate) -> i64 {
    use chrono::Datelike;
    i64::from(date.num_days_from_ce()) + 1_721_425
}

/// The first day of the eleventh lunar month of a year.
#[expect(clippy::cast_precision_loss, reason = "day numbers are small")]
fn eleventh(year: i32) -> Option<i64> {
    let end = julian(NaiveDate::from_ymd_opt(year, 12, 31)?);
    let k = ((end - 2_415_021) as f64 / MONTH).floor();
    let start = new_moon(k);
    Some(if sun_sector(start) >= 9 {
        new_moon(k - 1.0)
    } else {
        start
    })
}

/// The common date of a lunar day in the lunar year that begins in `year`.
#[expect(clippy::cast_precision_loss, reason = "day numbers are small")]
pub fn to_solar(day: u32, month: u32, year: i32) -> Option<NaiveDate> {
    if !(1..=30).contains(&day) || !(1..=12).contains(&month) || !(1900..2200).contains(&year) {
        return None;
    }
    let (from, to) = if month < 11 {
        (eleventh(year - 1)?, eleventh(year)?)
    } else {
        (eleventh(year)?, eleventh(year + 1)?)
    };
    let k = (0.5 + (from as f64 - J1900) / MONTH).floor();
    let mut offset = (i64::from(month) - 11).rem_euclid(12);
    if to - from > 365 {
        // A leap month is the first without a change of the sun's sector.
        let mut leap = 14;
        let mut last = sun_sector(new_moon(k + 1.0));
        for i in 2..14 {
            let sector = sun_sector(new_moon(k + f64::from(i)));
            if sector == last {
                leap = i64::from(i) - 1;
                break;
            }
            last = sector;
        }
        if offset >= leap {
            offset += 1;
        }
    }
    let first = new_moon(k + offset as f64);
    NaiveDate::from_num_days_from_ce_opt(
        i32::try_from(first + i64::from(day) - 1 - 1_721_425).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_right() {
        let check = |lunar: (u32, u32, i32), solar: &str| {
            let found = to_solar(lunar.0, lunar.1, lunar.2).map(|date| date.to_string());
            assert_eq!(found.as_deref(), Some(solar), "{lunar:?}");
        };
        check((1, 1, 2024), "2024-02-10");
        check((1, 1, 2025), "2025-01-29");
        check((2, 1, 2026), "2026-02-18");
        check((15, 8, 2026), "2026-09-25");
        check((15, 7, 2025), "2025-09-06"); // after the leap sixth month
        check((23, 12, 2026), "2027-01-30");
    }
}
