//! `/metrics`: counters read at the moment of asking, in the OpenMetrics text that Prometheus scrapes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::store::Backlog;

/// Asks for the value of a counter or gauge.
type Read = Box<dyn Fn() -> u64 + Send + Sync>;

/// What is counted, and for which account.
struct Series {
    name: &'static str,
    help: &'static str,
    account: Option<String>,
    /// It only grows.
    counter: bool,
    read: Read,
}

/// All that is counted.
pub struct Metrics {
    series: Vec<Series>,
    unreadable_hooks: Arc<AtomicU64>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("series", &self.series.len())
            .finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let unreadable_hooks = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&unreadable_hooks);
        let mut metrics = Self {
            series: Vec::new(),
            unreadable_hooks,
        };
        metrics.counter(
            "hooks_unreadable",
            "Webhook calls that could not be read",
            None,
            move || read.load(Ordering::Relaxed),
        );
        metrics
    }
}

impl Metrics {
    /// Adds something that only grows. Series of one name must be added one after another.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        account: Option<&str>,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.series.push(Series {
            name,
            help,
            account: account.map(str::to_owned),
            counter: true,
            read: Box::new(read),
        });
    }

    /// Adds something that goes up and down.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        account: Option<&str>,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) {
        self.series.push(Series {
            name,
            help,
            account: account.map(str::to_owned),
            counter: false,
            read: Box::new(read),
        });
    }

    /// Counts a webhook call that was put aside.
    pub fn unreadable_hook(&self) {
        self.unreadable_hooks.fetch_add(1, Ordering::Relaxed);
    }

    /// The whole text.
    #[must_use]
    pub fn encode(self: &Arc<Self>, backlog: &Backlog) -> String {
        let mut registry = Registry::with_prefix("keng");
        registry.register_collector(Box::new(Scrape {
            metrics: Arc::clone(self),
            backlog: *backlog,
        }));
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }
}

/// One scrape: the series as they are now.
#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    backlog: Backlog,
}

impl Series {
    fn write(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let value = (self.read)();
        if self.counter {
            ConstCounter::new(value).encode(encoder)
        } else {
            ConstGauge::new(value as i64).encode(encoder)
        }
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in self.metrics.series.chunk_by(|a, b| a.name == b.name) {
            let Some(first) = family.first() else {
                continue;
            };
            let kind = if first.counter {
                MetricType::Counter
            } else {
                MetricType::Gauge
            };
            let mut descriptor = encoder.encode_descriptor(first.name, first.help, None, kind)?;
            if first.account.is_none() {
                first.write(descriptor)?;
                continue;
            }
            for series in family {
                let labels = [("account", series.account.as_deref().unwrap_or_default())];
                series.write(descriptor.encode_family(&labels)?)?;
            }
        }
        let mut waiting = encoder.encode_descriptor(
            "outbox_waiting",
            "Rows of the outbox that wait or are on the way",
            None,
            MetricType::Gauge,
        )?;
        let lanes = [
            ("urgent", self.backlog.urgent),
            ("reply", self.backlog.reply),
            ("bulk", self.backlog.bulk),
        ];
        for (lane, count) in lanes {
            let labels = [("lane", lane)];
            ConstGauge::new(count as i64).encode(waiting.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_open_metrics_text() {
        let mut metrics = Metrics::default();
        metrics.counter("sent", "Messages that platforms took", Some("tg1"), || 3);
        metrics.counter("sent", "Messages that platforms took", Some("tg2"), || 4);
        let text = Arc::new(metrics).encode(&Backlog {
            urgent: 1,
            reply: 2,
            bulk: 0,
        });
        insta::assert_snapshot!(text, @r#"
        # HELP keng_hooks_unreadable Webhook calls that could not be read
        # TYPE keng_hooks_unreadable counter
        keng_hooks_unreadable_total 0
        # HELP keng_sent Messages that platforms took
        # TYPE keng_sent counter
        keng_sent_total{account="tg1"} 3
        keng_sent_total{account="tg2"} 4
        # HELP keng_outbox_waiting Rows of the outbox that wait or are on the way
        # TYPE keng_outbox_waiting gauge
        keng_outbox_waiting{lane="urgent"} 1
        keng_outbox_waiting{lane="reply"} 2
        keng_outbox_waiting{lane="bulk"} 0
        # EOF
        "#);
    }
}
