//! Every counter by name. They only rise; `outdial metrics` reads them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// At least so many: for what is counted elsewhere.
    pub fn raise_to(&self, count: u64) {
        self.0.fetch_max(count, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Its name for outsiders.
    pub name: String,
    /// What it counts.
    pub help: String,
    /// The count so far.
    pub count: u64,
}

impl Counted {
    fn of(name: &str, doc: &str, counter: &Counter) -> Self {
        let help = doc.trim().trim_end_matches('.').to_owned();
        Self { name: name.to_owned(), help, count: counter.get() }
    }
}

macro_rules! metrics {
    ($(#[doc = $doc:literal] $field:ident = $name:literal;)*) => {
        /// What one process counts.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $doc] pub $field: Counter,)*
        }

        impl Metrics {
            /// Each, in the order of this file.
            #[must_use]
            pub fn read(&self) -> Vec<Counted> {
                vec![$(Counted::of($name, $doc, &self.$field)),*]
            }
        }
    };
}

metrics! {
    /// SIP datagrams received.
    sip_received = "outdial_sip_datagrams_received_total";
    /// SIP datagrams handed to the socket.
    sip_sent = "outdial_sip_datagrams_sent_total";
    /// SIP datagrams that the socket did not take: lost, repeated by SIP's own timers.
    sip_unsent = "outdial_sip_datagrams_unsent_total";
    /// SIP datagrams thrown away: malformed, from strangers, matching nothing.
    sip_dropped = "outdial_sip_dropped_total";
    /// SIP datagrams sent again by our own timers.
    sip_repeated = "outdial_sip_repeated_total";
    /// Commands that the media queue did not take: their legs were hung up.
    media_refused = "outdial_media_commands_refused_total";
    /// Facts received from the media threads.
    media_events = "outdial_media_events_total";
    /// Commands handed to the store task.
    store_commands = "outdial_store_commands_total";
    /// Transactions that were committed.
    store_commits = "outdial_store_commits_total";
    /// Transactions that failed or were not answered, and were repeated.
    store_repeats = "outdial_store_repeats_total";
    /// Commands taken from the control socket and from the program itself.
    commands = "outdial_commands_total";
    /// Lines or connections refused at the control socket.
    control_refused = "outdial_control_refused_total";
    /// Times a deadline was served more than 50 ms late.
    late_wakes = "outdial_late_wakes_total";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_are_a_promise_to_outsiders() {
        let names: Vec<_> =
            Metrics::default().read().into_iter().map(|counted| counted.name).collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        outdial_sip_datagrams_received_total
        outdial_sip_datagrams_sent_total
        outdial_sip_datagrams_unsent_total
        outdial_sip_dropped_total
        outdial_sip_repeated_total
        outdial_media_commands_refused_total
        outdial_media_events_total
        outdial_store_commands_total
        outdial_store_commits_total
        outdial_store_repeats_total
        outdial_commands_total
        outdial_control_refused_total
        outdial_late_wakes_total
        ");
    }

    #[test]
    fn a_counter_adds_up() {
        let metrics = Metrics::default();
        metrics.sip_sent.one();
        metrics.sip_sent.add(2);
        assert_eq!(metrics.sip_sent.get(), 3);
    }
}
