//! `outdial nodes`: who dials from this database, read from its tables, whether or not a dialer runs here.

use std::time::Duration;

use crate::cli::args::{Args, NodesArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::say;
use crate::cli::setup;
use crate::cli::text::texts;
use crate::logic::compliance::local_time;
use crate::logic::time::UtcMs;
use crate::runtime::clock::Clock;
use crate::store::{self, NodeRow, NodeState};

/// Prints them.
pub(crate) fn run(args: &Args, wanted: &NodesArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (now, nodes) = runtime.block_on(async {
        let mut db = setup::open_existing(&file).await?;
        // Leases are counted by the database's clock, as far as it has one of its own.
        let now = db.clock().await?.unwrap_or_else(Clock::utc);
        let nodes = store::nodes(&mut db, now, now - LATELY).await?;
        db.close().await?;
        Ok::<_, Failure>((now, nodes))
    })?;
    if wanted.json {
        say!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({ "at": now, "nodes": nodes }))?
        );
        return Ok(Exit::Ok);
    }
    if nodes.is_empty() {
        say!("{}", texts(args.lang).no_nodes);
        return Ok(Exit::Ok);
    }
    say!("{}", table(now, &nodes));
    Ok(Exit::Ok)
}

/// One line each; columns as wide as what is in them.
fn table(now: UtcMs, nodes: &[NodeRow]) -> String {
    let head =
        ["node", "epoch", "host", "pid", "state", "since", "lease", "agents", "calls", "shares"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(nodes.iter().map(|node| cells(now, node)));
    let widths: Vec<usize> = (0..head.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let line = |row: &[String; 10]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cells(now: UtcMs, node: &NodeRow) -> [String; 10] {
    let lease = match node.state {
        NodeState::Alive => format!("{} s", node.lease_until.since(now).as_secs()),
        NodeState::Late => format!("over {} s", now.since(node.lease_until).as_secs()),
        NodeState::Ended => "-".to_owned(),
    };
    let shares = node
        .shares
        .iter()
        .map(|share| format!("{} {}/s {} ch", share.trunk, share.calls_per_second, share.channels));
    let shares = shares.collect::<Vec<_>>().join(", ");
    [
        node.name.clone(),
        node.epoch.to_string(),
        node.host.clone().unwrap_or_else(|| "-".to_owned()),
        node.pid.to_string(),
        node.state.as_str().to_owned(),
        local_time::shown("UTC", node.started),
        lease,
        node.agents.to_string(),
        node.calls.to_string(),
        if shares.is_empty() { "-".to_owned() } else { shares },
    ]
}

/// Ended ones are shown for so long.
const LATELY: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NodeShare;

    #[test]
    fn every_process_is_a_line_that_says_whether_it_is_there() {
        let now = UtcMs(1_790_000_000_000);
        let node = |name: &str, state, lease_until| NodeRow {
            epoch: 7,
            name: name.to_owned(),
            host: Some("dial1".to_owned()),
            pid: 42,
            state,
            started: now - Duration::from_secs(60),
            lease_until,
            ended: None,
            agents: 3,
            calls: 2,
            shares: vec![],
        };
        let shares = vec![NodeShare { trunk: "jp".to_owned(), calls_per_second: 5, channels: 20 }];
        let east =
            NodeRow { shares, ..node("east", NodeState::Alive, now + Duration::from_secs(9)) };
        let west = node("west-2", NodeState::Late, now - Duration::from_secs(4));
        let gone = node("gone", NodeState::Ended, now);
        let text = table(now, &[east, west, gone]);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(lines[1][6..], ["9 s", "3", "2", "jp 5/s 20 ch"]);
        assert_eq!((lines[2][4], lines[2][6]), ("late", "over 4 s"));
        assert_eq!((lines[3][4], lines[3][6]), ("ended", "-"));
    }
}
