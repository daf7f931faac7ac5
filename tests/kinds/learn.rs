//! How the weights of `config/lexicon/kinds.bin` are learned: for each kind of incident, and for urgency,
//! a logistic regression over what messages show, by coordinate descent, and a tenth of naive Bayes, which
//! is bolder about what stands in few messages.

use keng::text::kinds::{ALWAYS, COLUMNS, EARNEST, FULL, ROWS, Sign, UNIT, URGENCY};

/// A message that somebody labelled.
#[derive(Clone)]
pub(crate) struct Example {
    /// What speaks for its kinds, for its urgency and for its being a report: row and strength. None of it
    /// when nobody said.
    pub(crate) signs: [Vec<(usize, f64)>; 3],
    /// What it is, by column: one for the primary category, [`BESIDE`] for the others.
    pub(crate) targets: [f64; COLUMNS],
    /// The primary category's column.
    pub(crate) primary: usize,
}

/// A second kind of incident is half meant.
pub(crate) const BESIDE: f64 = 0.5;
/// How much of naive Bayes is added.
const BAYES: f64 = 0.1;
/// A sign is taken to stand in this many more messages of each kind, as often as it stands in all.
const SMOOTH: f64 = 12.0;
/// Times that every weight is looked at.
const ROUNDS: usize = 30;
/// A weight moves no further at once.
const STEP: f64 = 0.5;
/// The least curvature that is believed.
const CURVE: f64 = 0.02;

/// Signs as rows and strengths.
pub(crate) fn strengths(signs: &[Sign]) -> Vec<(usize, f64)> {
    let much = |sign: &Sign| f64::from(sign.much) / f64::from(FULL);
    signs
        .iter()
        .map(|sign| (sign.row.into(), much(sign)))
        .collect()
}

/// The weights of all rows for all columns, as the program holds them.
pub(crate) fn learn(examples: &[Example], counted: impl Fn(usize) -> bool) -> Vec<i8> {
    let mut weights = vec![0_i8; ROWS * COLUMNS];
    let shown = [0, 1, 2].map(|of| by_row(examples, of));
    for column in 0..COLUMNS {
        let shown = &shown[list(column)];
        let targets: Vec<f64> = examples.iter().map(|one| one.targets[column]).collect();
        let mut learned = regress(shown, &targets);
        // A message counts for its primary kind alone.
        let told: Vec<bool> = examples
            .iter()
            .map(|one| match column {
                URGENCY | EARNEST => one.targets[column] > 0.0,
                _ => one.primary == column,
            })
            .collect();
        add_bayes(shown, &told, &counted, column, &mut learned);
        for (row, weight) in learned.into_iter().enumerate() {
            let parts = (weight * f64::from(UNIT)).round();
            #[expect(clippy::cast_possible_truncation, reason = "bounded")]
            let parts = parts.clamp(-127.0, 127.0) as i8;
            weights[row * COLUMNS + column] = parts;
        }
    }
    weights
}

/// Which of the signs are a column's.
pub(crate) fn list(column: usize) -> usize {
    match column {
        URGENCY => 1,
        EARNEST => 2,
        _ => 0,
    }
}

/// By row: the messages that show it, and how strongly.
type Shown = Vec<Vec<(usize, f64)>>;

fn by_row(examples: &[Example], of: usize) -> Shown {
    let mut shown = vec![Vec::new(); ROWS];
    for (at, example) in examples.iter().enumerate() {
        for (row, much) in &example.signs[of] {
            shown[*row].push((at, *much));
        }
        if !example.signs[of].is_empty() {
            shown[ALWAYS].push((at, 1.0));
        }
    }
    shown
}

fn regress(shown: &Shown, targets: &[f64]) -> Vec<f64> {
    let mut weights = vec![0.0; ROWS];
    let mut sums = vec![0.0_f64; targets.len()];
    let mut chances = vec![0.5; targets.len()];
    for _ in 0..ROUNDS {
        for (row, messages) in shown.iter().enumerate().filter(|(_, all)| !all.is_empty()) {
            // Weights are kept small, but for the one of every message.
            let held = f64::from(u8::from(row != ALWAYS));
            let (mut slope, mut curve) = (held * weights[row], held);
            for (at, much) in messages {
                let chance: f64 = chances[*at];
                slope += much * (chance - targets[*at]);
                curve += much * much * (chance * (1.0 - chance)).max(CURVE);
            }
            let step = (-slope / curve).clamp(-STEP, STEP);
            if step.abs() < 1e-4 {
                continue;
            }
            weights[row] += step;
            for (at, much) in messages {
                sums[*at] += step * much;
                chances[*at] = 1.0 / (1.0 + (-sums[*at]).exp());
            }
        }
    }
    weights
}

fn add_bayes(
    shown: &Shown,
    told: &[bool],
    counted: &impl Fn(usize) -> bool,
    column: usize,
    weights: &mut [f64],
) {
    #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
    let count = |all: usize| all as f64;
    let here = count(told.iter().filter(|told| **told).count());
    let all = count(told.len());
    let share = |sum: f64, messages: f64, often: f64| {
        ((sum + SMOOTH * often) / (messages + SMOOTH) / often).ln()
    };
    for (row, messages) in shown.iter().enumerate() {
        if messages.is_empty() || !counted(row) {
            continue;
        }
        let sum = |wanted: bool| -> f64 {
            let found = messages.iter().filter(|(at, _)| told[*at] == wanted);
            found.map(|(_, much)| much).sum()
        };
        let often = (sum(true) + sum(false) + 1.0) / (all + 1.0);
        weights[row] += BAYES * share(sum(true), here, often);
        if list(column) > 0 {
            weights[row] -= BAYES * share(sum(false), all - here, often);
        }
    }
    if list(column) == 0 {
        // Relative to kinds of a middling number of messages.
        let kinds = count(URGENCY);
        weights[ALWAYS] += BAYES * 0.5 * ((here + 1.0) / (all / kinds + 1.0)).ln();
    }
}

/// What the weights make of signs, in parts.
pub(crate) fn sums(weights: &[i8], signs: &[(usize, f64)]) -> [f64; COLUMNS] {
    let mut sums = [0.0; COLUMNS];
    for (row, much) in signs.iter().chain([&(ALWAYS, 1.0)]) {
        for (column, sum) in sums.iter_mut().enumerate() {
            *sum += much * f64::from(weights[row * COLUMNS + column]);
        }
    }
    sums
}
