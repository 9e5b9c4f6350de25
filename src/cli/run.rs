//! `outdial run CAMPAIGN…`: dials until nothing is left, or until told to stop.

use anyhow::anyhow;
use tokio::task::JoinSet;

use crate::cli::args::{Args, RunArgs};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::output::say;
use crate::cli::picture::Picture;
use crate::cli::report::{Known, Report};
use crate::cli::screen::{Live, Wish};
use crate::cli::setup;
use crate::config::CampaignFile;
use crate::config::OutdialFile;
use crate::config::check::{Level, check_against};
use crate::logic::dialer::command::Reply;
use crate::logic::time::UtcMs;
use crate::runtime::clock::Clock;
use crate::runtime::control::ControlError;
use crate::runtime::handle::Handle;
use crate::runtime::{Ended, Running, StartError, StartSettings};
use crate::store::{self, Db, StoreError};

/// Runs campaigns to their end and prints the report.
pub(crate) fn run(args: &Args, run: &RunArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let campaigns = read_campaigns(args, &file, &run.campaigns)?;
    let resolved = setup::resolve(&file).or_exit(Exit::BadInput)?;
    let (_log, log_in_file) = setup::start_log(&file)?;
    let settings = setup::start_settings(&args.config, &file, resolved, &campaigns, run.until_idle);
    let running = start(StartSettings { pacing_journal: run.pacing_journal.clone(), ..settings })?;
    let names: Vec<_> = campaigns.iter().map(|c| c.settings.name.as_str()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Err(error) = runtime.block_on(keep_texts(&file, &campaigns)) {
        // The run goes on without: only a later `outdial plan` would have asked.
        tracing::warn!(%error, "the campaigns' files could not be kept for `outdial plan`");
    }
    // Where the log goes to the terminal, it is what is shown.
    let mut live = None;
    if log_in_file {
        live = Some(Live::of_ours(&format!("outdial run {}", names.join(" ")), args.lang));
    }
    let pictures = runtime.block_on(follow(running.handle(), live))?;
    let ended =
        running.wait().ok_or_else(|| anyhow!("the dialer's thread panicked: see the log"))?;
    let last = with_final_counts(&file, pictures.first_at, pictures.last)?;
    let report = Report::of(pictures.first_at, &last, &known(&campaigns));
    if run.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        say!("{}", report.text(args.lang).trim_end());
    }
    exit_of(ended)
}

/// Keeps the files with which these campaigns run, so that changed ones can be set against them.
async fn keep_texts(file: &OutdialFile, campaigns: &[CampaignFile]) -> Result<(), StoreError> {
    let mut db = Db::open(&setup::database_url(&file.database)).await?;
    for campaign in campaigns {
        if let Some(row) = store::find_campaign(&mut db, &campaign.settings.name).await? {
            store::keep_campaign_text(&mut db, row.id, &campaign.text).await?;
        }
    }
    db.close().await
}

/// Starts a dialer; one that holds the database already is a refusal.
pub(crate) fn start(settings: StartSettings) -> Result<Running, Failure> {
    crate::runtime::start(settings).map_err(|error| {
        let exit = match &error {
            held if held.is_held() => Exit::Refused,
            StartError::Sound { .. }
            | StartError::Journal { .. }
            | StartError::Control(ControlError::TooLong(_)) => Exit::BadInput,
            StartError::Lock(_)
            | StartError::NameHeld { .. }
            | StartError::Control(_)
            | StartError::Store(_)
            | StartError::Bind(_)
            | StartError::Media(_)
            | StartError::Dice(_)
            | StartError::Thread(_)
            | StartError::Died => Exit::Failed,
        };
        Failure::new(exit, error)
    })
}

/// The first and the last picture of a run.
pub(crate) struct Pictures {
    pub(crate) first_at: i64,
    pub(crate) last: Picture,
}

/// Shows the run until the dialer ends.
async fn follow(mut handle: Handle, mut live: Option<Live>) -> anyhow::Result<Pictures> {
    let mut pictures = Pictures { first_at: handle.view().at.0, last: Picture::default() };
    let mut wishes = JoinSet::new();
    let asked = handle.clone();
    loop {
        tokio::select! {
            view = handle.next_view() => {
                let Ok(view) = view else { return Ok(pictures) };
                let picture = Picture::of(&view)?;
                if pictures.first_at == 0 {
                    pictures.first_at = picture.at;
                }
                if let Some(live) = &mut live {
                    live.show(picture.clone());
                }
                pictures.last = picture;
            }
            wish = next_wish(&mut live) => {
                wishes.spawn(grant(asked.clone(), wish));
            }
            Some(answer) = wishes.join_next() => {
                if let Some(live) = &mut live {
                    live.told(answer?);
                }
            }
        }
    }
}

async fn next_wish(live: &mut Option<Live>) -> Wish {
    match live {
        Some(live) => live.wish().await,
        None => std::future::pending().await,
    }
}

/// Does what the person before the screen wants; says why not.
pub(crate) async fn grant(handle: Handle, wish: Wish) -> Result<(), String> {
    let done = match wish {
        Wish::Ask(command) => handle.ask(command).await,
        // Its own dialer is not left behind.
        Wish::Signal | Wish::Leave => handle.shut_down().await.map(|()| Reply::Ok),
    };
    match done {
        Ok(Reply::Refused { message, .. }) => Err(message),
        Ok(Reply::Ok | Reply::Status(_) | Reply::Agent(_)) => Ok(()),
        Err(gone) => Err(gone.to_string()),
    }
}

/// How a run that came to its end ends the process.
pub(crate) fn exit_of(ended: Ended) -> Result<Exit, Failure> {
    let count = ended.unstored;
    if ended.store_lost {
        let error = anyhow!(
            "the part that writes to the database failed, which is a bug (see the log), so every call was ended; {count} facts \
             are not written, and the calls concerned will be `unknown` at the next start"
        );
        return Err(Failure::new(Exit::Failed, error));
    }
    if count > 0 {
        let error = anyhow!(
            "{count} facts could not be written to the database; the calls concerned will be `unknown` at the next start"
        );
        return Err(Failure::new(Exit::Failed, error));
    }
    Ok(if ended.forced { Exit::Forced } else { Exit::Ok })
}

/// The last picture with the lists as the database has them (the dialer counts them only now and then), and with what
/// agents said since `first_at`.
pub(crate) fn with_final_counts(
    file: &OutdialFile,
    first_at: i64,
    mut picture: Picture,
) -> Result<Picture, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let counts = runtime.block_on(async {
        let mut db = Db::open(&setup::database_url(&file.database)).await?;
        let mut counts = vec![];
        for campaign in &picture.campaigns {
            let Some(row) = store::find_campaign(&mut db, &campaign.name).await? else { continue };
            let (since, now) = (UtcMs(first_at), Clock::utc());
            let kpis = store::kpis(&mut db, row.id, since, now).await?;
            let promises = store::promises(&mut db, row.id, now).await?;
            counts.push((campaign.name.clone(), kpis, promises));
        }
        db.close().await?;
        Ok::<_, StoreError>(counts)
    });
    // The report is worth having without them, if the database is away.
    let Ok(counts) = counts else { return Ok(picture) };
    for (name, kpis, promises) in counts {
        if let Some(campaign) = picture.campaigns.iter_mut().find(|one| one.name == name) {
            campaign.leads = kpis.leads.into();
            campaign.dispositions = kpis.dispositions;
            campaign.promises = promises;
        }
    }
    Ok(picture)
}

/// What the report needs of the campaigns' files.
pub(crate) fn known(campaigns: &[CampaignFile]) -> Vec<Known> {
    let known = |file: &CampaignFile| Known {
        name: file.settings.name.clone(),
        cap_ppm: file.settings.abandon.cap_ppm,
        dispositions: file.settings.dispositions.clone(),
    };
    campaigns.iter().map(known).collect()
}

/// Reads the campaigns and refuses those that this installation must not dial.
fn read_campaigns(
    args: &Args,
    file: &OutdialFile,
    named: &[String],
) -> Result<Vec<CampaignFile>, Failure> {
    let mut campaigns: Vec<CampaignFile> = Vec::new();
    for name in named {
        let campaign = setup::campaign_file(&args.config, name)?;
        if campaigns.iter().any(|other| other.settings.name == campaign.settings.name) {
            let error = anyhow!(
                "two campaigns are named {}: name each once, or give one of the files another `name`",
                campaign.settings.name
            );
            return Err(Failure::new(Exit::BadInput, error));
        }
        let findings = check_against(file, &campaign);
        let problems: Vec<String> = findings
            .iter()
            .filter(|finding| finding.level == Level::Problem)
            .map(|finding| finding.text.clone())
            .collect();
        if !problems.is_empty() {
            return Err(Failure::new(Exit::BadInput, anyhow!("{}", problems.join("\n"))));
        }
        for finding in findings.iter().filter(|finding| finding.level == Level::Warning) {
            eprintln!("{finding}");
        }
        campaigns.push(campaign);
    }
    Ok(campaigns)
}
