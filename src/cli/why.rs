//! `outdial why`: what each gate says of a person, a number or an attempt, and why a campaign is not dialing now.
//!
//! Rows come from the database, live figures from the dialer where one runs, and every verdict from the functions that
//! the dialer itself asks.

mod campaign;
mod person;
mod words;

use std::path::Path;

use anyhow::anyhow;

use crate::cli::args::{Args, WhyArgs};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::say;
use crate::cli::picture::Picture;
use crate::cli::setup;
use crate::cli::text::Lang;
use crate::config::CampaignFile;
use crate::logic::dialer::command::Command;
use crate::logic::phone::{Region, read_number};
use crate::runtime::clock::Clock;
use crate::store::{self, Db};

/// Prints the answer.
pub(crate) fn run(args: &Args, wanted: &WhyArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let live = match Client::connect(&setup::control_path(&file, &args.config)) {
        Ok(mut client) => Some(serde_json::from_value(client.ask(&Command::Status)?)?),
        Err(failure) if failure.exit == Exit::NoDialer => None,
        Err(failure) => return Err(failure),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut db = setup::open_existing(&file).await?;
        let asking = Asking { args, wanted, live };
        let answered = match (&wanted.what, &wanted.campaign) {
            (Some(what), _) => asking.person(&mut db, what).await,
            (None, Some(name)) => asking.campaign(&mut db, name).await,
            (None, None) => Err(Failure::new(Exit::BadInput, anyhow!("{NOTHING_ASKED}"))),
        };
        db.close().await?;
        answered
    })
}

struct Asking<'a> {
    args: &'a Args,
    wanted: &'a WhyArgs,
    /// What the dialer shows, where one runs.
    live: Option<Picture>,
}

impl Asking<'_> {
    async fn person(&self, db: &mut Db, what: &str) -> Result<Exit, Failure> {
        let campaigns = self.campaigns(db).await?;
        let files: Vec<&CampaignFile> =
            campaigns.iter().filter_map(|(_, file)| file.as_ref()).collect();
        let (keys, refused) = keys(what, &files);
        let found = store::find_people(db, what.trim(), &keys).await?;
        if found.is_empty() {
            // A number that no list could bring in says why itself.
            let why = refused.map(|text| format!("; {text}")).unwrap_or_default();
            let error = anyhow!(
                "the database knows no attempt, customer id or number `{}`{why}; write a number with its country \
                 code, or name a campaign: --campaign NAME",
                what.trim()
            );
            return Err(Failure::new(Exit::BadInput, error));
        }
        let mut people = Vec::with_capacity(found.len());
        for contact in found {
            let question = person::Question {
                now: Clock::utc(),
                contact,
                keys: &keys,
                typed: what,
                campaign: self.wanted.campaign.as_deref(),
                campaigns: &campaigns,
                live: self.live.as_ref(),
            };
            people.extend(person::answer(db, &question).await?);
        }
        self.show(&people, |lang| person::text(&people, lang))
    }

    async fn campaign(&self, db: &mut Db, name: &str) -> Result<Exit, Failure> {
        // The name in the file counts, and a folder's name leads to the file.
        let file = campaign_called(&self.args.config, name);
        let name = file.as_ref().map_or(name, |file| &file.settings.name);
        let answer =
            campaign::answer(db, name, file.as_ref(), self.live.as_ref(), Clock::utc()).await?;
        self.show(&answer, |lang| campaign::text(&answer, lang))
    }

    fn show(
        &self,
        answer: &impl serde::Serialize,
        text: impl FnOnce(Lang) -> String,
    ) -> Result<Exit, Failure> {
        if self.wanted.json {
            say!("{}", serde_json::to_string_pretty(answer)?);
        } else {
            say!("{}", text(self.args.lang).trim_end());
        }
        Ok(Exit::Ok)
    }

    /// The campaigns of the database, or the one asked for, each with its file where that is found.
    async fn campaigns(&self, db: &mut Db) -> Result<Vec<(String, Option<CampaignFile>)>, Failure> {
        let names: Vec<String> = match &self.wanted.campaign {
            Some(name) => vec![name.clone()],
            None => store::event_names(db).await?.campaigns.into_iter().map(|row| row.1).collect(),
        };
        let with_file = |name: String| {
            let file = campaign_called(&self.args.config, &name);
            (file.as_ref().map_or(name, |file| file.settings.name.clone()), file)
        };
        Ok(names.into_iter().map(with_file).collect())
    }
}

/// A campaign's file by its name or folder; else the file beside others, or in the demo's folder, whose own name it is.
fn campaign_called(config: &Path, name: &str) -> Option<CampaignFile> {
    let direct = setup::campaign_file(config, name).ok();
    direct.or_else(|| {
        let folders = std::fs::read_dir(config.with_file_name("campaigns")).into_iter().flatten();
        folders
            .take(MOST_FOLDERS)
            .filter_map(|entry| Some(entry.ok()?.path()))
            .chain([config.with_file_name("campaign")])
            .filter_map(|path| path.to_str().map(str::to_owned))
            .filter_map(|path| setup::campaign_file(config, &path).ok())
            .find(|file| file.settings.name == name)
    })
}

/// What a number may be stored as, read as people of each campaign's country write it; and why it can be none.
fn keys(typed: &str, files: &[&CampaignFile]) -> (Vec<String>, Option<String>) {
    let mut keys = vec![];
    let mut refused = None;
    let regions = files.iter().flat_map(|file| &file.regions).map(String::as_str);
    // A number with its country code is read alike everywhere.
    for region in regions.chain(["JP"]).filter_map(|region| region.parse::<Region>().ok()) {
        match read_number(typed, region) {
            Ok(found) if !keys.contains(&found.key()) => keys.push(found.key()),
            Ok(_) => {}
            Err(error) if typed.chars().any(|c| c.is_ascii_digit()) => {
                refused.get_or_insert_with(|| error.reason_en());
            }
            Err(_) => {}
        }
    }
    (keys, refused)
}

const NOTHING_ASKED: &str = "say what is asked: `outdial why NUMBER`, a customer id, a call_ref, or `outdial why --campaign NAME`";
/// Folders of campaigns that are looked into.
const MOST_FOLDERS: usize = 256;
