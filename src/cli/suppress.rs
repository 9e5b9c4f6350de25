//! `outdial suppress`: a refusal taken by letter or telephone. A running dialer takes it and stops what is under way; where
//! none runs, or it calls for other sellers only, it is written here. Either way it is durable when this returns.

use anyhow::anyhow;

use crate::cli::args::{Args, SuppressArgs};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::setup;
use crate::config::OutdialFile;
use crate::logic::dialer::Suppress;
use crate::logic::dialer::command::Command;
use crate::logic::ids::{IdMaker, SuppressionId};
use crate::logic::phone::PhoneNumber;
use crate::runtime::clock::Clock;
use crate::store::{self, StoreError};

/// Takes the refusal.
pub(crate) fn run(args: &Args, entry: &SuppressArgs) -> Result<Exit, Failure> {
    let file = setup::outdial_file(&args.config)?;
    let number: PhoneNumber = entry.number.parse().or_exit(Exit::BadInput)?;
    let command = Command::Suppress {
        seller: entry.seller.clone(),
        number: entry.number.clone(),
        reason: entry.reason.clone(),
        proof: entry.proof.clone(),
    };
    match Client::connect(&setup::control_path(&file, &args.config)) {
        Ok(mut client) => match client.try_ask(&command)? {
            Ok(_) => return Ok(Exit::Ok),
            // None of its campaigns calls for that seller: there is nothing under way to stop.
            Err(refused) if refused.code == "unknown_seller" => {}
            Err(refused) => return Err(Failure::new(Exit::Refused, refused)),
        },
        Err(failure) if failure.exit == Exit::NoDialer => {}
        Err(failure) => return Err(failure),
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(write(&file, entry, &number))
}

async fn write(
    file: &OutdialFile,
    entry: &SuppressArgs,
    number: &PhoneNumber,
) -> Result<Exit, Failure> {
    let mut db = setup::open_existing(file).await?;
    let sellers = store::sellers(&mut db).await?;
    let Some((seller, _)) = sellers.iter().find(|(_, name)| *name == entry.seller) else {
        let known: Vec<&str> = sellers.iter().map(|(_, name)| name.as_str()).collect();
        let seller = &entry.seller;
        let error = anyhow!("the database knows no seller `{seller}`; it has {}", known.join(", "));
        return Err(Failure::new(Exit::BadInput, error));
    };
    let epoch = store::next_epoch(&mut db).await?;
    let id = IdMaker::new(epoch).make().ok_or(StoreError::NoIdsLeft)?;
    let suppress = Suppress {
        suppression: SuppressionId(id),
        seller: *seller,
        contact: None,
        phone_key: Some(number.reveal().to_owned()),
        reason: entry.reason.clone(),
        proof: entry.proof.clone(),
        at: Clock::utc(),
    };
    store::suppress(&mut db, epoch, &suppress).await?;
    db.close().await?;
    Ok(Exit::Ok)
}
