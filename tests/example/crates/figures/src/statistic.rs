//! A trait with several implementations, used through `dyn`.

/// A number that stands for many.
pub trait Statistic {
    /// As a heading says it.
    fn name(&self) -> String;

    /// Of at least one value, in ascending order.
    fn of(&self, sorted: &[f64]) -> f64;
}

struct Mean;
struct Percentile(u8);
struct Spread;

impl Statistic for Mean {
    fn name(&self) -> String {
        "mean".to_owned()
    }

    fn of(&self, sorted: &[f64]) -> f64 {
        sorted.iter().sum::<f64>() / sorted.len() as f64
    }
}

impl Statistic for Percentile {
    fn name(&self) -> String {
        match self.0 {
            50 => "median".to_owned(),
            percent => format!("{percent} %"),
        }
    }

    fn of(&self, sorted: &[f64]) -> f64 {
        let last = sorted.len() - 1;
        sorted[(last * usize::from(self.0)).div_ceil(100).min(last)]
    }
}

impl Statistic for Spread {
    fn name(&self) -> String {
        "spread".to_owned()
    }

    fn of(&self, sorted: &[f64]) -> f64 {
        sorted[sorted.len() - 1] - sorted[0]
    }
}

/// The statistics a report shows, in its order.
pub fn all() -> Vec<Box<dyn Statistic>> {
    vec![
        Box::new(Mean),
        Box::new(Percentile(50)),
        Box::new(Percentile(90)),
        Box::new(Spread),
    ]
}

/// Each of [`all`] over `value` of every row.
pub fn summarise<R>(rows: &[R], value: impl Fn(&R) -> f64) -> Vec<(String, f64)> {
    let mut values: Vec<f64> = rows.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    all().iter().map(|it| (it.name(), it.of(&values))).collect()
}
